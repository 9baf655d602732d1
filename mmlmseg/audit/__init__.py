"""The audit of label spaces: which of their classes are the same, inside or part of each other, or clash."""

from .by_model import judged, suggested
from .claims import Claim, claims_of_names, declared
from .concepts import Concepts

__all__ = ['Claim', 'Concepts', 'claims_of_names', 'declared', 'judged', 'suggested']
