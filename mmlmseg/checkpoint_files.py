"""Files of checkpoints: found, read without running code, and refused where they are not whole."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from .errors import CheckpointError, did_you_mean, first_of, nearest

_SUFFIXES = ('.pth', '.pt', '.ckpt')
# How the names of tensors end that are never of integers.
_FLOATS = ('weight', 'bias', 'running_mean', 'running_var')
# What a training state holds beyond weights.
_TRAINING_KEYS = ('meta', 'message_hub', 'optimizer', 'param_schedulers')


def is_remote(path: str | Path) -> bool:
    """Whether a checkpoint is named by address (`https://...`, `torchvision://...`), not by a file of this machine."""
    return re.match(r'[A-Za-z][A-Za-z0-9+.-]+:(//)?', str(path)) is not None and not Path(path).exists()


def check_checkpoint_file(path: str | Path, resume: bool = False) -> None:
    """Check that a checkpoint can be read, before a run spends minutes on building everything else.

    To resume a training it has to hold more than weights. Remote addresses are left to whoever downloads them.

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
    if resume:
        _check_values(Path(path), dict(_tensors('optimizer', checkpoint['optimizer'])))


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a local checkpoint onto the CPU, safely (`weights_only=True`), mapping the weights where the format allows.

    Args:
        path: Written by mmengine's checkpoint hook, by `tools/publish_model.py`, or by `torch.save` of a state dict,
            which comes as `{'state_dict': ...}`.

    Raises:
        CheckpointError: If the file is missing, truncated or damaged, no checkpoint, holds objects unsafe to load, or
            weights that are no numbers to compute with: NaN, infinite, or integers.
    """
    checkpoint = load_safely(path, mmap=True)
    if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get('model'), Mapping):  # as detectron2 saves it
        checkpoint = {'state_dict': checkpoint['model']}
    if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get('state_dict'), Mapping):
        return dict(checkpoint)
    if isinstance(checkpoint, Mapping) and checkpoint and all(isinstance(v, torch.Tensor) for v in checkpoint.values()):
        return {'state_dict': dict(checkpoint)}
    raise CheckpointError(f"{path}: is not a checkpoint: it holds a {type(checkpoint).__name__} without 'state_dict'")


def load_safely(path: str | Path, map_location: Any = 'cpu', mmap: bool = False) -> Any:
    """What `torch.save` wrote into a local file, whatever it is; for errors see :func:`read_checkpoint`.

    With ``mmap`` tensors stay in the file until they are read, where its format allows.
    """
    path = Path(path).expanduser()
    _check_presence(path)
    _check_parts(path)
    try:
        checkpoint = torch.load(path, map_location, weights_only=True, mmap=mmap and _starts_as_zip(path))
    except UnpicklingError as error:
        unsafe = re.search(r'GLOBAL (\S+) was not an allowed global', str(error))
        if unsafe:
            raise CheckpointError(
                f'{path}: holds an object of {unsafe.group(1)}, which is not loaded since it could run code; if you '
                'trust the file, register it with torch.serialization.add_safe_globals or save the weights alone'
            ) from error
        way = 'give one written by training or torch.save'
        if path.suffix == '.pkl':
            way = "one of detectron2's model zoo goes through tools/convert_checkpoint.py first"
        raise CheckpointError(f'{path}: is not a checkpoint; {way}') from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise CheckpointError(f'{path}: cannot be read: {_first_line(error)}{_others(path)}') from error
    if isinstance(checkpoint, Mapping):
        for weights in (checkpoint, checkpoint.get('state_dict'), checkpoint.get('model')):
            _check_values(path, weights if isinstance(weights, Mapping) else {})
    return checkpoint


def newest_checkpoint(folder: str | Path) -> Path | None:
    """The checkpoint that a training in a folder goes on from; None where there is none.

    It is the one that ``last_checkpoint`` names, in this folder also where it was copied or moved from another. Where
    that file is empty, or what it names is gone or damaged, it is the newest whole one, and a line says so.
    """
    folder = Path(folder)
    listed = folder / 'last_checkpoint'
    named = Path(listed.read_text(encoding='utf-8').strip() or '.') if listed.is_file() else None
    # The name first: what it says of the folder may be of another machine, or of the original of a copy.
    candidates = [] if named is None or not named.name else [folder / named.name, named]
    found = [path for path in folder.glob('*.pth') if re.fullmatch(r'(iter|epoch)_\d+', path.stem)]
    candidates += sorted(found, key=lambda path: int(path.stem.rpartition('_')[2]), reverse=True)
    faults = []
    for path in dict.fromkeys(candidates):
        if not path.is_file():
            continue
        try:
            check_checkpoint_file(path, resume=True)
        except CheckpointError as error:
            faults.append(str(error))
            continue
        if named is not None and path.name != named.name:
            why = faults[0] if faults else f'{listed} names {str(named)!r}'
            print(f'going on from {path.name}, the newest whole checkpoint of {folder}: {why}')
        return path
    if faults:
        raise CheckpointError(f'{folder}: holds no checkpoint that can be resumed from: {faults[0]}')
    return None


def _check_presence(path: Path) -> None:
    if path.is_dir():
        raise CheckpointError(f'{path}: is a folder; name a checkpoint file in it{_others(path)}')
    if not path.exists():
        if not path.parent.is_dir():
            raise CheckpointError(f'{path}: does not exist, nor does its folder{_beside(path.parent)}')
        where = _others(path) or _beside(path.parent)
        raise CheckpointError(f'{path}: does not exist{where}.{did_you_mean(path.name, _neighbours(path))}')
    if path.stat().st_size == 0:
        raise CheckpointError(f'{path}: is empty; it was not written to the end{_others(path)}')
    if _starts_as_zip(path) and not zipfile.is_zipfile(path):
        raise CheckpointError(
            f'{path}: is truncated, {path.stat().st_size} bytes are there but not its end (a copy, download or '
            f'training that was cut off?); copy it again or use an earlier one{_others(path)}'
        )


def _check_parts(path: Path) -> None:
    """Compares the parts of a file with their check sums, which torch does not."""
    if not _starts_as_zip(path):
        return
    try:
        with zipfile.ZipFile(path) as file:
            part = file.testzip()
    except (zipfile.BadZipFile, OSError, zlib.error) as error:
        part = _first_line(error)
    if part:
        raise CheckpointError(f'{path}: is damaged ({part} is not what was written); copy it again{_others(path)}')


def _check_values(path: Path, weights: Mapping[str, Any]) -> None:
    """Refuses weights that a model cannot compute with."""
    for name, value in weights.items():
        if not isinstance(value, Tensor) or not value.numel():
            continue
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(
                f'{path}: {name} holds NaN or infinite numbers, as of a training that diverged; use an earlier '
                f'checkpoint{_others(path)}'
            )
        if not value.is_floating_point() and name.rpartition('.')[2] in _FLOATS:
            raise CheckpointError(
                f'{path}: {name} is of {value.dtype}, but weights are floating-point numbers: a quantised or converted '
                'file cannot be loaded, give the one that it was made from'
            )


def _tensors(name: str, state: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested mappings by their place, ``optimizer.state.3.exp_avg``."""
    if isinstance(state, Tensor):
        yield name, state
    elif isinstance(state, Mapping):
        for key, inner in state.items():
            yield from _tensors(f'{name}.{key}', inner)


def _starts_as_zip(path: Path) -> bool:
    with path.open('rb') as file:
        return file.read(2) == b'PK'


def _neighbours(path: Path) -> list[str]:
    """Other checkpoints in the same folder, the last written first."""
    folder = path if path.is_dir() else path.parent
    files = [file for file in folder.iterdir() if file.suffix in _SUFFIXES and file != path and file.is_file()]
    return [file.name for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)]


def _others(path: Path) -> str:
    names = _neighbours(path)
    return f'; its folder holds {first_of(names)}' if names else ''


def _beside(folder: Path) -> str:
    """The last checkpoint of a folder of a like name: trainings of another length or other datasets are elsewhere."""
    like = nearest(folder.name, sorted({file.parent.name for file in folder.parent.glob('*/*.pth')} - {folder.name}), 1)
    files = _neighbours(folder.parent / like[0]) if like else []
    return f'; a training in {folder.parent / like[0]} wrote {files[0]}' if files else ''


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
