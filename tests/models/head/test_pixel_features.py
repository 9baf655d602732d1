from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmlmseg.models.head.mask_embedding import MaskEmbedding
from mmlmseg.models.head.pixel_features import PixelFeatureExtractor, padding_mask
from mmlmseg.registry import MODELS

GN = dict(type='GN', num_groups=4)
ENCODER = dict(
    num_layers=1,
    layer_cfg=dict(
        self_attn_cfg=dict(embed_dims=16, num_heads=2, batch_first=True),
        ffn_cfg=dict(embed_dims=16, feedforward_channels=16),
    ),
)
DEFORMABLE = dict(
    num_layers=1,
    layer_cfg=dict(
        self_attn_cfg=dict(embed_dims=16, num_heads=2, num_levels=3, num_points=2, batch_first=True),
        ffn_cfg=dict(embed_dims=16, feedforward_channels=16),
    ),
)
DECODERS = {
    'plain': dict(type='mmdet.PixelDecoder', norm_cfg=GN),
    'transformer': dict(
        type='mmdet.TransformerEncoderPixelDecoder',
        norm_cfg=GN,
        encoder=ENCODER,
        positional_encoding=dict(num_feats=8, normalize=True),
    ),
    'ours': dict(type='mmlmseg.DeformablePixelDecoder', norm_cfg=GN, num_layers=1, num_heads=2, num_points=2),
    'deformable': dict(
        type='mmdet.MSDeformAttnPixelDecoder',
        num_outs=3,
        norm_cfg=GN,
        act_cfg=dict(type='ReLU'),
        encoder=DEFORMABLE,
        positional_encoding=dict(num_feats=8, normalize=True),
    ),
}


@pytest.mark.parametrize(('name', 'levels'), [('plain', 1), ('transformer', 1), ('deformable', 3), ('ours', 3)])
def test_every_pixel_decoder_fits_behind_one_interface(name: str, levels: int) -> None:
    extractor = PixelFeatureExtractor(DECODERS[name], [4, 8, 12, 24], channels=16, mask_channels=20)
    extractor.init_weights()
    feats = [torch.randn(2, c, 64 // s, 96 // s) for c, s in zip([4, 8, 12, 24], [4, 8, 16, 32])]
    metas = [dict(batch_input_shape=(64, 96), img_shape=(64, 96)), dict(batch_input_shape=(64, 96), img_shape=(30, 60))]
    pixels = extractor(feats, metas)
    assert pixels.mask.shape == (2, 20, 16, 24)
    assert len(pixels.memory) == levels
    for level in pixels.memory:
        assert level.value.shape == level.position.shape == (2, level.size[0] * level.size[1], 16)
        assert level.padding.shape == level.value.shape[:2]
        assert not level.padding[0].any()
        assert level.padding[1].any()
    assert pixels.memory[0].size == (2, 3)  # coarse first


def test_padding_is_where_no_content_is() -> None:
    metas = [dict(batch_input_shape=(64, 64), img_shape=s) for s in [(64, 64), (32, 48), (1, 1)]]
    mask = padding_mask(metas, (4, 4), torch.device('cpu'))
    assert not mask[0].any()
    expected = torch.ones(4, 4, dtype=torch.bool)
    expected[:2, :3] = False
    assert mask[1].equal(expected)
    assert not mask[2, 0, 0]  # something stays visible
    assert mask[2].sum() == 15


def test_masks_are_products_of_queries_and_pixels() -> None:
    embed = MaskEmbedding(8, 6)
    queries, pixels = torch.randn(2, 3, 4, 8), torch.randn(3, 6, 5, 7)
    masks = embed.masks(embed(queries), pixels)
    assert masks.shape == (2, 3, 4, 5, 7)
    vector = embed.layers[2](embed.layers[1](embed.layers[0](queries[1, 2, 3]).relu()).relu())
    torch.testing.assert_close(masks[1, 2, 3], torch.einsum('c,chw->hw', vector, pixels[2]))


def test_masks_of_resized_embeddings_are_resized_masks(model_config) -> None:
    head = MODELS.build(model_config()['decode_head']).double()
    pixels, queries = torch.randn(2, 32, 8, 12, dtype=torch.float64), torch.randn(2, 5, 32, dtype=torch.float64)
    categories = head.categories(['street', 'street'])
    masks_at = head._masks_at(pixels, categories)
    full = head.mask_embedding.masks(head.mask_embedding(queries[None]), pixels)[0]
    assert not masks_at(queries, (8, 12)).requires_grad
    for size in [(8, 12), (4, 6), (3, 5)]:
        wanted = F.interpolate(full, size=size, mode='bilinear', align_corners=False)
        torch.testing.assert_close(masks_at(queries, size), wanted)
