"""What weighs datasets, images and classes of a training: it names datasets and label spaces that there are."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..arguments import find_type
from ..class_weights import by_space
from ..config import innermost, listed_name, parts_of, space_names
from ..datasets.repeat import repeat_thresholds
from ..datasets.samplers import DatasetSampler, dataset_probabilities
from ..errors import DataError, errors_of
from ..registry import DATA_SAMPLERS


def check_imbalance(cfg: Config) -> None:
    """Refuses unknown datasets in ``ratio`` and ``repeat`` of a sampler, and unknown label spaces in ``class_weights``.

    What single classes weigh is checked where the model is built, which knows them.

    Raises:
        DataError, OptionError: Naming the entry, what is unknown, and what is known.
    """
    loader = cfg.get('train_dataloader')
    if not isinstance(loader, Mapping) or 'dataset' not in loader:
        return
    parts = parts_of(loader['dataset'])
    _check_sampler(loader.get('sampler'), list(parts))
    file = innermost(loader['dataset']).get('class_presence')
    if file is not None and not Path(file).is_file():
        raise DataError(
            f'train_dataloader.dataset.class_presence: {file} does not exist; write it with '
            'tools/analysis/class_frequencies.py CONFIG --out FILE, or leave it out, and classes are counted'
        )
    head = (cfg.get('model') or {}).get('decode_head') or {}
    if head.get('class_weights') is not None:
        listed = head.get('label_spaces')
        trained = (name for part in parts.values() for name in space_names(part))
        with errors_of('model.decode_head'):
            by_space(head['class_weights'], trained if listed is None else map(listed_name, listed))


def _check_sampler(sampler: Any, names: list[str]) -> None:
    if not isinstance(sampler, Mapping):
        return
    kind = find_type(sampler, DATA_SAMPLERS, 'train_dataloader.sampler')
    if not (inspect.isclass(kind) and issubclass(kind, DatasetSampler)):
        return
    with errors_of('train_dataloader.sampler'):
        dataset_probabilities(sampler.get('ratio', 'uniform'), [1] * len(names), names)
        repeat_thresholds(sampler.get('repeat'), names)
