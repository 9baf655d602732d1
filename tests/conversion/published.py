"""MaskFormer and Mask2Former of mmdet with random weights on small widths, and the configs of ours that equal them."""

from __future__ import annotations

import re
from typing import Any

import torch
from mmdet.models.dense_heads import Mask2FormerHead, MaskFormerHead
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import Tensor, nn

WIDTHS = [8, 16, 32, 64]
CLASSES = ['sky', 'tree', 'car']
CHANNELS = 32

_NORM = dict(type='GN', num_groups=8)
_ATTENTION = dict(embed_dims=CHANNELS, num_heads=4, dropout=0.0, batch_first=True)
_POSITION = dict(num_feats=CHANNELS // 2, normalize=True)
_FFN = dict(
    embed_dims=CHANNELS, feedforward_channels=64, num_fcs=2, ffn_drop=0.0, act_cfg=dict(type='ReLU', inplace=True)
)
_ENCODER = dict(num_layers=2, layer_cfg=dict(self_attn_cfg=_ATTENTION, ffn_cfg=_FFN))
_POINTS = dict(embed_dims=CHANNELS, num_heads=4, num_levels=3, num_points=4, dropout=0.0, batch_first=True)
PIXEL_DECODERS = {
    'maskformer': dict(type='mmdet.PixelDecoder', norm_cfg=_NORM),
    'maskformer-encoder': dict(
        type='mmdet.TransformerEncoderPixelDecoder', norm_cfg=_NORM, encoder=_ENCODER, positional_encoding=_POSITION
    ),
    'mask2former': dict(
        type='mmdet.MSDeformAttnPixelDecoder',
        norm_cfg=_NORM,
        act_cfg=dict(type='ReLU'),
        encoder=dict(num_layers=2, layer_cfg=dict(self_attn_cfg=_POINTS, ffn_cfg=_FFN)),
        positional_encoding=_POSITION,
    ),
}
KINDS = tuple(PIXEL_DECODERS)


def backbone() -> dict[str, Any]:
    return dict(type='mmseg.ResNet', depth=18, base_channels=8, num_stages=4, out_indices=(0, 1, 2, 3), norm_eval=True)


class Published(nn.Module):
    """A whole model, whose weights have the names that mmseg publishes."""

    def __init__(self, kind: str, num_classes: int = len(CLASSES), num_queries: int = 8) -> None:
        super().__init__()
        layer = dict(self_attn_cfg=_ATTENTION, cross_attn_cfg=_ATTENTION, ffn_cfg=_FFN)
        self.backbone = MODELS.build(backbone())
        make = Mask2FormerHead if kind == 'mask2former' else MaskFormerHead
        self.decode_head = make(
            in_channels=WIDTHS,
            feat_channels=CHANNELS,
            out_channels=CHANNELS,
            num_things_classes=1,
            num_stuff_classes=num_classes - 1,
            num_queries=num_queries,
            pixel_decoder=ConfigDict(PIXEL_DECODERS[kind]),
            transformer_decoder=ConfigDict(num_layers=3, layer_cfg=layer, return_intermediate=True),
            positional_encoding=_POSITION,
            loss_cls=ConfigDict(type='mmdet.CrossEntropyLoss', class_weight=[1.0] * num_classes + [0.1]),
            loss_mask=dict(type='mmdet.FocalLoss'),
            loss_dice=dict(type='mmdet.DiceLoss'),
        )
        self.randomise()

    @torch.no_grad()
    def randomise(self) -> None:
        """Sets also what starts at zero or one to something that a swap would show."""
        for parameter in self.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits ``[L, B, N, K + 1]`` and mask logits ``[L, B, N, h, w]`` of all layers."""
        from mmdet.structures import DetDataSample

        meta = dict(batch_input_shape=images.shape[-2:], img_shape=images.shape[-2:])
        samples = [DetDataSample(metainfo=meta) for _ in images]
        classes, masks = self.decode_head(self.backbone(images), samples)
        return tuple(x if isinstance(x, Tensor) else torch.stack(x) for x in (classes, masks))


def our_config(kind: str, spaces: list[Any] | None = None, **head: Any) -> dict[str, Any]:
    """The config of our model of the same widths."""
    of_mask2former = kind == 'mask2former'
    pixel = dict(type='mmlmseg.DeformablePixelDecoder', num_layers=2, num_heads=4, ffn_channels=64, norm_cfg=_NORM)
    decoder = dict(
        type='mmlmseg.MaskedAttentionDecoder' if of_mask2former else 'mmlmseg.PlainDecoder',
        num_layers=3,
        num_heads=4,
        ffn_channels=64,
        dropout=0.0,
    )
    decode_head = dict(
        type='mmlmseg.QueryHead',
        label_spaces=spaces or [dict(name='street', classes=CLASSES)],
        in_channels=WIDTHS,
        channels=CHANNELS,
        pixel_decoder=pixel if of_mask2former else PIXEL_DECODERS[kind],
        queries=dict(type='mmlmseg.SharedQueries', num_queries=8, learn_content=of_mask2former),
        decoder=decoder,
        classifier=dict(type='mmlmseg.LinearClassifier'),
        criterion=dict(type='mmlmseg.SetCriterion'),
    )
    return dict(
        type='mmlmseg.MultiSpaceSegmentor',
        data_preprocessor=dict(type='mmlmseg.GroupingDataPreProcessor', mean=[127.5] * 3, std=[64.0] * 3),
        backbone=backbone(),
        decode_head={**decode_head, **head},
    )


def ours(kind: str, spaces: list[Any] | None = None, **head: Any) -> Any:
    """Our model of the same widths, with other weights."""
    return MODELS.build(our_config(kind, spaces, **head))


def our_outputs(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """As :meth:`Published.outputs`."""
    model.train()  # all layers
    model.backbone.eval()
    meta = dict(batch_input_shape=images.shape[-2:], img_shape=images.shape[-2:])
    name = model.label_spaces.names[0]
    found = model.decode_head(model.backbone(images), [meta] * len(images), model.decode_head.categories([name, name]))
    return found.class_logits, found.mask_logits


def named(weights: dict[str, Tensor], *rules: tuple[str, str]) -> dict[str, Tensor]:
    """Weights by other names: every rule is a regular expression and what replaces it, the first that fits counts."""
    renamed = {}
    for name, value in weights.items():
        rule = next((rule for rule in rules if re.search(rule[0], name)), None)
        renamed[name if rule is None else re.sub(*rule, name)] = value
    assert len(renamed) == len(weights)
    return renamed
