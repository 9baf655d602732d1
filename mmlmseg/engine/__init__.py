"""What drives training beyond mmengine's own loops."""

from __future__ import annotations

from .loops import ResumableTrainLoop

__all__ = ['ResumableTrainLoop']
