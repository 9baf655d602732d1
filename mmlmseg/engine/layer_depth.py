"""How deep in a backbone each parameter lies: what layer-wise decay of learning rates goes by."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..errors import OptionError

_WRAPPED = '_fsdp_wrapped_module'  # what FSDP puts between the names of a module and of its children
# Names of mmseg, mmdet, mmpretrain and open_clip, in the form of timm's: groups in the order of what they match.
_LAST = (99999,)  # goes with the block before it
_BY_NAME: dict[str, Any] = dict(
    stem=r'^(?:model\.|visual\.)?(?:cls_token|mask_token|dist_token|reg_token|pos_embed|patch_embed|absolute_pos|'
    r'class_embedding|positional_embedding|ln_pre|pre_norm|conv[123]\.|bn[123]\.|stem|downsample_layers\.0)',
    blocks=[
        (r'^downsample_layers\.(\d+)\.', (-1,)),  # of ConvNeXt: before the blocks of its stage
        (r'^(?:visual\.)?layer(\d+)\.(\d+)\.', None),  # ResNet
        (r'^stages\.(\d+)\.blocks\.(\d+)\.', None),  # Swin
        (r'^stages\.(\d+)\.downsample\.', (99998,)),  # of Swin: behind the blocks of its stage
        (r'^stages\.(\d+)\.(\d+)\.', None),  # ConvNeXt
        (r'^layers\.(\d+)\.', None),  # vision transformers
        (r'^model\.transformer\.resblocks\.(\d+)\.', None),  # those of open_clip
        (r'^(?:model\.)?(?:norm|ln|final_norm)', _LAST),
    ],
)


def unwrapped_name(name: str) -> str:
    """The name of a part or parameter without what FSDP puts into it."""
    return '.'.join(part for part in name.split('.') if part != _WRAPPED)


def depths(backbone: nn.Module) -> dict[str, int]:
    """The depth of each parameter of a backbone by its name: 0 of patches, positions and class token, or of a stem.

    It grows by one from block to block; what stands behind the last block has its depth. timm tells it of its own
    models, for others it is told by the names that OpenMMLab's backbones give to their parts.

    Raises:
        OptionError: Where the names tell no blocks.
    """
    from timm.models._manipulate import group_with_matcher

    modules: list[tuple[str, Any]] = list(backbone.named_modules())
    of_timm = [(name, module) for name, module in modules if hasattr(module, 'group_matcher')]
    place, layers = of_timm[0] if of_timm else modules[0]
    matcher = layers.group_matcher() if of_timm else _BY_NAME
    prefix = unwrapped_name(f'{place}.') if place else ''
    inside = iter([(unwrapped_name(name), None) for name, _ in layers.named_parameters()])
    groups = group_with_matcher(inside, matcher, reverse=True)
    found = {f'{prefix}{name}': int(depth) for name, depth in groups.items()}
    if len(set(found.values())) < 3:  # nothing but a stem and the rest
        raise OptionError(
            f'optim_wrapper.paramwise_cfg.layer_decay: the blocks of a {type(backbone).__name__} are not told by the '
            'names of its parameters; leave it out, and use custom_keys=dict(backbone=dict(lr_mult=0.1))'
        )
    return found


def learning_rate_scales(model: nn.Module, decay: float) -> dict[str, float]:
    """What the learning rate of each parameter of ``model.backbone`` is multiplied by, by its name in the model.

    Behind the backbone it is 1, in its last block the decay, in the block before its square, and so on.

    Raises:
        OptionError: Where the model has no backbone, nothing of it is trained, or its blocks are unknown.
    """
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, nn.Module):
        raise OptionError('optim_wrapper.paramwise_cfg.layer_decay: the model has no backbone; leave it out')
    if not any(parameter.requires_grad for parameter in backbone.parameters()):
        raise OptionError(
            'optim_wrapper.paramwise_cfg.layer_decay: the backbone is frozen, so no learning rate of it decays; leave '
            'one of the two out'
        )
    found = depths(backbone)
    most = max(found.values()) + 1
    return {f'backbone.{name}': decay ** (most - depth) for name, depth in found.items()}
