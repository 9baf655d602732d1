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
from .timm_weights import load_timm_weights, tags_of

_LEAST_STRIDE = 4  # what finer maps show, no pixel decoder reads
# How constructors of timm are told to take images of any size.
_ANY_SIZE: dict[str, Any] = dict(dynamic_img_size=True, strict_img_size=False)


@MODELS.register_module()
class TimmBackbone(FreezableBackbone):
    """A model of timm without its classifier, for images of any size.

    A plain vision transformer (ViT, DINOv2, DINOv3, SigLIP 2, EVA-02) gives the maps of the chosen blocks after its
    final norm, all at the stride of its patches; its position embeddings are interpolated, or rotary. Put a
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
        given = {**(options or {}), **({'drop_path_rate': drop_path} if drop_path else {})}
        self.model: Any = build_timm(model, given)
        stages = stages_of(self.model, model)
        self.is_plain = is_plain(stages)
        self.out_indices = chosen_indices(out_indices, stages, model)
        self.out_channels = tuple(stages[i][0] for i in self.out_indices)
        self.strides = tuple(stages[i][1] for i in self.out_indices)
        self.size_divisor = max(self.strides)
        prune(self.model, self.out_indices, self.is_plain)
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
        if self.is_plain:
            check_size(images, self.size_divisor, self.name)
        return list(
            self.model.forward_intermediates(
                images,
                indices=list(self.out_indices),
                norm=self.is_plain,
                intermediates_only=True,
                output_fmt='NCHW',
            )
        )


def build_timm(name: str, options: Mapping[str, Any]) -> nn.Module:
    """Builds a timm model with random weights, without its classifier, that takes images of any size.

    Raises:
        OptionError: On an option that it does not take, and where it takes images of one size only.
    """
    import timm

    try:
        with torch.device('meta'):  # what it takes, before memory is
            outline: Any = timm.create_model(name, num_classes=0, **options)
        known = inspect.signature(type(outline).__init__).parameters
        any_size = {key: value for key, value in _ANY_SIZE.items() if key in known and key not in options}
        with torch.device('meta'):
            outline = timm.create_model(name, num_classes=0, **any_size, **options)
    except TypeError as error:
        raise OptionError(f'backbone.options = {dict(options)}: timm builds no {name} of it ({error})') from None
    if not hasattr(outline, 'forward_intermediates'):
        raise OptionError(f'timm model {name!r} gives no maps of its stages; take another one')
    reach = 2 * max(stride for _, stride in stages_of(outline, name))
    try:
        outline.eval().forward_intermediates(torch.zeros(1, 3, reach, 2 * reach, device='meta'))
    except AssertionError as error:
        raise OptionError(
            f'timm model {name!r} takes images of one size only ({error}), but those of a training differ; take one '
            'whose position embeddings are interpolated or rotary, such as vit_small_patch16_dinov3'
        ) from None
    model: nn.Module = timm.create_model(name, num_classes=0, **any_size, **options)
    return model


def stages_of(model: Any, name: str) -> list[tuple[int, int]]:
    """Channels and stride of each map that a timm model can give."""
    infos = getattr(model, 'feature_info', None)
    if not infos:
        raise OptionError(f'timm model {name!r} does not say what maps it has; take another one')
    listed = infos.get_dicts() if hasattr(infos, 'get_dicts') else infos
    return [(info['num_chs'], info['reduction']) for info in listed]


def prune(model: Any, out_indices: Sequence[int], keep_norm: bool) -> None:
    """Takes away what is behind the last map."""
    model.prune_intermediate_layers(list(out_indices), prune_norm=not keep_norm, prune_head=True)


def check_size(images: Tensor, patch: int, name: str) -> None:
    """Raises an OptionError where images ``[B, bands, H, W]`` are not made of whole patches."""
    height, width = images.shape[-2:]
    if height % patch or width % patch:
        raise OptionError(
            f'{name} cuts images into patches of {patch} pixels, but got one of {height}x{width}, so its maps would '
            f'be shifted: set model.data_preprocessor.size_divisor to a multiple of {patch}, or leave it out'
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


def is_plain(stages: Sequence[tuple[int, int]]) -> bool:
    """Whether all maps, of the given channels and strides, are of one stride."""
    return len({stride for _, stride in stages}) == 1


def chosen_indices(asked: Sequence[int] | None, stages: Sequence[tuple[int, int]], name: str) -> tuple[int, ...]:
    """Which maps are given, of those that a model of some name has: what is asked for, or the last of each stride.

    Raises:
        OptionError: On an index that there is not, one that comes twice, or another order than the model's.
    """
    plain = is_plain(stages)
    if asked is None:
        last_of_stride = {stride: i for i, (_, stride) in enumerate(stages)}
        return tuple(sorted(i for stride, i in last_of_stride.items() if plain or stride >= _LEAST_STRIDE))
    if isinstance(asked, int) or not asked or any(not -len(stages) <= i < len(stages) for i in asked):
        raise OptionError(
            f'backbone.out_indices = {asked!r}: {name} has {len(stages)} {"blocks" if plain else "stages"}; list '
            f'some of 0 to {len(stages) - 1}'
        )
    chosen = tuple(i % len(stages) for i in asked)
    if list(chosen) != sorted(set(chosen)):
        raise OptionError(f'backbone.out_indices = {list(asked)}: list each once, in the order of the model')
    return chosen
