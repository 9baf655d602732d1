"""Relations between classes of different label spaces, as somebody declares them.

``relations.yml``, each class as ``SPACE:CLASS``::

    same:
    - [street:car, town:automobile]
    inside:                               # the finer class first
    - [street:building, land:built-up]
    part_of:                              # the part first
    - [clothes:sleeve, people:person]

A class *inside* another covers some of its pixels and none beside them; a part does too, but is another thing: a window
is part of a building, and no kind of building. What follows from them: the probability of a class is the sum of its own
and of those that are the same or inside of it (:mod:`mmlmseg.models.head.finer`), and in several label spaces at once
segments of the same class are united, while those inside or part of each other overlap
(:mod:`mmlmseg.models.postprocess.mixed`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from .arguments import check_keys
from .class_list import is_list
from .errors import LabelSpaceError, OptionError, did_you_mean, errors_of, written
from .label_space import LabelSpace
from .names import name_key

Pairs = tuple[tuple[str, str], ...]
Relation = NDArray[np.bool_]


@dataclass(frozen=True)
class Relations:
    """Pairs of classes, each ``SPACE:CLASS``; of ``inside`` and ``part_of`` the smaller one first."""

    same: Pairs = ()
    inside: Pairs = ()
    part_of: Pairs = ()

    @classmethod
    def from_config(cls, spec: Any) -> Relations:
        """Reads what a config says.

        Args:
            spec: The path of a YAML or JSON file, the dict that it would hold, relations, or None for none.

        Raises:
            LabelSpaceError: Where it is of another form.
            OptionError: Where the file is missing or no YAML, or on an unknown kind of relation.
        """
        if spec is None or isinstance(spec, Relations):
            return spec or cls()
        if isinstance(spec, (str, Path)):
            with errors_of(spec):
                return cls.from_config(_read(Path(spec)) or {})
        if not isinstance(spec, Mapping):
            raise LabelSpaceError(
                f'relations are {written(spec)}; write the path of a file, or dict(inside=[[FINER, COARSER], ...])'
            )
        check_keys(spec, [field.name for field in fields(cls)], 'relations')
        return cls(**{kind: _pairs(kind, pairs) for kind, pairs in spec.items() if pairs is not None})

    def to_dict(self) -> dict[str, list[list[str]]]:
        """Plain Python data without the empty kinds; :meth:`from_config` reads it."""
        return {kind: [list(pair) for pair in pairs] for kind, pairs in vars(self).items() if pairs}

    def __bool__(self) -> bool:
        return bool(self.same or self.inside or self.part_of)

    def among(self, names: Collection[str]) -> Relations:
        """The relations between classes of label spaces of some names."""

        def known(name: str) -> bool:
            return any(name.startswith(f'{space}:') for space in names)

        return Relations(*(tuple(pair for pair in own if all(map(known, pair))) for own in vars(self).values()))


NO_RELATIONS = Relations()


@dataclass(frozen=True, eq=False)
class ResolvedRelations:
    """What is declared of the classes of some label spaces, and what follows from it.

    K are the classes of all spaces, one space after the other.

    Attributes:
        spaces: The label spaces.
        same: ``[K, K]`` bool, an equivalence.
        inside: ``[K, K]`` bool: whether the first lies inside the second, directly or through others.
        part_of: ``[K, K]`` bool, as declared.
    """

    spaces: tuple[LabelSpace, ...]
    same: Relation
    inside: Relation
    part_of: Relation

    def places(self, name: str) -> range:
        """Where the classes of a label space stand among the K; nowhere where it is not known."""
        start = 0
        for space in self.spaces:
            if space.name == name:
                return range(start, start + space.num_classes)
            start += space.num_classes
        return range(0)

    def finer(self, space: LabelSpace) -> list[list[tuple[LabelSpace, int]]]:
        """The classes of other spaces that are the same as each class of a space, or inside of it: space and label.

        Left out are classes that the space has by name, its own or another, as it has a column for that name.
        """
        owners = [(own, label) for own in self.spaces for label in range(own.num_classes)]
        taken = {name_key(name) for name in space.names}
        found = []
        for column in self.places(space.name):
            members: dict[str, tuple[LabelSpace, int]] = {}
            for place in np.flatnonzero(self.same[column] | self.inside[:, column]):
                own, label = owners[place]
                if (key := name_key(own.names[label])) not in taken:
                    members.setdefault(key, (own, label))
            found.append([*members.values()])
        return found

    def among(self, spaces: Sequence[LabelSpace]) -> tuple[Relation, Relation]:
        """Which classes of some spaces, one space after the other, are the same, and which may overlap as one is inside
        or part of the other; ``[k, k]`` bool each. Of spaces that are not known nothing is declared."""
        unknown = -1
        places = np.array([p for s in spaces for p in self.places(s.name) or [unknown] * s.num_classes])
        known = (places >= 0)[:, None] & (places >= 0)
        at = np.ix_(np.maximum(places, 0), np.maximum(places, 0))
        nested = self.inside | self.part_of
        return self.same[at] & known, (nested | nested.T)[at] & known


@lru_cache(8)
def resolve(relations: Relations, spaces: tuple[LabelSpace, ...]) -> ResolvedRelations:
    """Draws the conclusions: what is the same shares its relations, and what is inside is so through others too.

    Raises:
        LabelSpaceError: On an unknown class, or a contradiction: two classes of one space exclude each other, so that
            neither are they related, nor is another inside both; and nothing is inside itself.
    """
    places = {name: i for i, name in enumerate(f'{space.name}:{name}' for space in spaces for name in space.classes)}
    of_space = np.repeat(np.arange(len(spaces)), [space.num_classes for space in spaces])
    names = [*places]
    declared = {kind: _places(kind, pairs, places) for kind, pairs in vars(relations).items()}
    for kind, pairs in declared.items():
        for a, b in pairs:
            if of_space[a] == of_space[b]:
                raise LabelSpaceError(
                    f'relations.{kind}: {names[a]} and {names[b]} are of one label space, whose classes exclude each '
                    'other'
                )
    count = len(names)
    _, group = connected_components(_graph(declared['same'], count), directed=False)
    same = group[:, None] == group
    inside = _graph([(group[a], group[b]) for a, b in declared['inside']], count)
    while (further := inside + inside @ inside).count_nonzero() > inside.count_nonzero():
        inside = further.astype(bool)
    inside = inside.toarray()[np.ix_(group, group)]
    part_of = _graph(declared['part_of'], count).toarray()
    _refuse_contradictions(names, of_space, same, inside, part_of)
    return ResolvedRelations(spaces, same, inside, part_of)


def _refuse_contradictions(
    names: Sequence[str], of_space: NDArray[Any], same: Relation, inside: Relation, part_of: Relation
) -> None:
    if (itself := np.flatnonzero(inside.diagonal())).size:
        circle = ', '.join(names[i] for i in itself[:4])
        raise LabelSpaceError(f'relations.inside: lead in a circle ({circle}); classes of one meaning are "same"')
    for a, b in np.argwhere(same & part_of)[:1]:
        raise LabelSpaceError(f'relations: {names[a]} and {names[b]} are "same" and "part_of" each other; leave one')
    one_space = of_space[:, None] == of_space
    np.fill_diagonal(one_space, False)
    covering = same | inside  # from a class to those that hold all of it
    for place in np.flatnonzero(covering.sum(1) > 1):
        held_by = np.flatnonzero(covering[place])
        for a, b in np.argwhere(one_space[np.ix_(held_by, held_by)])[:1]:
            first, second = names[held_by[a]], names[held_by[b]]
            raise LabelSpaceError(
                f'relations: {names[place]} would be in both {first} and {second}, which exclude each other as classes '
                'of one label space; a class that is only partly in another is in no relation with it'
            )


def _graph(pairs: Sequence[tuple[int, int]], count: int) -> csr_array:
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(count, count))


def _places(kind: str, pairs: Pairs, places: Mapping[str, int]) -> list[tuple[int, int]]:
    for name in (name for pair in pairs for name in pair):
        if name not in places:
            raise LabelSpaceError(
                f'relations.{kind}: no label space of the model has a class {name!r}.{did_you_mean(name, places)}'
            )
    return [(places[a], places[b]) for a, b in pairs]


def _pairs(kind: str, pairs: Any) -> Pairs:
    if not is_list(pairs):
        raise LabelSpaceError(f'relations.{kind} is {written(pairs)}; list pairs, [SPACE:CLASS, SPACE:CLASS]')
    for place, pair in enumerate(pairs):
        if not is_list(pair) or len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            raise LabelSpaceError(
                f'relations.{kind}[{place}] is {written(pair)}; a pair is two classes, [SPACE:CLASS, SPACE:CLASS]'
            )
    return tuple((a.strip(), b.strip()) for a, b in pairs)


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except FileNotFoundError:
        raise OptionError('no such file; relations are declared in YAML') from None
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f'cannot be read ({error})') from None
    except yaml.YAMLError as error:
        raise OptionError(f'no YAML ({" ".join(str(error).split())})') from None
