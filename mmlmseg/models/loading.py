"""Guards for loading a checkpoint: mmengine only warns where weights stay random, this raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..errors import CheckpointError
from ..label_space import LabelSpaces
from .packing import unpack

EXTRA_STATE = '_extra_state'
_WAY_OUT = (
    'Load it with the config it was trained with; to start another model from its backbone only, give the backbone an '
    "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')"
)


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
    saved = LabelSpaces.from_list(unpack(state)['label_spaces'])
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
            return LabelSpaces.from_list(unpack(value)['label_spaces'])
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
