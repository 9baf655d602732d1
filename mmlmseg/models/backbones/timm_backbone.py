"""Any image model of timm as a backbone: plain vision transformers of any patch, and hierarchical models."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import OptionError, did_you_mean
from ...registry import MODELS
from .frozen import FreezableBackbone
from .stages import Stages
from .timm_weights import load_timm_weights, tags_of

# How constructors of timm are told to take images of any size.
_ANY_SIZE: dict[str, Any] = dict(dynamic_img_size=True, strict_img_size=False)


@MODELS.register_module()
class TimmBackbone(FreezableBackbone):
    """A model of timm without its classifier, for images of any size.

    A plain vision transformer (ViT, DINOv2, DINOv3, SigLIP 2, EVA-02) gives the maps of the chosen blocks after its
    final norm, all at the stride of its patches; its position embeddings are interpolated, or rotary. Those that timm
    norms behind the pooling only, such as ``eva02_large_patch14_448``, have no final norm here either. Put a
    :class:`SimpleFeaturePyramid` behind it. A hierarchical model (Swin, ConvNeXt, ResNet) gives the maps of its stages.
    What comes behind the last map is left out, so that every parameter learns.

    The weights are read in :meth:`init_weights`, that is when training starts: a checkpoint is used without their file.

    Args:
        model: The name of the architecture, e.g. ``vit_small_patch16_dinov3``.
        pretrained: A local file in the layout of timm or of the authors, as far as timm reads it; a tag of timm, e.g.
            ``lvd1689m``, which downloads; or None for random weights.
        out_indices: The blocks or stages whose maps are given, counted from 0 or, below it, from the end. By default
            the last block, or the last stage of each stride from 4 on.
        frozen: Whether it stays as it is, see :class:`FreezableBackbone`.
        drop_path: The largest rate of stochastic depth.
        options: Further arguments of timm's constructor, such as ``dict(depth=6)``.
        init_cfg: See mmengine's BaseModule, e.g. the backbone of a checkpoint; then ``pretrained`` is not read.

    Attributes:
        model: The module of timm.
        out_channels: Of each map.
        strides: Pixels of a cell of each map.
        size_divisor: What height and width of the images are multiples of.

    Raises:
        CheckpointError: On an unknown tag, or a file that is missing or does not fit.
        OptionError: On an unknown model, option or index, and on a model that takes images of one size only.

    Example:
        >>> import torch
        >>> backbone = TimmBackbone('vit_small_patch14_dinov2', options=dict(embed_dim=32, depth=2, num_heads=2))
        >>> [tuple(map.shape) for map in backbone(torch.zeros(1, 3, 56, 84))]
        [(1, 32, 4, 6)]
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        out_indices: Sequence[int] | None = None,
        frozen: bool = False,
        drop_path: float = 0.0,
        options: Mapping[str, Any] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(frozen, drop_path, init_cfg)
        _check_name(model)
        self.name, self.pretrained = model, pretrained
        self.model: Any
        given = {**(options or {}), **({'drop_path_rate': drop_path} if drop_path else {})}
        self.model, self.stages = build_timm(model, given, out_indices)
        self.out_channels, self.strides = self.stages.channels, self.stages.strides
        self.size_divisor = self.stages.size_divisor
        self.train()

    def init_weights(self) -> None:
        """Reads the pretrained weights."""
        super().init_weights()
        if not self.init_cfg and self.pretrained is not None:
            load_timm_weights(self.model, self.name, self.pretrained)

    def maps(self, images: Tensor) -> Sequence[Tensor]:
        """Images ``[B, bands, H, W]`` to maps ``[B, C_i, H / s_i, W / s_i]``.

        Raises:
            OptionError: Where height or width is no multiple of the patch: what a map says of a cell would be shifted.
        """
        self.stages.check_size(images, self.name)
        return timm_maps(self.model, self.stages, images)


def build_timm(name: str, options: Mapping[str, Any], out_indices: Sequence[int] | None) -> tuple[nn.Module, Stages]:
    """Builds a timm model with random weights that takes images of any size, up to the last map that is asked for.

    Args:
        name: Of the architecture.
        options: Further arguments of its constructor.
        out_indices: The maps, see :class:`TimmBackbone`.

    Returns:
        The model, and what its maps are.

    Raises:
        OptionError: On an option that it does not take, and where it takes images of one size only.
    """
    import timm

    try:
        with torch.device('meta'):  # what it takes, before memory is
            known = inspect.signature(type(timm.create_model(name, num_classes=0, **options)).__init__).parameters
            arguments = {key: value for key, value in _ANY_SIZE.items() if key in known} | dict(options)
            outline: Any = timm.create_model(name, num_classes=0, **arguments)
    except TypeError as error:
        raise OptionError(f'backbone.options = {dict(options)}: timm builds no {name} of it ({error})') from None
    infos = getattr(outline, 'feature_info', None)
    if not infos or not hasattr(outline, 'forward_intermediates'):
        raise OptionError(f'timm model {name!r} gives no maps of its stages; take another one')
    listed = infos.get_dicts() if hasattr(infos, 'get_dicts') else infos
    stages = Stages.chosen(
        [info['num_chs'] for info in listed], [info['reduction'] for info in listed], out_indices, name
    )
    _check_maps(outline, stages, options.get('in_chans', 3), name)
    model: nn.Module = timm.create_model(name, num_classes=0, **arguments)
    _prune(model, stages)
    return model, stages


def timm_maps(model: Any, stages: Stages, images: Tensor) -> list[Tensor]:
    """The maps of images ``[B, bands, H, W]``; those of a plain transformer are normalised."""
    maps: list[Tensor] = model.forward_intermediates(
        images, indices=list(stages.indices), norm=stages.is_plain, intermediates_only=True, output_fmt='NCHW'
    )
    return maps


def _prune(model: Any, stages: Stages) -> None:
    """Takes away what is behind the last map."""
    model.prune_intermediate_layers(list(stages.indices), prune_norm=not stages.is_plain, prune_head=True)


def _check_maps(outline: Any, stages: Stages, bands: int, name: str) -> None:
    """Refuses a model, given without its weights, that does not make the maps it tells of images of any size."""
    height = 3 * stages.size_divisor
    images = torch.zeros(1, bands, height, 2 * height, device='meta')
    _prune(outline, stages)
    try:
        with torch.no_grad():
            maps = timm_maps(outline.eval(), stages, images)
    except (AssertionError, RuntimeError, ValueError) as error:
        if 'meta' in str(error):  # it looks at numbers, which there are none of here
            return
        raise OptionError(
            f'timm model {name!r} takes images of one size only ({error}), but those of a training differ; take one '
            'whose position embeddings are interpolated or rotary, such as vit_small_patch16_dinov3'
        ) from None
    for own, channels, stride in zip(maps, stages.channels, stages.strides, strict=True):
        told = (channels, height // stride, 2 * height // stride)
        if tuple(own.shape[1:]) != told:
            raise OptionError(
                f'timm model {name!r} tells of maps of {told} for an image of {height}x{2 * height}, but gives '
                f'{tuple(own.shape[1:])}; take another one'
            )


def _check_name(name: str) -> None:
    import timm

    plain, _, tag = name.partition('.')
    if not timm.is_model(plain):
        raise OptionError(f'unknown timm model {name!r}.{did_you_mean(plain, timm.list_models())}')
    if tag:
        known = f' ({", ".join(tags_of(plain))})' if tag not in tags_of(plain) else ''
        raise OptionError(
            f'timm model {name!r}: weights are named apart{known}; write model={plain!r}, and pretrained={tag!r} or a '
            'local file'
        )
