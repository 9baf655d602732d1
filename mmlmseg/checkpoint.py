"""Reading checkpoint files, with errors that name the file and the way out."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from .errors import CheckpointError, did_you_mean

_SUFFIXES = ('.pth', '.pt', '.ckpt')
# What a training state holds beyond weights.
_TRAINING_KEYS = ('meta', 'message_hub', 'optimizer', 'param_schedulers')


def is_remote(path: str | Path) -> bool:
    """Whether a checkpoint is named by address (`https://...`, `torchvision://...`), not by a file of this machine."""
    return re.match(r'[A-Za-z][A-Za-z0-9+.-]+:(//)?', str(path)) is not None and not Path(path).exists()


def check_checkpoint_file(path: str | Path, resume: bool = False) -> None:
    """Check that a checkpoint can be read, before a run spends minutes on building everything else.

    Remote addresses are left to whoever downloads them.

    Args:
        path: The file.
        resume: Whether training is to go on from it, which needs more than weights.

    Raises:
        CheckpointError: If the file is missing, truncated, no checkpoint, unsafe, or lacks the training state.
    """
    if is_remote(path):
        return
    checkpoint = read_checkpoint(path)
    missing = [key for key in _TRAINING_KEYS if key not in checkpoint]
    if resume and missing:
        raise CheckpointError(
            f'{path}: cannot be resumed from, it lacks {", ".join(missing)} (a published one holds weights only); '
            'resume from an iter_*.pth of the training run, or start anew from these weights with load_from'
        )


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a local checkpoint onto the CPU, safely (`weights_only=True`), mapping the weights where the format allows.

    Args:
        path: Written by mmengine's checkpoint hook, by `tools/publish_model.py`, or by `torch.save` of a state dict.

    Returns:
        The checkpoint; a bare state dict comes as `{'state_dict': ...}`.

    Raises:
        CheckpointError: If the file is missing, truncated, no checkpoint, or holds objects unsafe to load.
    """
    path = Path(path)
    _check_presence(path)
    try:
        # Only the present (zip) format can be mapped into memory.
        checkpoint = torch.load(path, map_location='cpu', weights_only=True, mmap=_is_whole_zip(path))
    except UnpicklingError as error:
        unsafe = re.search(r'GLOBAL (\S+) was not an allowed global', str(error))
        if unsafe:
            raise CheckpointError(
                f'{path}: holds an object of {unsafe.group(1)}, which is not loaded since it could run code; if you '
                'trust the file, register it with torch.serialization.add_safe_globals or save the weights alone'
            ) from error
        raise CheckpointError(f'{path}: is not a checkpoint; give one written by training or torch.save') from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise CheckpointError(f'{path}: cannot be read: {_first_line(error)}{_others(path)}') from error
    if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get('state_dict'), Mapping):
        return dict(checkpoint)
    if isinstance(checkpoint, Mapping) and checkpoint and all(isinstance(v, torch.Tensor) for v in checkpoint.values()):
        return {'state_dict': dict(checkpoint)}
    raise CheckpointError(f"{path}: is not a checkpoint: it holds a {type(checkpoint).__name__} without 'state_dict'")


def _check_presence(path: Path) -> None:
    if path.is_dir():
        raise CheckpointError(f'{path}: is a folder; name a checkpoint file in it{_others(path)}')
    if not path.exists():
        if not path.parent.is_dir():
            raise CheckpointError(f'{path}: does not exist, nor does its folder')
        raise CheckpointError(f'{path}: does not exist{_others(path)}.{did_you_mean(path.name, _neighbours(path))}')
    if path.stat().st_size == 0:
        raise CheckpointError(f'{path}: is empty; it was not written to the end{_others(path)}')
    if _starts_as_zip(path) and not zipfile.is_zipfile(path):
        raise CheckpointError(
            f'{path}: is truncated, {path.stat().st_size} bytes are there but not its end (a copy, download or '
            f'training that was cut off?); copy it again or use an earlier one{_others(path)}'
        )


def _starts_as_zip(path: Path) -> bool:
    with path.open('rb') as file:
        return file.read(2) == b'PK'


def _is_whole_zip(path: Path) -> bool:
    return _starts_as_zip(path) and zipfile.is_zipfile(path)


def _neighbours(path: Path) -> list[str]:
    """Other checkpoints in the same folder, the last written first."""
    folder = path if path.is_dir() else path.parent
    files = [file for file in folder.iterdir() if file.suffix in _SUFFIXES and file != path and file.is_file()]
    return [file.name for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)]


def _others(path: Path) -> str:
    names = _neighbours(path)
    return f'; its folder holds {", ".join(names[:5])}{", ..." if len(names) > 5 else ""}' if names else ''


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
