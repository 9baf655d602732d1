"""A plain vision transformer whose last blocks also take tokens that are no patches: the encoder of an encoder-only
model (EoMT, Kerssies et al., CVPR 2025)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import OptionError
from ...registry import MODELS
from .timm_backbone import TimmBackbone


@dataclass(frozen=True)
class PatchTokens:
    """What the first blocks of a vision transformer make of images, and the blocks that are left.

    Attributes:
        prefix: ``[B, P, C]`` class and register tokens; P may be 0.
        patches: ``[B, h*w, C]``.
        size: (h, w).
        rope: Rotary positions of the patches, sines and cosines side by side, ``[..., h*w, 2c]``; None where there are
            none.
        blocks: Those that are left; they are of the backbone, which owns their weights.
        norm: The norm behind the last one.
    """

    prefix: Tensor
    patches: Tensor
    size: tuple[int, int]
    rope: Tensor | None
    blocks: Sequence[nn.Module]
    norm: Callable[[Tensor], Tensor]

    def repeated(self, times: int) -> PatchTokens:
        """Each image ``times`` times, side by side."""
        if times == 1:
            return self
        prefix, patches = (x.repeat_interleave(times, dim=0) for x in (self.prefix, self.patches))
        return replace(self, prefix=prefix, patches=patches)

    def rope_with(self, others: int) -> Tensor | None:
        """The rotary positions for ``others`` tokens before the patches, which are not rotated."""
        if self.rope is None:
            return None
        sine, cosine = self.rope.chunk(2, dim=-1)  # [..., h*w, c]
        ahead = (0, 0, others, 0)  # before the second last dimension
        return torch.cat([F.pad(sine, ahead), F.pad(cosine, ahead, value=1.0)], dim=-1)


@MODELS.register_module()
class JointViT(TimmBackbone):
    """The first blocks of a timm vision transformer; the last ones are run by the head, with its queries among the
    patches.

    Args:
        model: A plain vision transformer of timm, such as ``vit_small_patch16_dinov3`` or ``vit_large_patch14_dinov2``.
        joint_blocks: L2, how many blocks the head runs: 3 for models of 12 blocks, 4 for 24 (EoMT, Table 5).
        **kwargs: As :class:`TimmBackbone`, without ``out_indices``: the head runs what is left of the blocks.

    Raises:
        OptionError: Where the model is no plain vision transformer, or has not more blocks than ``joint_blocks``; on
            ``out_indices``, and a frozen one.
    """

    def __init__(self, model: str, joint_blocks: int = 3, **kwargs: Any) -> None:
        if kwargs.get('out_indices') is not None:
            raise OptionError(
                f'mmlmseg.JointViT: out_indices = {kwargs["out_indices"]}, but it gives no maps of blocks: leave it '
                'out; joint_blocks says how many the head runs, and options=dict(depth=...) how many there are'
            )
        super().__init__(model, **kwargs)
        blocks = getattr(self.model, 'blocks', ())
        if (
            not self.stages.is_plain
            or not hasattr(self.model, '_pos_embed')
            or getattr(self.model, 'rope_mixed', False)
        ):
            raise OptionError(
                f'mmlmseg.JointViT: {model} is no plain vision transformer, whose blocks could take queries; take one '
                'such as vit_small_patch16_dinov3'
            )
        if not 1 <= joint_blocks < len(blocks):
            raise OptionError(
                f'mmlmseg.JointViT: joint_blocks = {joint_blocks}; {model} has {len(blocks)} blocks, of which 1 to '
                f'{len(blocks) - 1} can be the joint ones'
            )
        if self.frozen:
            raise OptionError(
                'mmlmseg.JointViT: frozen=True, but its last blocks learn to take queries; take mmlmseg.TimmBackbone '
                'behind a decoder, which can read a frozen encoder'
            )
        self.joint_blocks = joint_blocks

    def forward(self, images: Tensor) -> PatchTokens:  # type: ignore[override]
        """From ``[B, C, H, W]`` to tokens."""
        self.stages.check_size(images, self.name)
        model: Any = self.model
        embedded = model.patch_embed(images)  # [B, h, w, C]
        size = (embedded.shape[1], embedded.shape[2])
        placed = model._pos_embed(embedded)
        x, rope = placed if isinstance(placed, tuple) else (placed, None)
        x = model.norm_pre(x)
        first = len(model.blocks) - self.joint_blocks
        for block in model.blocks[:first]:
            x = block(x) if rope is None else block(x, rope=rope)
        prefix, patches = x.split([x.shape[1] - size[0] * size[1], size[0] * size[1]], dim=1)
        return PatchTokens(prefix, patches, size, rope, model.blocks[first:], model.norm)


def check_joint(backbone: nn.Module, neck: nn.Module | None, takes_tokens: bool) -> None:
    """Refuses parts of a model of which some are for maps, others for the tokens of a :class:`JointViT`.

    Args:
        backbone, neck: Of the model.
        takes_tokens: Whether its head is for tokens.
    """
    gives_tokens = isinstance(backbone, JointViT)
    if gives_tokens and neck is not None:
        raise OptionError(
            f'model.neck = {type(neck).__name__} takes maps, but mmlmseg.JointViT gives tokens to the head: leave '
            'it out'
        )
    if gives_tokens != takes_tokens:
        raise OptionError(
            f'model.backbone = {type(backbone).__name__} does not go with model.decode_head: mmlmseg.JointViT stands '
            'below mmlmseg.EncoderOnlyHead, and every other backbone below mmlmseg.QueryHead'
        )
