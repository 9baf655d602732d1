"""Options of results: what ``test_cfg`` says, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...arguments import check_keys, options_of
from ...errors import OptionError
from ...label_space import LabelSpace, LabelSpaces
from ...relations import Relations, ResolvedRelations, resolve
from ..data_preprocessor import USUAL_DIVISOR
from ..postprocess.panoptic import PanopticThresholds
from .tiles import Tiles

TASKS = ('semantic', 'panoptic', 'instance')
_KEYS = ('tasks', 'panoptic', 'mixed', 'instance', 'tiles', 'keep_probabilities')


@dataclass(frozen=True)
class MixedOptions:
    """What becomes of segments of several label spaces that say the same.

    Attributes:
        duplicate_iou: Segments of different groups that mean the same are one above this IoU; None keeps all.
        similarity: The cosine from which on text rows mean the same; None compares names only.
        relations: What is declared to be the same, or not, as it is inside or part of the other, whatever names and
            text rows say; see :meth:`Relations.from_config`. By default what the model was trained with.

    Raises:
        LabelSpaceError: Where relations are ill-formed.
        OptionError: Where one is no IoU or no cosine.
    """

    duplicate_iou: float | None = 0.5
    similarity: float | None = None
    relations: Relations | None = None

    def __post_init__(self) -> None:
        if self.relations is not None:
            object.__setattr__(self, 'relations', Relations.from_config(self.relations))
        for name, value, least in (('duplicate_iou', self.duplicate_iou, 0), ('similarity', self.similarity, -1)):
            if value is not None and not least <= value <= 1:
                raise OptionError(f'test_cfg.mixed.{name} must be between {least} and 1, or None, got {value}')


@dataclass(frozen=True)
class InstanceOptions:
    """Which instances there are.

    Attributes:
        max_per_image: The most of an image, or of a tile where it is read in tiles: the best ones. COCO counts 100.

    Raises:
        OptionError: Where it is no number from 1 on.
    """

    max_per_image: int = 100

    def __post_init__(self) -> None:
        if not isinstance(self.max_per_image, int) or self.max_per_image < 1:
            raise OptionError(
                f'test_cfg.instance.max_per_image must be an integer from 1 on, got {self.max_per_image!r}'
            )


@dataclass(frozen=True)
class ResultOptions:
    """Which results are made, and how; see ``test_cfg`` of :class:`MultiSpaceSegmentor`.

    Attributes:
        tasks: Of :data:`TASKS`.
        keep_probabilities: Whether semantic results keep ``seg_logits``.
        thresholds: Of panoptic and mixed results, where a space has none of its own.
        per_space: Thresholds of single spaces.
        mixed: Of results in several label spaces.
        instance: Of instances.
        tiles: How large images are cut; None reads them whole.
        relations: What ``mixed.relations`` declares of the classes of all label spaces; None where it declares nothing.
    """

    tasks: tuple[str, ...]
    keep_probabilities: bool
    thresholds: PanopticThresholds
    per_space: Mapping[str, PanopticThresholds]
    mixed: MixedOptions
    instance: InstanceOptions = InstanceOptions()
    tiles: Tiles | None = None
    relations: ResolvedRelations | None = None

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], spaces: LabelSpaces, size_divisor: int = USUAL_DIVISOR
    ) -> ResultOptions:
        """Reads ``test_cfg`` of a model with some label spaces, whose images are multiples of ``size_divisor``.

        Raises:
            LabelSpaceError: Where thresholds name an unknown label space.
            OptionError: On an unknown key or task, or a threshold that is no fraction.
        """
        _check_mode(config, size_divisor)
        check_keys(config, (*_KEYS, 'mode'), 'test_cfg')
        if isinstance(named := config.get('tasks', TASKS[:1]), str):
            raise OptionError(f'test_cfg.tasks = {named!r}: write a list, [{named!r}]')
        tasks = tuple(named)
        if not tasks or not set(tasks) <= set(TASKS):
            raise OptionError(f'test_cfg.tasks is {list(tasks)}; choose from {", ".join(TASKS)}')
        tiles = None if config.get('tiles') is None else options_of(Tiles, config['tiles'], 'test_cfg.tiles')
        if tiles is not None:
            tiles.check(size_divisor)
        panoptic = config.get('panoptic', {})
        common = {key: value for key, value in panoptic.items() if key != 'per_space'}
        mixed = options_of(MixedOptions, config.get('mixed', {}), 'test_cfg.mixed')
        special = {spaces.get(name).name: own for name, own in panoptic.get('per_space', {}).items()}
        return cls(
            tasks=tasks,
            keep_probabilities=bool(config.get('keep_probabilities')),
            thresholds=options_of(PanopticThresholds, common, 'test_cfg.panoptic'),
            per_space={
                name: options_of(PanopticThresholds, {**common, **own}, f'test_cfg.panoptic.per_space.{name}')
                for name, own in special.items()
            },
            mixed=mixed,
            instance=options_of(InstanceOptions, config.get('instance', {}), 'test_cfg.instance'),
            tiles=tiles,
            relations=None if mixed.relations is None else resolve(mixed.relations, tuple(spaces)),
        )

    def thresholds_of(self, space: LabelSpace) -> PanopticThresholds:
        """The thresholds of a label space."""
        return self.per_space.get(space.name, self.thresholds)


def _check_mode(config: Mapping[str, Any], size_divisor: int) -> None:
    """Translates what mmseg's configs say of windows, which are cut by ``tiles`` here."""
    mode = config.get('mode', 'whole')
    if mode != 'whole' or 'crop_size' in config or 'stride' in config:
        size, stride = config.get('crop_size', (1024, 1024)), config.get('stride')
        overlap = 128 if stride is None else max(0, *(a - b for a, b in zip(size, stride)))
        raise OptionError(
            f"test_cfg: mode={mode!r}, crop_size and stride are mmseg's; large images are read in tiles here, so write "
            f'test_cfg=dict(tiles=dict(size={tuple(size)}, overlap={overlap})), in multiples of '
            f'{size_divisor} pixels'
        )
