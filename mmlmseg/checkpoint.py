"""Checkpoints: reading their files, what they hold beside weights, and the guards that loading passes.

Plain data stands among the weights as a tensor. Everything that walks over a state dict lets a tensor be: safe loading,
moving to a device, the broadcast with which distributed training starts, averaging of weights.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from .errors import CheckpointError, did_you_mean
from .label_space import LabelSpaces

_SUFFIXES = ('.pth', '.pt', '.ckpt')
EXTRA_STATE = '_extra_state'
_WAY_OUT = (
    'Load it with the config it was trained with; to start another model from its backbone only, give the backbone an '
    "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')"
)
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


def pack(data: Any) -> Tensor:
    """Packs what JSON can hold.

    Returns:
        The bytes of the JSON text, uint8.

    Example:
        >>> unpack(pack({'names': ['sky']}))
        {'names': ['sky']}
    """
    return torch.frombuffer(bytearray(json.dumps(data).encode()), dtype=torch.uint8).clone()


def unpack(packed: Tensor) -> Any:
    """The inverse of :func:`pack`.

    Raises:
        CheckpointError: Where the tensor holds something else.
    """
    try:
        return json.loads(bytes(packed.cpu().tolist()).decode())
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f'a text packed into the checkpoint cannot be read: {error}') from None


def difference(there: Sequence[str], here: Sequence[str]) -> str:
    """Says where two class lists differ; an empty string where they do not.

    Example:
        >>> difference(['sky', 'car'], ['sky', 'road'])
        "id 1: 'car' there, 'road' here"
    """
    pairs = [f'id {i}: {a!r} there, {b!r} here' for i, (a, b) in enumerate(zip(there, here)) if a != b]
    if not pairs and len(there) != len(here):
        return f'{len(there)} classes there, {len(here)} here'
    return '; '.join(pairs[:3])


def check_label_spaces(
    own: LabelSpaces, state_dict: Mapping[str, Any], prefix: str, added: Sequence[str] = ()
) -> LabelSpaces:
    """Compares a model's label spaces with those of a checkpoint.

    Args:
        own: The model's.
        state_dict: The checkpoint's.
        prefix: Where the head stands in it, with the final dot.
        added: Names of the last spaces, which the checkpoint may lack, all together.

    Returns:
        Those of the checkpoint.

    Raises:
        CheckpointError: Where the checkpoint has none, or others; the difference is named.
    """
    state = state_dict.get(prefix + EXTRA_STATE)
    if state is None:
        raise CheckpointError(f'the checkpoint holds no label spaces: it is not of an mmlmseg model. {_WAY_OUT}')
    saved = LabelSpaces.from_config(unpack(state)['label_spaces'])
    if saved.names not in (own.names, own.names[: len(own) - len(added)]):
        adds = f', which adds {", ".join(added)} to a model of exactly the others' if added else ''
        raise CheckpointError(
            f'the checkpoint was trained on the label spaces {", ".join(saved.names)}, '
            f'the config has {", ".join(own.names)}{adds}. {_WAY_OUT}'
        )
    for mine, theirs in zip(own, saved):
        if what := difference(theirs.classes, mine.classes):
            raise CheckpointError(
                f'label space {mine.name!r} differs between checkpoint and config ({what}). {_WAY_OUT}'
            )
    return saved


def label_spaces_of(state_dict: Mapping[str, Any]) -> LabelSpaces:
    """Reads the label spaces that a model was trained on.

    Args:
        state_dict: Of a segmentor, from a checkpoint.

    Raises:
        CheckpointError: Where it holds none.
    """
    for key, value in state_dict.items():
        if key.endswith('decode_head.' + EXTRA_STATE):
            return LabelSpaces.from_config(unpack(value)['label_spaces'])
    raise CheckpointError('the checkpoint holds no label spaces: it is not of an mmlmseg model')


def check_complete(module: nn.Module, state_dict: Mapping[str, Any], prefix: str) -> None:
    """Checks that a checkpoint holds every parameter and buffer of a module, in its shape, and nothing beside.

    Args:
        module: What will be loaded.
        state_dict: The checkpoint's.
        prefix: Where the module stands in it.

    Raises:
        CheckpointError: Naming the first few keys that are missing, surplus or of another shape.
    """
    faults = []
    wanted = _persistent_tensors(module)
    for key, tensor in wanted:
        saved = state_dict.get(prefix + key)
        if saved is None:
            faults.append(f'{key} is missing')
        elif saved.shape != tensor.shape:
            faults.append(f'{key} has shape {tuple(saved.shape)}, the model {tuple(tensor.shape)}')
    known = {prefix + key for key, _ in wanted}
    surplus = [key for key in state_dict if key.startswith(prefix) and key not in known]
    faults += [f'{key} is not of this model' for key in surplus if not key.endswith(EXTRA_STATE)]
    if faults:
        more = f' and {len(faults) - 5} more' if len(faults) > 5 else ''
        raise CheckpointError(f'the checkpoint does not fit the model: {"; ".join(faults[:5])}{more}. {_WAY_OUT}')


def _persistent_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    tensors: list[tuple[str, Tensor]] = list(module.named_parameters())
    for name, child in module.named_modules():
        dot = f'{name}.' if name else ''
        kept = set(child._buffers) - child._non_persistent_buffers_set
        tensors += [(dot + key, b) for key, b in child._buffers.items() if key in kept and b is not None]
    return tensors
