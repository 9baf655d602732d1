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

from ..checkpoint_files import is_remote, read_checkpoint
from ..config import complete_label_spaces
from ..errors import CheckpointError
from ..registry import MODELS


def build_model(config: Config, weights: str | Path | None) -> nn.Module:
    """Builds the segmentor of a config and loads its weights.

    A model with weights needs neither the pretrained weights of its backbone nor the datasets that its label spaces
    come from: the checkpoint holds them.

    Args:
        config: A whole config.
        weights: Checkpoint file; None leaves the weights random, with a warning.

    Returns:
        The segmentor in evaluation mode, on the CPU, with the config as its ``cfg``.

    Raises:
        CheckpointError: The checkpoint cannot be read or does not fit.
        LabelSpaceError: Label spaces that can be read from nowhere.
    """
    state_dict = None if weights is None else _read(weights)
    complete = copy.deepcopy(config)
    complete_label_spaces(complete, state_dict)
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmseg')):
        model = MODELS.build(complete.model)
        model.cfg = complete  # a copy: the model puts its test pipeline where mmseg looks for one
    if state_dict is None:
        print_log('No weights are given: the model predicts at random.', 'current', logging.WARNING)
    else:
        _load(model, state_dict, weights)
    return model.eval()


def load_weights(model: nn.Module, weights: str | Path) -> None:
    """Loads a checkpoint into a built segmentor; a CheckpointError where it cannot be read or does not fit."""
    _load(model, _read(weights), weights)


def _read(weights: str | Path) -> dict[str, Any]:
    if is_remote(weights):
        raise CheckpointError(f'{weights}: is an address, inference reads local files; download it and give its path')
    return read_checkpoint(weights)['state_dict']


def _load(model: nn.Module, state_dict: dict[str, Any], source: str | Path | None) -> None:
    try:
        model.load_state_dict(state_dict, strict=False)  # the segmentor itself refuses what does not fit
    except CheckpointError as error:
        raise CheckpointError(f'{source}: {error}') from error
