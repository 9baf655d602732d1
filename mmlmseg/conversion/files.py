"""Reading what other code publishes: checkpoints of PyTorch, and detectron2's pickles of numpy arrays."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checkpoint_files import read_checkpoint
from ..errors import CheckpointError

_RECONSTRUCT: Any = np.zeros(1).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('numpy.core.multiarray', '_reconstruct'): _RECONSTRUCT,
    ('numpy._core.multiarray', '_reconstruct'): _RECONSTRUCT,
    ('collections', 'OrderedDict'): collections.OrderedDict,
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy arrays and containers, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise pickle.UnpicklingError(f'it holds an object of {module}.{name}, which is not loaded')


def read_published(path: str | Path) -> tuple[dict[str, Tensor], list[str] | None]:
    """Reads the weights of a published model and, where the file tells, its class names in the order of its class head.

    Args:
        path: A checkpoint of PyTorch, or a ``.pkl`` of detectron2's model zoo.

    Raises:
        CheckpointError: As :func:`read_checkpoint`.
    """
    if Path(path).suffix == '.pkl' and Path(path).is_file():
        return _read_pickle(Path(path)), None
    checkpoint = read_checkpoint(path)
    meta = checkpoint.get('meta') or {}
    classes = (meta.get('dataset_meta') or {}).get('classes') or meta.get('CLASSES')
    weights = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}  # of DDP
    return weights, None if classes is None else list(classes)


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        with path.open('rb') as file:
            content = _ArraysOnly(file, encoding='latin1').load()
        model = content['model']
        return {name: torch.as_tensor(np.asarray(value)) for name, value in model.items()}
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(
            f"{path}: is no pickle of arrays under 'model', as detectron2 publishes: {error}"
        ) from error
