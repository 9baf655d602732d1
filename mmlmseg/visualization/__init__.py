"""Pictures of images, truths and predictions."""

from .drawing import Panel, class_shares, legend, overlay, panel_grid

__all__ = ['Panel', 'class_shares', 'legend', 'overlay', 'panel_grid']
