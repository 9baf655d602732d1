"""The head of most methods, top-down: pixel features, queries, decoder, masks and classes; then the criterion.

The head builds its parts from configs and never asks which method they make up.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import OptionError
from ...registry import MODELS
from ..decoders.plain import MasksAt
from ..structures import Categories, HeadOutputs
from .label_space_head import LabelSpaceHead
from .pixel_features import PixelFeatureExtractor
from .presence_scores import lowered


@MODELS.register_module()
class QueryHead(LabelSpaceHead):
    """Mask classification with segment queries, over any number of label spaces.

    Args:
        in_channels: Channels of the backbone's maps, fine first.
        pixel_decoder: See :class:`PixelFeatureExtractor`.
        **kwargs: As :class:`LabelSpaceHead`; the decoder is such as ``mmlmseg.CategoryGuidedDecoder``.
    """

    def __init__(self, in_channels: Sequence[int], pixel_decoder: dict[str, Any], **kwargs: Any) -> None:
        self.in_channels = list(in_channels)
        self._pixel_decoder = pixel_decoder
        super().__init__(**kwargs)

    def build_features(self, channels: int, mask_channels: int) -> None:
        self.pixel_features = PixelFeatureExtractor(self._pixel_decoder, self.in_channels, channels, mask_channels)

    def forward(self, feats: Sequence[Tensor], metas: Sequence[dict[str, Any]], categories: Categories) -> HeadOutputs:
        """Predicts masks and classes.

        Args:
            feats: Backbone maps ``[B, C_i, h_i, w_i]``, fine first.
            metas: Metainfo of the B images with ``batch_input_shape`` and ``img_shape``.
            categories: What the B * S samples may be classified as: every image in S label spaces, one after the other.

        Returns:
            The predictions for the B * S samples: of all layers in training, of the last one in evaluation.

        Raises:
            OptionError: Where the maps have other channels than ``in_channels``.
        """
        if (found := [level.shape[1] for level in feats]) != self.in_channels:
            raise OptionError(
                f'model.decode_head.in_channels = {self.in_channels}, but the maps of backbone or neck have {found} '
                f'channels: write in_channels={found}'
            )
        pixels = self.pixel_features(feats, metas)
        content, position = self.queries(categories.spaces)  # [B * S, N, C] each
        guiding, presence = categories, None
        if self.presence is not None:
            presence = self.presence(pixels.memory, categories)  # [B * S, K]
            guiding = self.presence.guiding(presence, categories)
        hidden = self.decoder(content, position, pixels.memory, guiding, self._masks_at(pixels.mask, categories))
        if not self.training:
            hidden = hidden[-1:]
        hidden = self.adapters(hidden, categories.spaces)  # [L, B * S, N, C]
        filters = self.mask_embedding(hidden)  # [L, B * S, N, C_mask]
        with torch.no_grad():
            mask_logits = self.mask_embedding.masks(filters, pixels.mask)
        class_logits = self.class_logits(hidden, categories)
        if presence is not None:
            class_logits = lowered(class_logits, presence)
        return HeadOutputs(
            class_logits=class_logits,
            mask_logits=mask_logits,
            valid=self.classifier.valid(categories),
            activation=self.class_activation,
            spaces=categories.spaces,
            filters=filters if self.training else None,
            pixels=pixels.mask if self.training else None,
            presence=presence,
        )

    def _masks_at(self, pixels: Tensor, categories: Categories) -> MasksAt:
        """The mask logits of queries on per-pixel embeddings ``[B, C_mask, h, w]``, resized to any size.

        Both are linear, so the few embeddings are resized, each size once, and not the masks of every layer.
        """

        def resize(size: tuple[int, int]) -> Tensor:
            return F.interpolate(pixels.detach(), size=size, mode='bilinear', align_corners=False)

        resized = resize if torch.compiler.is_exporting() else functools.cache(resize)  # there sizes are symbols

        @torch.no_grad()
        def masks_at(queries: Tensor, size: tuple[int, int]) -> Tensor:
            filters = self.mask_embedding(self.adapters(queries[None], categories.spaces))
            return self.mask_embedding.masks(filters, resized(size))[0]

        return masks_at
