"""A segmentor ready to predict, from a config and a checkpoint."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from torch import nn

from ..checkpoint import is_remote, label_spaces_of, read_checkpoint
from ..errors import CheckpointError, LabelSpaceError
from ..label_space import LabelSpaces
from ..registry import MODELS


def build_model(config: Config, weights: str | Path | None) -> nn.Module:
    """Build the segmentor of a config and load its weights.

    A model with weights needs neither the pretrained weights of its backbone nor the files its label spaces were read
    from: where those are absent, the label spaces of the checkpoint are used.

    Args:
        config: A whole config.
        weights: Checkpoint file; None leaves the weights random, with a warning.

    Returns:
        The segmentor in evaluation mode, on the CPU, with the config as its ``cfg``.

    Raises:
        CheckpointError: The checkpoint cannot be read or does not fit.
        LabelSpaceError: Label spaces that can be read from nowhere.
    """
    state_dict = _read(weights) if weights is not None else None
    model_config = copy.deepcopy(config.model)
    if state_dict is not None:
        _use_label_spaces_of(state_dict, model_config)
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmseg')):
        model = MODELS.build(model_config)
    model.cfg = config
    if weights is None or state_dict is None:
        print_log('No weights are given: the model predicts at random.', 'current', logging.WARNING)
    else:
        _load(model, state_dict, weights)
    return model.eval()


def load_weights(model: nn.Module, weights: str | Path) -> None:
    """Load a checkpoint into a built segmentor.

    Raises:
        CheckpointError: The checkpoint cannot be read or does not fit.
    """
    _load(model, _read(weights), weights)


def _read(weights: str | Path) -> dict[str, Any]:
    if is_remote(weights):
        raise CheckpointError(f'{weights}: is an address, inference reads local files; download it and give its path')
    state_dict: dict[str, Any] = read_checkpoint(weights)['state_dict']
    return state_dict


def _use_label_spaces_of(state_dict: dict[str, Any], model_config: Any) -> None:
    """Replace label spaces of the config whose files are not here; a union needs those of its members."""
    head: Any = model_config.get('decode_head')
    if not head or 'label_spaces' not in head:
        return
    try:
        LabelSpaces.from_config(head.label_spaces)
    except LabelSpaceError:
        head.label_spaces = list(label_spaces_of(state_dict))


def _load(model: nn.Module, state_dict: dict[str, Any], source: str | Path) -> None:
    try:
        model.load_state_dict(state_dict, strict=False)  # the segmentor itself refuses what does not fit
    except CheckpointError as error:
        raise CheckpointError(f'{source}: {error}') from error
