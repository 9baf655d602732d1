"""Loaders and pipelines: numbers that can be, and samples that hold what a model reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from ..arguments import find_type
from ..config import all_innermost, parts_of
from ..datasets import steps
from ..errors import OptionError
from ..registry import TRANSFORMS


def check_loaders(cfg: Config, splits: Sequence[str]) -> None:
    """Refuses batches of no image, loaders without dataset, and pipelines that give no samples or no labels."""
    for split in splits:
        loader, where = cfg.get(f'{split}_dataloader'), f'{split}_dataloader'
        if not isinstance(loader, Mapping):
            continue
        for key, least in ('batch_size', 1), ('num_workers', 0):
            if key in loader and (not isinstance(loader[key], int) or loader[key] < least):
                raise OptionError(f'{where}.{key} = {loader[key]!r}: give an integer of at least {least}')
        if split == 'train':
            _check_order(loader, where)
        if 'dataset' not in loader:
            raise OptionError(f"{where} has no dataset: add dataset=dict(type='mmlmseg.MultiDataset', datasets=[...])")
        for name, part in parts_of(loader['dataset']).items():
            # A test may be without labels, to write predictions only.
            _check_pipeline(part, f'{where}, dataset {name!r}', labels=split != 'test')


def _check_order(loader: Mapping[str, Any], where: str) -> None:
    """Refuses a training whose samples come in the order of their list, by default one by one."""
    if loader.get('batch_sampler') is not None:
        return
    if loader.get('sampler') is None and not loader.get('shuffle'):
        raise OptionError(
            f"{where} has no sampler, so its samples would never be shuffled: add sampler=dict(type='mmlmseg."
            "PerImageSampler')"
        )
    if 'batch_size' not in loader:
        raise OptionError(f'{where} has no batch_size')


def without_workers(cfg: Config) -> None:
    """Takes off loaders that load in the main process (``num_workers=0``) what torch takes with workers only."""
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if isinstance(loader, dict) and loader.get('num_workers', 0) == 0:
            for key in ('persistent_workers', 'prefetch_factor'):
                loader.pop(key, None)


def loads_labels(dataset: Mapping[str, Any]) -> bool:
    """Whether the pipeline of a dataset config loads labels; one with a transform of the user's own may."""
    return any(steps.loads_labels(kind) or steps.is_foreign(kind) for kind in _kinds(dataset))


def _check_pipeline(dataset: Mapping[str, Any], where: str, labels: bool) -> None:
    kinds = list(_kinds(dataset))
    if not kinds:
        return
    if labels and not loads_labels(dataset):
        raise OptionError(
            f"{where}: its pipeline loads no labels; add dict(type='mmlmseg.LoadAnnotations') behind LoadImageFromFile"
        )
    if not any(steps.packs(kind) or steps.is_foreign(kind) for kind in kinds):
        raise OptionError(f"{where}: its pipeline packs no samples; end it with dict(type='PackSegInputs')")


def _kinds(dataset: Mapping[str, Any]) -> Iterator[Any]:
    """The classes of the steps of a dataset's pipeline, also of those inside of others."""

    def below(steps: Any) -> Iterator[Any]:
        if isinstance(steps, (list, tuple)):
            for step in steps:
                yield from below(step)
        elif isinstance(steps, Mapping):
            yield find_type(steps, TRANSFORMS, 'pipeline')
            yield from below(steps.get('transforms'))
        elif steps is not None:
            yield type(steps)

    return (kind for own in all_innermost(dataset) for kind in below(own.get('pipeline')))
