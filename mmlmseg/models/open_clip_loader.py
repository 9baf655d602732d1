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

    try:
        config = open_clip.get_model_config(model)
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f'the configuration of open_clip model {model!r} cannot be read ({str(error).splitlines()[0]}); a folder '
            'needs an open_clip_config.json'
        ) from None
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

    file = fetch(model, pretrained)
    with quiet():
        if file is not None:
            return _from_file(model, file).eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_RANDOM_SEED)
            return open_clip.create_model(model, load_weights=False, pretrained_text=False).eval()


def fetch(model: str, pretrained: str | None) -> Path | None:
    """The weight file of an open_clip model, which is downloaded for a hub tag; None stands for random weights.

    Raises:
        CheckpointError: On an unknown model or tag, a missing file, or OpenAI weights in a model without QuickGELU.
    """
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    check_weights(model, pretrained)
    if pretrained is None:
        return _own_weights(model)
    if Path(pretrained).is_file():
        return Path(pretrained)
    with quiet(), _fetching(pretrained, model):
        return Path(download_pretrained(get_pretrained_cfg(model, pretrained)))


def check_weights(model: str, pretrained: str | None) -> None:
    """Raises what :func:`fetch` does, as far as it is known without fetching."""
    quick_gelu = bool(model_config(model).get('quick_gelu'))
    if pretrained is None:
        return
    if not Path(pretrained).is_file():
        _check_tag(model, pretrained, quick_gelu)
    elif is_torchscript(Path(pretrained)) and not quick_gelu:  # only OpenAI published TorchScript, with QuickGELU
        raise CheckpointError(f'{pretrained}: OpenAI weights need QuickGELU; use the model {model}-quickgelu')


def _own_weights(model: str) -> Path | None:
    """The weights that lie beside the configuration of a model that is a folder or a repository of the hub."""
    from open_clip.factory import _find_checkpoint_in_dir, parse_model_name
    from open_clip.pretrained import download_pretrained_from_hf

    scheme, place = parse_model_name(model)
    if scheme == 'hf-hub':
        with _fetching(place, model):
            return Path(download_pretrained_from_hf(place))
    if scheme != 'local-dir':
        return None
    with quiet():
        found = _find_checkpoint_in_dir(Path(place))
    if found is None:
        raise CheckpointError(f'{place}: holds no weights of open_clip; put them there, or give a weight file')
    return Path(found)


@contextmanager
def _fetching(weights: str, model: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise CheckpointError(
            f'open_clip could not fetch the weights {weights!r} of {model} ({error}); give a local weight file instead'
        ) from None


def _from_file(model: str, path: Path) -> nn.Module:
    import open_clip

    try:
        built = open_clip.create_model(model, load_weights=False, pretrained_text=False)
        if not is_torchscript(path):
            open_clip.load_checkpoint(built, str(path))
            return built
        state = torch.jit.load(str(path), map_location='cpu').state_dict()
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
    other = f'{model}-quickgelu' if needs_quick_gelu else model.removesuffix('-quickgelu')
    # A model without such a twin is built for its weights, though their tag says nothing of it: roberta-ViT-B-32.
    if needs_quick_gelu != quick_gelu and other != model:
        raise CheckpointError(f'the weights {tag!r} do not fit the activation of {model}; use the model {other}')


def is_torchscript(path: Path) -> bool:
    """Whether a file is an archive of TorchScript, as OpenAI published CLIP."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith('constants.pkl') for name in archive.namelist())


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warning that open_clip gives of every model without weights, which here are meant so."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
