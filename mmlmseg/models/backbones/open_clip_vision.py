"""The image towers of open_clip as backbones: CLIP's vision transformers, ConvNeXt and other trunks of timm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CheckpointError
from ...registry import MODELS
from ..open_clip_loader import load_open_clip, model_config
from .frozen import FreezableBackbone
from .stages import Stages
from .timm_backbone import build_timm, timm_maps
from .timm_weights import load_state_dict

_TRUNK = 'trunk.'  # what the names of a trunk of timm begin with in open_clip


@MODELS.register_module()
class OpenClipVision(FreezableBackbone):
    """The image tower of an open_clip model, without what pools and projects its maps; images of any size.

    A vision transformer gives the maps of the chosen blocks after its final norm, all at the stride of its patches, its
    position embeddings interpolated. A trunk of timm, such as the ConvNeXt of FC-CLIP, gives its stages, see
    :class:`TimmBackbone`. The ResNets are :class:`CLIPResNet`. The text side is not part of it.

    The weights are read in :meth:`init_weights`, that is when training starts: a checkpoint is used without their file.
    Images are expected as CLIP sees them, RGB with the mean and deviation of the weights.

    Args:
        model: A name that open_clip knows, e.g. ``ViT-B-16-quickgelu`` or ``convnext_large_d_320``.
        pretrained: A local file of open_clip or OpenAI, text included; a tag of open_clip, which downloads; or None for
            random weights.
        out_indices: As of :class:`TimmBackbone`.
        frozen: Whether it stays as it is, see :class:`FreezableBackbone`.
        init_cfg: See mmengine's BaseModule, e.g. the backbone of a checkpoint; then ``pretrained`` is not read.

    Attributes:
        model: The module of timm, or of open_clip.
        out_channels: Of each map.
        strides: Pixels of a cell of each map.
        size_divisor: What height and width of the images are multiples of.

    Raises:
        CheckpointError: On an unknown model or tag, a ResNet, or weights that do not fit.
        OptionError: On an unknown index.
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        out_indices: Sequence[int] | None = None,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(frozen, init_cfg=init_cfg)
        config = model_config(model)
        vision = config['vision_cfg']
        if isinstance(vision.get('layers'), list):
            raise CheckpointError(
                f'the image tower of open_clip model {model!r} is a ResNet: use mmlmseg.CLIPResNet for it'
            )
        self.name, self.pretrained = model, pretrained
        self.model: Any
        self.has_trunk = bool(vision.get('timm_model_name'))
        if self.has_trunk:
            self.model, self.stages = build_timm(vision['timm_model_name'], {}, out_indices)
        else:
            self.model, self.stages = _vision_transformer(model, config, out_indices)
        self.out_channels, self.strides = self.stages.channels, self.stages.strides
        self.size_divisor = self.stages.size_divisor
        self.train()

    def init_weights(self) -> None:
        """Reads the pretrained weights."""
        super().init_weights()
        if self.init_cfg or self.pretrained is None:
            return
        clip: Any = load_open_clip(self.name, self.pretrained)
        tower = clip.visual.state_dict()
        if self.has_trunk:
            tower = {key.removeprefix(_TRUNK): value for key, value in tower.items() if key.startswith(_TRUNK)}
        load_state_dict(self.model, tower, f'open_clip model {self.name}', self.pretrained)

    def maps(self, images: Tensor) -> Sequence[Tensor]:
        """Images ``[B, bands, H, W]`` to maps ``[B, C_i, H / s_i, W / s_i]``.

        Raises:
            OptionError: Where height or width is no multiple of the patch: what a map says of a cell would be shifted.
        """
        self.stages.check_size(images, self.name)
        if self.has_trunk:
            return timm_maps(self.model, self.stages, images)
        tokens, grid = self._tokens(images)
        _, levels = self.model.transformer.forward_intermediates(tokens, indices=list(self.stages.indices))
        return [self.model.ln_post(own)[:, 1:].transpose(1, 2).unflatten(2, grid).contiguous() for own in levels]

    def _tokens(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The class token and those of the patches, ``[B, 1 + h * w, C]``, and (h, w)."""
        from timm.layers import resample_abs_pos_embed

        patches = self.model.conv1(images)  # [B, C, h, w]
        grid = (patches.shape[-2], patches.shape[-1])
        positions = self.model.positional_embedding[None]
        if grid != self.model.grid_size:
            positions = resample_abs_pos_embed(positions, list(grid), list(self.model.grid_size))
        first = positions[:, :1] + self.model.class_embedding
        tokens = patches.flatten(2).transpose(1, 2) + positions[:, 1:].to(patches.dtype)
        first = first.to(tokens.dtype).expand(len(tokens), -1, -1)
        return self.model.ln_pre(torch.cat([first, tokens], 1)), grid


def _vision_transformer(
    name: str, config: dict[str, Any], out_indices: Sequence[int] | None
) -> tuple[nn.Module, Stages]:
    """The vision transformer of an open_clip model with random weights, up to the last block that is asked for."""
    from open_clip.model import _build_vision_tower

    tower: Any = _build_vision_tower(config['embed_dim'], config['vision_cfg'], bool(config.get('quick_gelu')))
    blocks = len(tower.transformer.resblocks)
    stages = Stages.chosen([tower.conv1.out_channels] * blocks, [tower.patch_size[0]] * blocks, out_indices, name)
    tower.transformer.prune_intermediate_layers(list(stages.indices))
    if tower.attn_pool is not None:  # then the last norm stands behind it
        tower.attn_pool, tower.ln_post = None, nn.Identity()
    tower.proj = None
    tower.patch_dropout = nn.Identity()
    return tower, stages
