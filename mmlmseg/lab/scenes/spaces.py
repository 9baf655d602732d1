"""The parts a drawn scene is made of, and the label spaces that name them differently.

Every pixel of a scene belongs to exactly one part, the finest thing the generator knows about it. A label space is a
list of classes, each of which is a set of parts; parts that no class claims are unlabelled there. The spaces clash on
purpose:

* ``building`` contains windows and doors in ``street`` and ``objects``' ``house``, but not in ``facade``;
* ``street`` tells ``tree`` from ``grass``, ``facade`` calls both ``plant``;
* a person is one thing in ``street``, six garments and body parts in ``wardrobe`` and unlabelled in ``facade``;
* all that is not worn or worn by someone is a real class ``background`` in ``wardrobe``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import LabelSpaceError, did_you_mean
from ...label_space import LabelSpace
from ...segments import IGNORE_INDEX

SKY = ('sky', 'cloud', 'sun')
HOUSE = ('house wall', 'house roof', 'house chimney', 'house window', 'house door')
TREE = ('tree trunk', 'tree crown')
CAR = ('car body', 'car window', 'car wheel')
TRUCK = ('truck body', 'truck window', 'truck wheel')
PERSON = ('hat', 'hair', 'skin', 'shirt', 'trousers', 'shoes')
STUFF = ('grass', 'road', 'pavement', 'fence', 'bush')

PARTS: tuple[str, ...] = (*SKY, *STUFF, *HOUSE, *TREE, *CAR, *TRUCK, *PERSON, 'dog')
"""Names of all parts; a part map holds indices into this tuple."""

PART_IDS: dict[str, int] = {name: index for index, name in enumerate(PARTS)}


@dataclass(frozen=True)
class SceneClass:
    """One class of a label space of drawn scenes.

    Args:
        name: Its name in this space.
        parts: Names of the parts that belong to it.
        colour: RGB colour for pictures.
        instances: What counts as one instance of it: a whole ``'object'`` (a car), a single ``'component'`` (one
            window, one shirt), or None for stuff, which has no instances.
    """

    name: str
    parts: tuple[str, ...]
    colour: tuple[int, int, int]
    instances: Literal['object', 'component'] | None = None


@dataclass(frozen=True)
class SceneSpace:
    """A label space of drawn scenes: its name and its classes in order of their ids."""

    name: str
    classes: tuple[SceneClass, ...]

    def lookup(self) -> np.ndarray:
        """Table from part index to class id of this space, 255 for parts without one: uint8 [parts]."""
        table = np.full(len(PARTS), IGNORE_INDEX, dtype=np.uint8)
        for label, scene_class in enumerate(self.classes):
            table[[PART_IDS[part] for part in scene_class.parts]] = label
        return table

    def label_space(self) -> LabelSpace:
        """The same space as the rest of the library knows it."""
        return LabelSpace.create(
            self.name,
            [c.name for c in self.classes],
            things=[c.name for c in self.classes if c.instances is not None],
            palette=[c.colour for c in self.classes],
        )


def _rest(*groups: Sequence[str]) -> tuple[str, ...]:
    """All parts outside the given groups."""
    taken = {part for group in groups for part in group}
    return tuple(part for part in PARTS if part not in taken)


_SKY = SceneClass('sky', SKY, (120, 180, 235))
_GRASS = SceneClass('grass', ('grass',), (130, 190, 80))
_ROAD = SceneClass('road', ('road',), (100, 95, 110))
_PAVEMENT = SceneClass('pavement', ('pavement',), (205, 185, 165))
_TREE = SceneClass('tree', (*TREE, 'bush'), (25, 105, 50))
_FENCE = SceneClass('fence', ('fence',), (165, 110, 60))
_PERSON = SceneClass('person', PERSON, (220, 30, 60), 'object')

_STREET = SceneSpace(
    'street',
    (
        _SKY,
        SceneClass('building', HOUSE, (190, 130, 110)),
        _TREE,
        _GRASS,
        _ROAD,
        _PAVEMENT,
        _FENCE,
        SceneClass('vehicle', (*CAR, *TRUCK), (40, 60, 190), 'object'),
        _PERSON,
    ),
)

_FACADE = SceneSpace(
    'facade',
    (
        _SKY,
        SceneClass('building', ('house wall', 'house chimney'), (235, 190, 130)),
        SceneClass('roof', ('house roof',), (170, 60, 40)),
        SceneClass('window', ('house window',), (60, 90, 170), 'component'),
        SceneClass('door', ('house door',), (110, 60, 140), 'component'),
        SceneClass('plant', (*TREE, 'bush', 'grass'), (80, 150, 60)),
        SceneClass('ground', ('road', 'pavement'), (150, 145, 145)),
    ),
)

_WARDROBE = SceneSpace(
    'wardrobe',
    (
        SceneClass('background', _rest(PERSON), (60, 60, 60)),
        SceneClass('hat', ('hat',), (235, 200, 40), 'component'),
        SceneClass('hair', ('hair',), (130, 75, 35), 'component'),
        SceneClass('skin', ('skin',), (245, 185, 150), 'component'),
        SceneClass('shirt', ('shirt',), (230, 60, 80), 'component'),
        SceneClass('trousers', ('trousers',), (60, 100, 220), 'component'),
        SceneClass('shoes', ('shoes',), (70, 200, 180), 'component'),
    ),
)

_COARSE = SceneSpace(
    'coarse',
    (
        _SKY,
        SceneClass('ground', ('road', 'pavement', 'grass'), (150, 145, 145)),
        SceneClass('nature', (*TREE, 'bush'), (40, 130, 50)),
        SceneClass('structure', (*HOUSE, 'fence'), (190, 130, 110)),
        SceneClass('object', (*CAR, *TRUCK, *PERSON, 'dog'), (200, 50, 120), 'object'),
    ),
)

_OBJECTS = SceneSpace(
    'objects',
    (
        _SKY,
        _GRASS,
        _ROAD,
        _PAVEMENT,
        _FENCE,
        SceneClass('bush', ('bush',), (90, 160, 90)),
        SceneClass('house', HOUSE, (190, 130, 110), 'object'),
        SceneClass('tree', TREE, (25, 105, 50), 'object'),
        SceneClass('car', CAR, (40, 60, 190), 'object'),
        SceneClass('truck', TRUCK, (90, 40, 170), 'object'),
        _PERSON,
        SceneClass('dog', ('dog',), (240, 140, 20), 'object'),
    ),
)

SCENE_SPACES: dict[str, SceneSpace] = {s.name: s for s in (_STREET, _FACADE, _WARDROBE, _COARSE, _OBJECTS)}
"""All label spaces of drawn scenes by name. The demo trains on the first three; the others have truth too."""


def scene_space(space: str | SceneSpace) -> SceneSpace:
    """Find a label space of drawn scenes.

    Args:
        space: A name in :data:`SCENE_SPACES`, or a space, which is returned as it is.

    Raises:
        LabelSpaceError: The name is unknown.
    """
    if isinstance(space, SceneSpace):
        return space
    if space not in SCENE_SPACES:
        raise LabelSpaceError(f'drawn scenes have no label space {space!r}.{did_you_mean(space, SCENE_SPACES)}')
    return SCENE_SPACES[space]
