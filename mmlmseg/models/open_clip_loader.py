"""Opens an open_clip model from a local file or a hub tag, with clear errors."""

from __future__ import annotations

import logging
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import CheckpointError, did_you_mean

_RANDOM_SEED = 0


def model_config(model: str) -> dict[str, Any]:
    """The configuration of an open_clip model, without building it; unknown names are refused."""
    import open_clip

    config = open_clip.get_model_config(model)
    if config is None:
        near = did_you_mean(model, open_clip.list_models())
        raise CheckpointError(f'unknown open_clip model {model!r}.{near} open_clip.list_models() lists all')
    return config


def load_open_clip(model: str, pretrained: str | None) -> nn.Module:
    """Builds an open_clip model on the CPU, in float32.

    Args:
        model: A name that open_clip knows, e.g. ``RN50-quickgelu``.
        pretrained: A local weight file (open_clip's own formats or an OpenAI TorchScript archive), a hub tag of
            open_clip (which downloads), or None for random weights, the same in every process.

    Returns:
        The model, in evaluation mode.

    Raises:
        CheckpointError: On an unknown model or tag, a missing or unfit file, or OpenAI weights in a model without
            QuickGELU.
    """
    import open_clip

    config = model_config(model)
    with _quiet():
        if pretrained is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_RANDOM_SEED)
                return open_clip.create_model(model).eval()
        if Path(pretrained).is_file():
            return _from_file(model, Path(pretrained), bool(config.get('quick_gelu'))).eval()
        _check_tag(model, pretrained, bool(config.get('quick_gelu')))
        try:
            return open_clip.create_model(model, pretrained=pretrained).eval()
        except (RuntimeError, OSError) as error:
            raise CheckpointError(
                f'open_clip could not fetch the weights {pretrained!r} of {model} ({error}); '
                'give a local weight file instead'
            ) from None


def _from_file(model: str, path: Path, quick_gelu: bool) -> nn.Module:
    import open_clip

    torchscript = _is_torchscript(path)
    if torchscript and not quick_gelu:  # only OpenAI published CLIP as TorchScript, and only with QuickGELU
        raise CheckpointError(f'{path}: OpenAI weights need QuickGELU; use the model {model}-quickgelu')
    try:
        if not torchscript:
            return open_clip.create_model(model, pretrained=str(path))
        state = torch.jit.load(str(path), map_location='cpu').state_dict()
        built = open_clip.create_model(model)
        own = built.state_dict()
        built.load_state_dict({k: v.float() for k, v in state.items() if k in own})
        return built
    except (RuntimeError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).strip().split('\n')[0]
        raise CheckpointError(f'{path}: not the weights of open_clip model {model!r} ({reason})') from None


def _check_tag(model: str, tag: str, quick_gelu: bool) -> None:
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    tags = open_clip.list_pretrained_tags_by_model(model)
    if tag not in tags:
        raise CheckpointError(
            f'{tag}: no such weight file, and no published weights of open_clip model {model!r}.'
            f'{did_you_mean(tag, tags)} Published: {", ".join(tags) or "none"}'
        )
    needs_quick_gelu = bool(get_pretrained_cfg(model, tag).get('quick_gelu'))
    if needs_quick_gelu != quick_gelu:
        other = f'{model}-quickgelu' if needs_quick_gelu else model.removesuffix('-quickgelu')
        raise CheckpointError(f'the weights {tag!r} do not fit the activation of {model}; use the model {other}')


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith('constants.pkl') for name in archive.namelist())


@contextmanager
def _quiet() -> Iterator[None]:
    # open_clip warns on the root logger of every model without weights, which here is meant so.
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
