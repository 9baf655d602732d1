"""Weights of timm models: from local files, in timm's layout or that of the authors, and from timm's hub."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...checkpoint_files import read_checkpoint
from ...errors import CheckpointError, did_you_mean
from ..pretrained import Fit


def tags_of(name: str) -> list[str]:
    """The tags of the published weights of a timm model.

    Example:
        >>> tags_of('vit_small_patch14_dinov2')
        ['lvd142m']
    """
    import timm

    full = timm.list_pretrained(f'{name}.*')
    return [other.partition('.')[2] for other in full]


def load_timm_weights(model: nn.Module, name: str, pretrained: str) -> None:
    """Loads weights into a timm model, of which parts behind its maps may be missing.

    Args:
        model: Changed in place.
        name: Of its architecture.
        pretrained: A local file, or a tag.

    Raises:
        CheckpointError: On a file or a tag that there is not, and on weights that lack a tensor of the model, or have
            it in another shape.
    """
    if Path(pretrained).is_file():
        load_state_dict(model, read_weights(pretrained), f'timm model {name}', pretrained)
        return
    tags = tags_of(name)
    if pretrained not in tags:
        raise CheckpointError(
            f'{pretrained}: no such weight file, and no published weights of timm model {name!r}.'
            f'{did_you_mean(pretrained, tags)} Published: {", ".join(tags) or "none"}'
        )
    import timm

    try:
        published = timm.create_model(f'{name}.{pretrained}', pretrained=True, num_classes=0)
    except Exception as error:  # of any of the libraries that download
        raise CheckpointError(
            f'timm could not fetch the weights {pretrained!r} of {name} ({error}); give a local weight file instead'
        ) from None
    load_state_dict(model, published.state_dict(), f'timm model {name}', f'the weights {pretrained!r}')


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a weight file of torch or safetensors, read safely.

    Raises:
        CheckpointError: Where it is none.
    """
    if Path(path).suffix != '.safetensors':
        return dict(read_checkpoint(path)['state_dict'])
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f'{path}: not a whole safetensors file ({error}); fetch it again') from None


def load_state_dict(model: nn.Module, tensors: Mapping[str, Tensor], where: str, source: str) -> None:
    """Loads all tensors of a timm model, with what timm knows of other layouts, sizes and names.

    Raises:
        CheckpointError: Where one is missing, or of another shape.
    """
    converted = _converted(model, tensors)
    fit = Fit.of(model, converted)
    fit.require(where, source)
    try:
        missing = model.load_state_dict(converted, strict=False).missing_keys  # stems are made of what is there
    except RuntimeError:
        key = fit.other_shape[0]
        raise CheckpointError(
            f'{where}: {len(fit.other_shape)} tensors of {source} are of another shape, such as {key}, '
            f'{fit.given[key]} there and {fit.wanted[key]} here; it is of another model, or options change this one'
        ) from None
    if missing:
        raise CheckpointError(
            f'{where}: {len(missing)} of {len(fit.wanted)} tensors are not in {source}, such as {missing[0]}; it is '
            'of another model'
        )


def _converted(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under timm's names, with positions and patches of the model's size."""
    convert: Any = getattr(sys.modules[type(model).__module__], 'checkpoint_filter_fn', None)
    if convert is None:
        return dict(tensors)
    try:
        return dict(convert(dict(tensors), model))
    except (KeyError, AttributeError, RuntimeError, AssertionError, ValueError):  # of another model; Fit says of which
        return dict(tensors)
