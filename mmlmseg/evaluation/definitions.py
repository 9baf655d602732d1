"""What the number of a result means, and whether it may stand beside those of papers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal['comparable', 'ours', 'undeclared']
"""Of a number: made as the literature makes it; by a definition of our own; or by a metric that does not say."""


@dataclass(frozen=True)
class Definition:
    """What a number is."""

    kind: Kind
    text: str

    @classmethod
    def mean(cls, parts: dict[str, Definition]) -> Definition:
        """That of the mean over datasets: as comparable as the least comparable part.

        Args:
            parts: What the number is of each dataset, by its name.
        """
        kinds = {part.kind for part in parts.values()}
        kind = next(kind for kind in _LEAST_FIRST if kind in kinds)
        texts = ' or '.join(dict.fromkeys(part.text for part in parts.values()))
        return cls(kind, f'mean over those of {", ".join(parts)} that have a number; of each: {texts}')


_LEAST_FIRST: tuple[Kind, ...] = ('ours', 'undeclared', 'comparable')
