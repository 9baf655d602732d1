"""Pictures of images, truths and predictions."""

from .drawing import Panel, class_shares, legend, legend_entries, overlay, overlay_segments, panel_grid, percentage
from .visualizer import MultiSpaceVisualizer

__all__ = [
    'MultiSpaceVisualizer',
    'Panel',
    'class_shares',
    'legend',
    'legend_entries',
    'overlay',
    'overlay_segments',
    'panel_grid',
    'percentage',
]
