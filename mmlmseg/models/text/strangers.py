"""Strangers: names that stand for nothing of a label space, and class lists that grow by them in training.

A model that is only ever given its own lists learns to tell the classes of each apart, and nothing of other names:
asked in a longer list, it calls much of an image by names that are not there (docs/benchmarks.md, "Longer lists").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ...audit import claims_of_names
from ...audit.concepts import is_rest
from ...errors import OptionError
from ...label_space import LabelSpace
from ...names import name_key, normalise_name
from .bank import read_names


def strangers(space: LabelSpace, names: Iterable[str]) -> tuple[str, ...]:
    """The names, normalised and each once, that mean nothing that a class of a label space means.

    Left out are the names and synonyms of its classes, what is the same as a class, inside, around or a part of it by
    what names tell (:mod:`mmlmseg.audit`), and names of all that a list does not name, such as ``background``.
    """
    keys = {name_key(name) for own in (space.names, *space.synonyms) for name in own}
    distinct: dict[str, str] = {}
    for name in names:
        shown = normalise_name(name)[0]
        if name_key(shown) not in keys and not is_rest(shown):
            distinct.setdefault(name_key(shown), shown)
    if not distinct:
        return ()
    listed = LabelSpace.create('others' if space.name != 'others' else 'more', [*distinct.values()])
    claims = claims_of_names([space, listed])
    related = {place.name for claim in claims for place in (claim.first, claim.second) if place.space == listed.name}
    return tuple(name for name in listed.classes if name not in related)


@dataclass
class Strangers:
    """Draws strangers of label spaces.

    Attributes:
        number: How many at once; all where there are fewer.
        names: A file with a name a line to draw from; by default the classes of the other label spaces.
    """

    number: int
    names: str | None = None
    _pools: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.number, int) or isinstance(self.number, bool) or self.number < 1:
            raise OptionError(f'text.strangers.number is {self.number!r}; it must be a whole number from 1 on')
        if self.names is not None and not Path(self.names).is_file():
            raise OptionError(f'text.strangers.names: {self.names}: no such file; it holds a class name a line')

    def fill(self, spaces: Sequence[LabelSpace], can_read: Callable[[str], bool]) -> None:
        """Finds the strangers of each label space, once.

        Args:
            spaces: All of the model.
            can_read: Whether the text encoder can read a normalised name; of those of the file it takes these.

        Raises:
            OptionError: Where a label space has none.
        """
        if self._pools:
            return
        listed = None if self.names is None else [normalise_name(name)[0] for name in read_names(self.names)]
        readable = None if listed is None else [name for name in listed if can_read(name)]
        for space in spaces:
            others = (name for own in spaces if own.name != space.name for name in own.names)
            pool = strangers(space, others if readable is None else readable)
            if not pool:
                raise OptionError(
                    f'text.strangers: no name stands for nothing of label space {space.name!r}; draw from a file, '
                    'strangers=dict(number=..., names=FILE), or leave strangers out'
                )
            self._pools[space.name] = pool

    def draw(self, space: LabelSpace) -> tuple[str, ...]:
        """Some strangers of a label space, each once, by PyTorch's global generator."""
        pool = self._pools[space.name]
        return tuple(pool[i] for i in torch.randperm(len(pool))[: self.number].tolist())
