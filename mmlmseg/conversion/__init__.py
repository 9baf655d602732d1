"""Weights of other code: what they are called there, and what becomes of them here."""

from __future__ import annotations

from .convert import Conversion, converted
from .files import read_published
from .layouts import layout_of

__all__ = ['Conversion', 'converted', 'layout_of', 'read_published']
