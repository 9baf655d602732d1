"""A segmentor ready to predict, from a config and a checkpoint."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from torch import nn

from ..errors import CheckpointError, LabelSpaceError
from ..label_space import LabelSpaces
from ..models.loading import label_spaces_of
from ..registry import MODELS


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the weights of a checkpoint; never runs code that a file may hold.

    Args:
        path: Local file.

    Returns:
        Its state dict.

    Raises:
        CheckpointError: Missing, truncated or not a checkpoint; names the file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(f'{path}: no such checkpoint file.')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # zip, pickle and torch each have errors of their own
        raise CheckpointError(
            f'{path}: cannot be read as a checkpoint ({type(error).__name__}: {str(error).splitlines()[0]}). '
            'It may be truncated: compare its size with the original.'
        ) from error
    state_dict = content.get('state_dict', content) if isinstance(content, dict) else None
    if not isinstance(state_dict, dict) or not state_dict:
        raise CheckpointError(f'{path}: holds no state_dict. Is it a checkpoint of mmlmseg?')
    return state_dict


def build_model(config: Config, weights: str | Path | None) -> nn.Module:
    """Build the segmentor of a config and load its weights.

    A model with weights needs neither the pretrained weights of its backbone nor the files its label spaces were read
    from: where those are absent, the label spaces of the checkpoint are used.

    Args:
        config: A whole config.
        weights: Checkpoint file; None leaves the weights random, with a warning.

    Returns:
        The segmentor in evaluation mode, on the CPU.

    Raises:
        CheckpointError: The checkpoint cannot be read or does not fit.
        LabelSpaceError: Label spaces that can be read from nowhere.
    """
    state_dict = read_checkpoint(weights) if weights is not None else None
    model_config = copy.deepcopy(config.model)
    if state_dict is not None:
        _use_label_spaces_of(state_dict, model_config)
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmseg')):
        model = MODELS.build(model_config)
    if state_dict is None:
        print_log('No weights are given: the model predicts at random.', 'current', logging.WARNING)
    else:
        _load(model, state_dict, weights)
    return model.eval()


def _use_label_spaces_of(state_dict: dict[str, Any], model_config: Any) -> None:
    """Replace label spaces of the config whose files are not here."""
    head: Any = model_config.get('decode_head')
    if not head or 'label_spaces' not in head:
        return
    try:
        LabelSpaces.from_config(head.label_spaces)
    except LabelSpaceError:
        head.label_spaces = list(label_spaces_of(state_dict))


def _load(model: nn.Module, state_dict: dict[str, Any], source: str | Path | None) -> None:
    try:  # the segmentor itself checks for missing weights
        surplus = model.load_state_dict(state_dict, strict=False).unexpected_keys
    except CheckpointError as error:
        raise CheckpointError(f'{source}: {error}') from error
    if surplus:
        raise CheckpointError(
            f'{source}: holds {len(surplus)} weights that the model of the config lacks, as {", ".join(surplus[:3])}. '
            'Load it with the config it was trained with.'
        )
