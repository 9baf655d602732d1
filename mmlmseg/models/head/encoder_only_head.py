"""The head of an encoder-only model: no pixel decoder and no decoder, the last blocks of the backbone do it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...registry import MODELS
from ..backbones.joint_vit import PatchTokens
from ..structures import Categories, HeadOutputs
from .label_space_head import LabelSpaceHead
from .patch_upscaling import PatchUpscaling


@MODELS.register_module()
class EncoderOnlyHead(LabelSpaceHead):
    """Segment queries that join the last blocks of a vision transformer (EoMT, Kerssies et al., CVPR 2025), read by
    LMSeg's text classifier, over any number of label spaces.

    Asked for several label spaces, the first blocks see an image once, and the joint ones once for each space: what a
    space is answered does not depend on what else is asked.

    Args:
        upscaling: How often patches are doubled before masks are made of them: 2 from patches of 16 or 14 pixels, for
            masks of a quarter of the image's resolution.
        **kwargs: As :class:`LabelSpaceHead`, with ``decoder=dict(type='mmlmseg.JointBlocks')`` over a
            ``mmlmseg.JointViT``. ``channels`` is the width of the transformer, ``mask_channels`` that of the pixels:
            the same in EoMT; that of a ViT-S to 128 takes a sixth of the products.
    """

    takes_tokens = True

    def __init__(self, upscaling: int = 2, **kwargs: Any) -> None:
        self._upscaling = upscaling
        super().__init__(**kwargs)

    def build_features(self, channels: int, mask_channels: int) -> None:
        self.upscaling = PatchUpscaling(channels, mask_channels, self._upscaling)

    def forward(self, feats: PatchTokens, metas: Sequence[dict[str, Any]], categories: Categories) -> HeadOutputs:
        tokens = feats.repeated(len(categories.spaces) // len(metas))
        content, position = self.queries(categories.spaces)  # [B * S, N, C] each

        @torch.no_grad()
        def read_masks(queries: Tensor, patches: Tensor) -> Tensor:
            return self._masks(self._adapted(queries, categories), patches)

        decoded = self.decoder(tokens, content + position, categories, read_masks)
        queries, patches = zip(*(decoded if self.training else decoded[-1:]))
        hidden = torch.stack([self._adapted(own, categories) for own in queries])  # [L, B * S, N, C]
        return HeadOutputs(
            class_logits=self.class_logits(hidden, categories),
            mask_logits=torch.stack([self._masks(*of_layer) for of_layer in zip(hidden, patches)]),
            valid=self.classifier.valid(categories),
            activation=self.class_activation,
            spaces=categories.spaces,
        )

    def _adapted(self, queries: Tensor, categories: Categories) -> Tensor:
        adapted: Tensor = self.adapters(queries[None], categories.spaces)[0]
        return adapted

    def _masks(self, queries: Tensor, patches: Tensor) -> Tensor:
        """Of queries ``[B * S, N, C]`` on patches ``[B * S, C, h, w]``: ``[B * S, N, H, W]``."""
        return self.mask_embedding.masks(self.mask_embedding(queries)[None], self.upscaling(patches))[0]
