"""An optimiser with few groups of parameters, so that torch updates many at once."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIMIZERS
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import CheckpointError, OptionError
from ..models.backbones.frozen import FreezableBackbone
from ..registry import OPTIM_WRAPPER_CONSTRUCTORS
from .layer_depth import learning_rate_scales, unwrapped_name

_KERNELS = ('fused', 'foreach', 'capturable', 'differentiable')  # options that choose how torch takes a step


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedGroupsConstructor(DefaultOptimWrapperConstructor):
    """mmengine's default constructor, but parameters of equal options share a group.

    With a ``paramwise_cfg`` mmengine makes a group of each parameter (LMSeg R50: 234), and torch, which batches within
    a group, updates one after the other. The groups stand in the order of their first parameters, as do the parameters
    in each. Where torch has a fused kernel for the optimiser on the device of the parameters, it is used, unless the
    config itself sets ``fused``, ``foreach``, ``capturable`` or ``differentiable``. Arguments and ``paramwise_cfg`` are
    those of mmengine's DefaultOptimWrapperConstructor; its keys also match parameters that FSDP has wrapped.

    ``paramwise_cfg=dict(layer_decay=0.8)`` lets the layers of the backbone learn the slower the deeper they lie below
    the head, see :func:`learning_rate_scales`; it multiplies what ``custom_keys`` say. Frozen backbones are left out.

    Raises:
        CheckpointError: As a training is resumed from a checkpoint whose optimiser has other groups.
        OptionError: On a ``layer_decay`` that is no fraction, or of a backbone whose layers are unknown.
    """

    optimizer_cfg: dict[str, Any]
    paramwise_cfg: dict[str, Any]
    base_lr: float

    def add_params(
        self, params: list[dict[str, Any]], module: nn.Module, prefix: str = '', is_dcn_module: int | None = None
    ) -> None:
        """Adds the groups of a module to ``params``; merges them where the module is the whole model."""
        if isinstance(module, FreezableBackbone) and module.frozen:
            return
        place = unwrapped_name(prefix)
        super().add_params(params, module, place, is_dcn_module)
        if not place:
            if self.paramwise_cfg.get('layer_decay') is not None:
                self._decay(params, module, self.paramwise_cfg['layer_decay'])
            params[:] = merged_groups(params)

    def _decay(self, groups: list[dict[str, Any]], model: nn.Module, decay: float) -> None:
        """Scales the learning rates of the groups, one a parameter, by the depth of their parameters."""
        if not isinstance(decay, (int, float)) or not 0 < decay <= 1:
            raise OptionError(
                f'optim_wrapper.paramwise_cfg.layer_decay = {decay!r}; give a fraction such as 0.8, above 0 and at '
                'most 1'
            )
        scales = learning_rate_scales(model, decay)
        names = {parameter: unwrapped_name(name) for name, parameter in model.named_parameters()}
        for group in groups:
            (parameter,) = group['params']
            if (scale := scales.get(names[parameter])) is not None:
                group['lr'] = group.get('lr', self.base_lr) * scale

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Builds the optimiser of a model, in its wrapper."""
        kind = self.optimizer_cfg['type']
        kind = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not any(option in self.optimizer_cfg for option in _KERNELS) and has_fused_kernel(kind, trained):
            self.optimizer_cfg = {**self.optimizer_cfg, 'fused': True}
        wrapper: OptimWrapper = super().__call__(model)
        wrapper.optimizer.register_load_state_dict_pre_hook(check_groups)
        return wrapper


def merged_groups(groups: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Joins groups of parameters whose other options are equal.

    Example:
        >>> merged_groups([dict(params=['a'], lr=1), dict(params=['b']), dict(params=['c'], lr=1)])
        [{'lr': 1, 'params': ['a', 'c']}, {'params': ['b']}]
    """
    merged: list[tuple[dict[str, Any], list[Any]]] = []
    for group in groups:
        options = {key: value for key, value in group.items() if key != 'params'}
        members = next((own for other, own in merged if other == options), None)
        if members is None:
            merged.append((options, members := []))
        members.extend(group['params'])
    return [{**options, 'params': members} for options, members in merged]


def has_fused_kernel(kind: type[Optimizer], parameters: Iterable[Tensor]) -> bool:
    """Whether the installed torch steps such parameters by a fused kernel: a step of a stand-in of each kind tells."""
    if 'fused' not in inspect.signature(kind).parameters:
        return False
    for device, dtype in {(parameter.device, parameter.dtype) for parameter in parameters}:
        stand_in = torch.zeros(1, device=device, dtype=dtype, requires_grad=True)
        stand_in.grad = torch.zeros_like(stand_in)
        try:
            kind([stand_in], fused=True).step()  # type: ignore[call-arg]
        except (RuntimeError, NotImplementedError):
            return False
    return True


def check_groups(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Raises a CheckpointError where the state of an optimiser has other groups of parameters than the optimiser."""
    own, theirs = ([len(g['params']) for g in groups] for groups in (optimizer.param_groups, saved['param_groups']))
    if own == theirs:
        return
    way_out = 'start anew from its weights with load_from'
    if len(theirs) == sum(own):
        way_out = 'go on as it began with --cfg-options optim_wrapper.constructor=DefaultOptimWrapperConstructor'
    raise CheckpointError(
        f'the optimiser in the checkpoint has {len(theirs)} groups of {sum(theirs)} parameters, that of the config '
        f'{len(own)} of {sum(own)} (optim_wrapper.constructor, paramwise_cfg, or what is trained differ); {way_out}'
    )
