"""Names of weights in the code of others, as tables from theirs to ours.

A row renames what its left side begins with, up to a dot or the end; ``{i}`` stands for a number, and the first row
that fits counts. detectron2's names go to OpenMMLab's first, and from there to ours, so that each fact stands once. The
names are facts of the published models: mmsegmentation's and mmdetection's MaskFormer and Mask2Former (their present
names and those before version 3), detectron2's code of both papers, and LMSeg's official code, a fork of MaskFormer's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

Rows = Sequence[tuple[str, str]]

_DECODER = 'head.transformer_decoder.layers.{i}'
_OURS = 'decode_head.decoder.layers.{i}'
_PIXELS = 'head.pixel_decoder'

# Before mmdetection 3, attentions were numbered in the order in which a layer runs them.
_OLD_PIXELS: Rows = [
    (f'{_PIXELS}.encoder.layers.{{i}}.attentions.0', f'{_PIXELS}.encoder.layers.{{i}}.self_attn'),
    (f'{_PIXELS}.encoder.layers.{{i}}.ffns.0', f'{_PIXELS}.encoder.layers.{{i}}.ffn'),
    (f'{_DECODER}.ffns.0', f'{_DECODER}.ffn'),
]
_OLD_MASKFORMER: Rows = [
    *_OLD_PIXELS,
    (f'{_DECODER}.attentions.0', f'{_DECODER}.self_attn'),
    (f'{_DECODER}.attentions.1', f'{_DECODER}.cross_attn'),
]
_OLD_MASK2FORMER: Rows = [
    *_OLD_PIXELS,
    (f'{_DECODER}.attentions.0', f'{_DECODER}.cross_attn'),
    (f'{_DECODER}.attentions.1', f'{_DECODER}.self_attn'),
]

_PARTS: Rows = [
    ('backbone', 'backbone'),
    ('neck', 'neck'),
    (_PIXELS, 'decode_head.pixel_features.pixel_decoder'),
    ('head.decoder_input_proj', 'decode_head.pixel_features.project'),
    ('head.query_embed', 'decode_head.queries.position'),
    ('head.query_feat', 'decode_head.queries.content'),
    ('head.level_embed', 'decode_head.decoder.level'),
    ('head.transformer_decoder.post_norm', 'decode_head.decoder.norm'),
    (f'{_DECODER}.self_attn.attn', f'{_OURS}.self_attention.attention'),
    (f'{_DECODER}.cross_attn.attn', f'{_OURS}.image_attention.attention'),
    (f'{_DECODER}.ffn.layers.0.0', f'{_OURS}.feed_forward.layers.0'),
    (f'{_DECODER}.ffn.layers.1', f'{_OURS}.feed_forward.layers.3'),
    (f'{_DECODER}.norms.2', f'{_OURS}.feed_forward.norm'),
    *[(f'head.mask_embed.{2 * i}', f'decode_head.mask_embedding.layers.{i}') for i in range(3)],
    ('head.cls_embed', 'decode_head.classifier.layers.0'),
]
_MASKFORMER: Rows = [
    *_PARTS,
    (f'{_DECODER}.norms.0', f'{_OURS}.self_attention.norm'),
    (f'{_DECODER}.norms.1', f'{_OURS}.image_attention.norm'),
]
_MASK2FORMER: Rows = [
    *_PARTS,
    (f'{_DECODER}.norms.0', f'{_OURS}.image_attention.norm'),
    (f'{_DECODER}.norms.1', f'{_OURS}.self_attention.norm'),
]

_D2_PIXELS = 'sem_seg_head.pixel_decoder'
_D2_PREDICTOR = 'sem_seg_head.predictor'
_D2_RESNET: Rows = [
    ('backbone.stem.conv1.norm', 'backbone.bn1'),
    ('backbone.stem.conv1', 'backbone.conv1'),
    *[
        row
        for stage in range(1, 5)
        for theirs, ours in [(f'backbone.res{stage + 1}.{{i}}', f'backbone.layer{stage}.{{i}}')]
        for row in [
            (f'{theirs}.shortcut.norm', f'{ours}.downsample.1'),
            (f'{theirs}.shortcut', f'{ours}.downsample.0'),
            *[(f'{theirs}.conv{k}.norm', f'{ours}.bn{k}') for k in (1, 2, 3)],
            (theirs, ours),
        ]
    ],
]
_D2_SWIN: Rows = [
    ('backbone.patch_embed.proj', 'backbone.patch_embed.projection'),
    ('backbone.layers.{i}.blocks.{i}.attn', 'backbone.stages.{i}.blocks.{i}.attn.w_msa'),
    ('backbone.layers.{i}.blocks.{i}.mlp.fc1', 'backbone.stages.{i}.blocks.{i}.ffn.layers.0.0'),
    ('backbone.layers.{i}.blocks.{i}.mlp.fc2', 'backbone.stages.{i}.blocks.{i}.ffn.layers.1'),
    ('backbone.layers', 'backbone.stages'),
]
_D2_ENCODER_LAYER: Rows = [
    (f'{_D2_PIXELS}.transformer.encoder.layers.{{i}}.{theirs}', f'{_PIXELS}.encoder.layers.{{i}}.{ours}')
    for theirs, ours in (
        ('linear1', 'ffn.layers.0.0'),
        ('linear2', 'ffn.layers.1'),
        ('norm1', 'norms.0'),
        ('norm2', 'norms.1'),
    )
]
# Level 1 is the finest.
_D2_PYRAMID: Rows = [
    (f'{_D2_PIXELS}.{theirs}_{level + 1}{norm}', f'{_PIXELS}.{ours}.{level}.{kind}')
    for level in range(3)
    for theirs, ours in (('adapter', 'lateral_convs'), ('layer', 'output_convs'))
    for norm, kind in (('.norm', 'gn'), ('', 'conv'))
]
_D2_MASKS: Rows = [
    (f'{_D2_PIXELS}.mask_features', f'{_PIXELS}.mask_feature'),
    (f'{_D2_PREDICTOR}.class_embed', 'head.cls_embed'),
    (f'{_D2_PREDICTOR}.query_embed', 'head.query_embed'),
    (f'{_D2_PREDICTOR}.input_proj', 'head.decoder_input_proj'),
    *[(f'{_D2_PREDICTOR}.mask_embed.layers.{i}', f'head.mask_embed.{2 * i}') for i in range(3)],
]


_D2_LAYER = f'{_D2_PREDICTOR}.transformer.decoder.layers.{{i}}'
_D2_MASKFORMER: Rows = [
    *_D2_RESNET,
    *_D2_SWIN,
    ('backbone', 'backbone'),
    (f'{_D2_PIXELS}.layer_4.norm', f'{_PIXELS}.last_feat_conv.gn'),
    (f'{_D2_PIXELS}.layer_4', f'{_PIXELS}.last_feat_conv.conv'),
    (f'{_D2_PIXELS}.input_proj', f'{_PIXELS}.encoder_in_proj'),
    (f'{_D2_PIXELS}.transformer.encoder.layers.{{i}}.self_attn', f'{_PIXELS}.encoder.layers.{{i}}.self_attn.attn'),
    *_D2_ENCODER_LAYER,
    *_D2_PYRAMID,
    *_D2_MASKS,
    (f'{_D2_PREDICTOR}.transformer.decoder.norm', 'head.transformer_decoder.post_norm'),
    (f'{_D2_LAYER}.self_attn', f'{_DECODER}.self_attn.attn'),
    (f'{_D2_LAYER}.multihead_attn', f'{_DECODER}.cross_attn.attn'),
    (f'{_D2_LAYER}.linear1', f'{_DECODER}.ffn.layers.0.0'),
    (f'{_D2_LAYER}.linear2', f'{_DECODER}.ffn.layers.1'),
    *[(f'{_D2_LAYER}.norm{i + 1}', f'{_DECODER}.norms.{i}') for i in range(3)],
]
# With a transformer in its pixel decoder, the convolution behind it takes the place of the first of the pyramid.
_D2_WITH_ENCODER: Rows = [(f'{_PIXELS}.last_feat_conv', f'{_PIXELS}.encoder_out_proj')]
_D2_MASK2FORMER: Rows = [
    *_D2_RESNET,
    *_D2_SWIN,
    ('backbone', 'backbone'),
    (f'{_D2_PIXELS}.input_proj.{{i}}.0', f'{_PIXELS}.input_convs.{{i}}.conv'),
    (f'{_D2_PIXELS}.input_proj.{{i}}.1', f'{_PIXELS}.input_convs.{{i}}.gn'),
    (f'{_D2_PIXELS}.transformer.level_embed', f'{_PIXELS}.level_encoding.weight'),
    (f'{_D2_PIXELS}.transformer.encoder.layers.{{i}}.self_attn', f'{_PIXELS}.encoder.layers.{{i}}.self_attn'),
    *_D2_ENCODER_LAYER,
    *_D2_PYRAMID,
    *_D2_MASKS,
    (f'{_D2_PREDICTOR}.query_feat', 'head.query_feat'),
    (f'{_D2_PREDICTOR}.static_query', 'head.query_feat'),
    (f'{_D2_PREDICTOR}.level_embed', 'head.level_embed'),
    (f'{_D2_PREDICTOR}.decoder_norm', 'head.transformer_decoder.post_norm'),
    (f'{_D2_PREDICTOR}.transformer_cross_attention_layers.{{i}}.multihead_attn', f'{_DECODER}.cross_attn.attn'),
    (f'{_D2_PREDICTOR}.transformer_cross_attention_layers.{{i}}.norm', f'{_DECODER}.norms.0'),
    (f'{_D2_PREDICTOR}.transformer_self_attention_layers.{{i}}.self_attn', f'{_DECODER}.self_attn.attn'),
    (f'{_D2_PREDICTOR}.transformer_self_attention_layers.{{i}}.norm', f'{_DECODER}.norms.1'),
    (f'{_D2_PREDICTOR}.transformer_ffn_layers.{{i}}.linear1', f'{_DECODER}.ffn.layers.0.0'),
    (f'{_D2_PREDICTOR}.transformer_ffn_layers.{{i}}.linear2', f'{_DECODER}.ffn.layers.1'),
    (f'{_D2_PREDICTOR}.transformer_ffn_layers.{{i}}.norm', f'{_DECODER}.norms.2'),
]
# Its CLIP tower is called as CLIP calls it, its queries are contents without positions, and its decoder normalises
# before each block and not after it, so its blocks have no counterpart.
_LMSEG: Rows = [
    *[(f'backbone.{part}', f'backbone.visual.{part}') for part in ('conv1', 'conv2', 'conv3', 'bn1', 'bn2', 'bn3')],
    *[(f'backbone.layer{i}', f'backbone.visual.layer{i}') for i in range(1, 5)],
    (f'{_D2_PREDICTOR}.query_embed', 'head.query_feat'),
]


@dataclass(frozen=True)
class Layout:
    """How some code names the weights of its models."""

    name: str
    is_it: Callable[[str], bool]  # whether a name of a weight is only found there
    tables: tuple[Rows, ...]  # one after the other, from its names to ours; the last one has ours on the right


def _has(*parts: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(parts)


def _in_head(*parts: str) -> Callable[[str], bool]:
    return _has(*[f'{head}.{part}' for head in ('decode_head', 'panoptic_head') for part in parts])


LAYOUTS = (
    Layout("LMSeg's official code", _has(f'{_D2_PREDICTOR}.blocks.'), ((*_LMSEG, *_D2_MASKFORMER), _MASKFORMER)),
    Layout(
        "detectron2's Mask2Former",
        _has(f'{_D2_PREDICTOR}.transformer_cross_attention_layers.', f'{_D2_PIXELS}.transformer.level_embed'),
        (_D2_MASK2FORMER, _MASK2FORMER),
    ),
    Layout("detectron2's MaskFormer", _has(f'{_D2_PREDICTOR}.transformer.decoder.'), (_D2_MASKFORMER, _MASKFORMER)),
    Layout(
        "OpenMMLab's Mask2Former",
        _in_head('query_feat.', 'level_embed.', 'pixel_decoder.level_encoding.'),
        (_OLD_MASK2FORMER, _MASK2FORMER),
    ),
    Layout(
        "OpenMMLab's MaskFormer",
        _in_head('query_embed.', 'transformer_decoder.', 'pixel_decoder.last_feat_conv.'),
        (_OLD_MASKFORMER, _MASKFORMER),
    ),
)


def layout_of(names: Iterable[str]) -> Layout | None:
    """Whose names these are; None where they are of none of the layouts, as those of mmlmseg itself."""
    names = tuple(names)
    return next((layout for layout in LAYOUTS if any(map(layout.is_it, names))), None)


def renamed(weights: Mapping[str, Tensor], layout: Layout) -> dict[str, tuple[str, Tensor]]:
    """Weights by our names, each with its name before; those that no row renames are left out.

    The patch merging of Swin reads the four pixels of a patch column by column in the papers' code, but row by row in
    OpenMMLab's, so its weights are put in the other order.
    """
    *first, last = layout.tables
    if any(name.startswith(f'{_D2_PIXELS}.transformer.encoder.') for name in weights):
        first.append(_D2_WITH_ENCODER)
    found = {}
    for theirs, value in weights.items():
        name = re.sub(r'^(decode_head|panoptic_head)\.', 'head.', theirs)
        for rows in first:
            name = _rename(name, rows) or name
        if (ours := _rename(name, last)) is not None:
            merges = re.match(r'backbone\.layers\.\d+\.downsample\.', theirs) is not None
            found[ours] = (theirs, _merging_order(value) if merges else value)
    return found


def _rename(name: str, rows: Rows) -> str | None:
    for theirs, ours in rows:
        if match := _pattern(theirs).match(name):
            return ours.replace('{i}', '{}').format(*match.groups()) + name[match.end() :]
    return None


@functools.cache
def _pattern(left: str) -> re.Pattern[str]:
    return re.compile(re.escape(left).replace(r'\{i\}', r'(\d+)') + r'(?=\.|$)')


def _merging_order(value: Tensor) -> Tensor:
    """From channels ``[..., 4 * C]``, pixel by pixel, to OpenMMLab's, channel by channel."""
    return value.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :].transpose(-1, -2).flatten(-2)
