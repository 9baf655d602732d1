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

    How many is drawn as well: a model that always met 64 of them had learned lists of that length, and was lost in its
    own (msrc_v2 17.1 mIoU, with 64 strangers 25.4; 12 validation images, `list_length.py`).

    Attributes:
        number: At most so many at once, from none on; fewer where there are not so many.
        names: A file with a name a line. Where it is given, half of a draw is of the file, and half of the classes of
            the other label spaces, which the model knows best and so takes for a class most easily.
    """

    number: int
    names: str | None = None
    _pools: dict[str, list[tuple[str, ...]]] = field(default_factory=dict, init=False)

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
        listed = [] if self.names is None else [normalise_name(name)[0] for name in read_names(self.names)]
        readable = [name for name in listed if can_read(name)]
        for space in spaces:
            near = strangers(space, (name for own in spaces if own.name != space.name for name in own.names))
            keys = {name_key(name) for name in near}
            far = strangers(space, (name for name in readable if name_key(name) not in keys))
            if not near and not far:
                raise OptionError(
                    f'text.strangers: no name stands for nothing of label space {space.name!r}; draw from a file, '
                    'strangers=dict(number=..., names=FILE), or leave strangers out'
                )
            self._pools[space.name] = [pool for pool in (near, far) if pool]

    def draw(self, space: LabelSpace) -> tuple[str, ...]:
        """Some strangers of a label space, each once, by PyTorch's global generator."""
        pools = self._pools[space.name]
        asked = int(torch.randint(self.number + 1, ()))
        drawn: list[str] = []
        for i, pool in enumerate(pools):
            share = (asked - len(drawn)) // (len(pools) - i)
            drawn += (pool[place] for place in torch.randperm(len(pool))[:share].tolist())
        return tuple(drawn)
