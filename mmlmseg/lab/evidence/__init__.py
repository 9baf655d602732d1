"""What results show, graded: the tables of docs/evidence.md."""

from .page import fill

__all__ = ['fill']
