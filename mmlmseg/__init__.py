"""mmlmseg: one segmentation model for many datasets whose labels clash."""

from __future__ import annotations

from . import compat, quiet

compat.apply()
quiet.apply()

from .version import __version__  # noqa: E402

__all__ = ['__version__']
