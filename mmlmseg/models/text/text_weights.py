"""Opens the text side of an open_clip model alone: of a weight file only the text is read, no image tower is built."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CheckpointError
from ..open_clip_loader import fetch, is_torchscript, load_open_clip, quiet
from .text_side import TextSide

UNREADABLE = (RuntimeError, OSError, ValueError, KeyError, EOFError, pickle.UnpicklingError)
"""What comes of files that hold something else."""

# The parts of a text transformer, in models that do not keep it apart as `text`.
_PARTS = ('positional_embedding', 'token_embedding', 'transformer', 'ln_final', 'text_projection')


def load_text(side: TextSide, pretrained: str | None) -> Any:
    """Builds a text side on the CPU, in float32.

    Args:
        side: What it is.
        pretrained: A local weight file, a hub tag of open_clip (which downloads), or None: for the weights beside the
            configuration where the model is a folder, else for random ones, which are those of the whole model.

    Returns:
        open_clip's ``TextTransformer`` or ``HFTextEncoder``, in evaluation mode.

    Raises:
        CheckpointError: On a missing or unfit file, an unknown tag, or OpenAI weights in a model without QuickGELU.
    """
    file = fetch(side.model, pretrained)
    with quiet():
        text = build_text(side)
        if file is None:
            _fill(text, _of_whole_model(side, None))
            return text.eval()
        try:
            _fill(text, _of_file(side, file))
        except UNREADABLE as error:
            raise unfit(file, f'open_clip model {side.model!r}', error) from None
    return text.eval()


def build_text(side: TextSide) -> nn.Module:
    """The text side of a model with weights that say nothing yet."""
    from open_clip.model import _build_text_tower  # its constructor of both classes

    side.config.hf_model_pretrained = False
    width = None if side.config.proj_type == 'none' and side.kind != 'hugging face' else side.width
    return _build_text_tower(width, side.config, side.quick_gelu)


def read_weights(file: Path, names: Callable[[Iterable[str]], dict[str, str]]) -> dict[str, Tensor]:
    """Some of the weights in a file of open_clip's, OpenAI's or PyTorch's; of the others nothing is read.

    Args:
        file: ``.safetensors``, or of ``torch.save`` or TorchScript.
        names: From the names in the file to those of the weights that are wanted: what each is to be called, and is.
    """
    if file.suffix == '.safetensors':
        from safetensors import safe_open

        with safe_open(str(file), framework='pt') as opened:
            return {own: opened.get_tensor(name) for own, name in names(opened.keys()).items()}
    if is_torchscript(file):
        return _named(torch.jit.load(str(file), map_location='cpu').state_dict(), names)
    try:
        state = torch.load(file, map_location='cpu', weights_only=True, mmap=True)
    except RuntimeError:  # in the format of PyTorch before 1.6
        state = torch.load(file, map_location='cpu', weights_only=True)
    if not isinstance(state, dict):
        raise ValueError(f'it holds {type(state).__name__}, no weights by name')
    return _named(state.get('state_dict', state), names)


def text_names(names: Iterable[str]) -> dict[str, str]:
    """Which weights of a model are those of its text: what they are called there, and in the model.

    Example:
        >>> text_names(['visual.proj', 'ln_final.bias', 'logit_scale'])
        {'ln_final.bias': 'ln_final.bias'}
        >>> text_names(['module.text.ln_final.bias', 'module.text_decoder.ln_final.bias'])
        {'ln_final.bias': 'module.text.ln_final.bias'}
    """
    plain = {name.removeprefix('module.'): name for name in names}
    apart = {name.removeprefix('text.'): full for name, full in plain.items() if name.startswith('text.')}
    return apart or {name: full for name, full in plain.items() if name.split('.')[0] in _PARTS}


def _named(state: Mapping[str, Tensor], names: Callable[[Iterable[str]], dict[str, str]]) -> dict[str, Tensor]:
    return {own: state[name] for own, name in names(state).items()}


def _of_file(side: TextSide, file: Path) -> dict[str, Tensor]:
    own = {} if file.suffix in ('.npz', '.npy') else read_weights(file, text_names)
    return own or _of_whole_model(side, str(file))


def _of_whole_model(side: TextSide, pretrained: str | None) -> dict[str, Tensor]:
    # Random numbers are drawn for the image tower first, and other people's formats are converted as a whole.
    return _named(load_open_clip(side.model, pretrained).state_dict(), text_names)


def _fill(text: nn.Module, weights: dict[str, Tensor]) -> None:
    from open_clip.model import resize_text_pos_embed

    own = text.state_dict()
    weights = {name: tensor.float() for name, tensor in weights.items() if not name.endswith('.position_ids')}
    weights |= {name: tensor for name, tensor in own.items() if name.endswith('.position_ids')}  # a count, no weight
    position = 'positional_embedding'
    if position in weights and position in own and weights[position].shape[-1] == own[position].shape[-1]:
        resize_text_pos_embed(weights, text)  # as open_clip does for another length of context
    text.load_state_dict(weights)


def unfit(file: Path, model: str, error: Exception) -> Exception:
    """The error of a file that does not hold the weights of a model; one that says so already stays as it is."""
    if isinstance(error, CheckpointError):
        return error
    reason = ' '.join(str(error).split())  # PyTorch says in its second line what does not fit
    return CheckpointError(f'{file}: not the weights of {model} ({reason[:200]})')
