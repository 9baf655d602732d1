"""Files of weights that parts of a model start from: they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..checkpoint_files import is_remote
from ..errors import CheckpointError, did_you_mean
from ..models.pretrained import is_pretrained


def check_weights_files(cfg: Config) -> None:
    """Raises a CheckpointError where the file of an ``init_cfg`` is missing; addresses are left to the download."""
    for where, file in _files(cfg.get('model'), 'model'):
        if not is_remote(file) and not Path(file).is_file():
            others = [other.name for other in Path(file).parent.glob('*')]
            raise CheckpointError(f'{where}.checkpoint: {file} does not exist.{did_you_mean(Path(file).name, others)}')


def _files(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if is_pretrained(value) and 'checkpoint' in value:
        yield where, str(value['checkpoint'])
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _files(inner, f'{where}.{key}')
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _files(inner, f'{where}[{i}]')
