"""Training that keeps each weight, its gradient and what the optimiser knows of it on one of the processes only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from mmengine._strategy import FSDPStrategy as _FSDPStrategy
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.optim import BaseOptimWrapper
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.fsdp._common_utils import FSDP_WRAPPED_MODULE

from ..errors import OptionError
from ..registry import STRATEGIES


@STRATEGIES.register_module()
class FSDPStrategy(_FSDPStrategy):
    """PyTorch's FSDP around the whole model; its checkpoints are those of any other training.

    The model is one unit: all weights are gathered as a step begins, and gradients are scattered as it ends. Units
    within the model would be gathered once for each group of equally padded images, of which ranks have different
    numbers, and would wait for each other for ever.

    What mmengine's own strategy of this name does otherwise (0.10): it clips the gradients of each shard by their own
    norm, its whole checkpoints lack the text rows, it cannot resume the optimiser under torch 2.1 and newer, and it
    needs a GPU.

    Args:
        model_wrapper: Options of mmengine's ``MMFullyShardedDataParallel``, such as ``mixed_precision``.
        **kwargs: Of mmengine's ``DDPStrategy``.

    Raises:
        OptionError: On ``auto_wrap_policy``, and on other forms of checkpoints.
    """

    def __init__(self, *, model_wrapper: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if 'state_dict_cfg' in kwargs:
            raise OptionError(
                'mmlmseg.FSDPStrategy: state_dict_cfg cannot be chosen, checkpoints are whole: leave it out'
            )
        if 'auto_wrap_policy' in (model_wrapper or {}):
            raise OptionError(
                'mmlmseg.FSDPStrategy: model_wrapper.auto_wrap_policy makes units within the model, which ranks gather '
                'as often as they have groups of images, so they would wait for each other for ever: leave it out'
            )
        wrapper = dict(type='MMFullyShardedDataParallel', use_orig_params=True, **(model_wrapper or {}))
        super().__init__(model_wrapper=wrapper, state_dict_cfg='full', **kwargs)
        # On a CPU "offloading" copies nothing, and torch 2.13 gathers one state of the optimiser over the other.
        self.optim_state_dict_config.offload_to_cpu = get_device() != 'cpu'

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        if get_device() == 'cpu':
            self.model_wrapper['device_id'] = torch.device('cpu')
        wrapped: nn.Module = super()._wrap_model(model)
        return wrapped

    def build_optim_wrapper(self, optim_wrapper: Any, model: nn.Module | None = None) -> BaseOptimWrapper:
        """Builds the optimiser of the shards; gradients are clipped by the norm over all of them."""
        wrapper = super().build_optim_wrapper(optim_wrapper, model)
        if getattr(wrapper, 'grad_name', None) == 'grad_norm':
            wrapper.clip_func = partial(_clip_grad_norm, model)
        return wrapper

    def model_state_dict(self) -> dict[str, Any]:
        """The state dict of the whole model on the CPU; all processes have to ask for it."""
        with FullyShardedDataParallel.summon_full_params(self.model, writeback=False):
            return {name: value.detach().cpu().clone() for name, value in self.model.module.state_dict().items()}

    def load_model_state_dict(self, state_dict: dict[str, Any], **kwargs: Any) -> None:
        """Loads a whole state dict, with the guards of :mod:`mmlmseg.checkpoint`."""
        with FullyShardedDataParallel.summon_full_params(self.model):
            super(_FSDPStrategy, self).load_model_state_dict(state_dict, **kwargs)

    def save_checkpoint(self, filename: str, **kwargs: Any) -> None:
        """Saves a checkpoint, whole or not at all; all processes have to ask for it."""
        part = f'{filename}.part'
        super().save_checkpoint(part, **kwargs)
        if is_main_process():
            os.replace(part, filename)

    def optim_state_dict(self) -> dict[str, Any]:
        """The state of the whole optimiser, as one without FSDP has it; on all processes but the first it is empty."""
        state = FullyShardedDataParallel.optim_state_dict(self.model, self.optim_wrapper.optimizer)
        if not state:
            return {}
        number = {name: i for i, name in enumerate(self._names())}
        return _renamed(state, number) | {'base_param_settings': self.optim_wrapper.base_param_settings}

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes of the state of a whole optimiser what belongs to the own shards."""
        optimizer = self.optim_wrapper.optimizer
        named = _renamed(state_dict, dict(enumerate(self._names())))
        own = FullyShardedDataParallel.optim_state_dict_to_load(self.model, optimizer, named)
        self.optim_wrapper.load_state_dict(own | {'base_param_settings': state_dict.get('base_param_settings')})

    def _names(self) -> list[str]:
        """Of the parameters, in the order of the optimiser, which numbers them so."""
        names = {
            parameter: name.replace(f'{FSDP_WRAPPED_MODULE}.', '') for name, parameter in self.model.named_parameters()
        }
        return [
            names[parameter] for group in self.optim_wrapper.optimizer.param_groups for parameter in group['params']
        ]


def _renamed(state: dict[str, Any], names: Mapping[Any, Any]) -> dict[str, Any]:
    """The state dict of an optimiser whose parameters go by other names."""
    groups = [{**group, 'params': [names[old] for old in group['params']]} for group in state['param_groups']]
    return {'state': {names[old]: own for old, own in state['state'].items()}, 'param_groups': groups}


def _clip_grad_norm(model: Any, _parameters: Any, **options: Any) -> torch.Tensor:
    norm: torch.Tensor = model.clip_grad_norm_(**options)
    return norm
