"""Concepts: what class names stand for, and with what the pixels of a concept are counted where it has no name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..label_space import LabelSpace
from ..names import name_key

LEXICON = Path(__file__).parents[1] / 'assets' / 'concepts.yml'
PART = '~'
"""Before a name of the lexicon: a part of what it lies below, and no kind of it."""

_FILLERS = re.compile(r'\b(other|others|merged|stuff|misc|general|left|right)\b')
_REST = re.compile(
    r'(background|unlabell?ed|void|ignored?|others?|unknown|unclassified|clutter|misc|static|dynamic|foreground|rest)'
)
"""What is called so is all that a list does not name, which is another thing in every list."""


@dataclass
class Concepts:
    """A forest of concepts; it grows by those that class names bring along.

    Attributes:
        parents: Of each concept, by name; None of one that is counted with no other.
        parts: The concepts that are a part of their parent.
        called: The concept of each normalised name.
    """

    parents: dict[str, str | None] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)
    called: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_yaml(cls, path: str | Path = LEXICON) -> Concepts:
        """Reads a file such as the shipped ``concepts.yml``: nested keys, each the names of a concept."""
        concepts = cls()

        def add(branch: Mapping[str, Any], parent: str | None) -> None:
            for names, below in branch.items():
                first, *others = (name_key(name) for name in names.removeprefix(PART).split(','))
                concepts.parents[first] = parent
                concepts.called.update(dict.fromkeys((first, *others), first))
                if names.startswith(PART):
                    concepts.parts.add(first)
                add(below or {}, first)

        add(_read(Path(path)), None)
        return concepts

    def of(self, space: LabelSpace) -> list[str | None]:
        """The concept of each class, no two of which share one; None for a class of what is left over.

        A class is known by its name, or else a synonym. Of one that is not, the last words tell what it is a kind of: a
        ``swivel chair`` is a chair.
        """
        found: list[str | None] = []
        for name, synonyms in zip(space.names, space.synonyms, strict=True):
            keys = [name_key(own) for own in (name, *synonyms)]
            concept = next((own for own in map(self._known, keys) if own), None)
            if concept is None and (is_rest(name) or not _forms(keys[0])):
                found.append(None)
                continue
            if concept is None:
                concept = self._add(_forms(keys[0])[0], self._kind_of(keys[0]))
            if concept in found:
                concept = self._add(f'{concept} ({keys[0]})', concept)
            found.append(concept)
        return found

    def above(self, concept: str) -> Iterator[str]:
        """The concept and those that it is counted with, nearest first."""
        at: str | None = concept
        while at is not None:
            yield at
            at = self.parents[at]

    def _known(self, key: str) -> str | None:
        return next((self.called[form] for form in _forms(key) if form in self.called), None)

    def _kind_of(self, key: str) -> str | None:
        words = key.split()
        ends = (' '.join(words[start:]) for start in range(1, len(words)))
        return next((found for end in ends if (found := self._known(end))), None)

    def _add(self, concept: str, parent: str | None) -> str:
        self.parents.setdefault(concept, parent)
        self.called.setdefault(concept, concept)
        return concept


@cache
def _read(path: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding='utf-8'))
    return content


def is_rest(name: str) -> bool:
    """Whether a class of that name is what its list does not name, as ``background`` or ``others``."""
    return _REST.fullmatch(name_key(name)) is not None


@cache
def _forms(key: str) -> tuple[str, ...]:
    """The ways in which a name may stand in the lexicon: as it is, without filling words, in the singular, in one word,
    with its first word last (``wall-brick``)."""
    plain = ' '.join(re.sub(r'[^\w ]', ' ', key).split())
    short = ' '.join(_FILLERS.sub(' ', plain).split())
    turned = ' '.join([*short.split()[1:], *short.split()[:1]])
    single = re.sub(r'(?<=\w\w)(?<!s)s$', '', short)
    return tuple(form for form in dict.fromkeys((plain, short, single, turned, short.replace(' ', ''))) if form)
