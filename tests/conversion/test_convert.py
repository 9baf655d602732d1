"""Published models go through the tables of names and predict the same; what has no counterpart starts anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import load_checkpoint
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from published import CLASSES, KINDS, Published, named, our_config, our_outputs, ours
from torch import Tensor

from mmlmseg.conversion import converted, layout_of
from mmlmseg.errors import CheckpointError
from mmlmseg.models.backbones.stems import adapted

IMAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=KINDS)
def published(request: pytest.FixtureRequest) -> tuple[str, Published]:
    return request.param, Published(request.param).eval()


def assert_same_outputs(model, theirs: Published) -> None:
    images = IMAGES.double()
    with torch.no_grad():
        for mine, other in zip(our_outputs(model.double(), images), theirs.double().outputs(images), strict=True):
            assert mine.shape == other.shape
            assert torch.allclose(mine, other, atol=1e-6, rtol=0), (mine - other).abs().max()


def test_a_published_model_predicts_the_same(published) -> None:
    kind, theirs = published
    model = ours(kind)
    conversion = converted(theirs.state_dict(), model)
    assert not conversion.new, conversion.report()
    assert conversion.left == (), conversion.report()
    assert (
        conversion.classes
        == "3 without names, taken to be those of 'street' in its order, 3 of the 3 of 'street' come along"
    )
    model.load_state_dict(theirs.state_dict())  # the model converts by itself
    assert_same_outputs(model, theirs)


@pytest.mark.parametrize('bands', [[3, 4], [4]])
def test_stems_start_from_the_published_one(published, bands: list[int]) -> None:
    kind, theirs = published
    model = MODELS.build(dict(our_config(kind), stems=dict(bands=bands)))
    model.load_state_dict(theirs.state_dict())
    stem = theirs.state_dict()['backbone.conv1.weight']
    own = model.state_dict()
    assert own['backbone.conv1.weight' if bands == [4] else 'backbone.conv1.weight_4'].equal(adapted(stem, 4))
    assert bands == [4] or own['backbone.conv1.weight'].equal(stem)


def panoptic(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return named(weights, (r'^decode_head\.', 'panoptic_head.'))


def before_version_3(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    cross_first = any('query_feat' in name for name in weights)
    layer = r'^decode_head(\.transformer_decoder\.layers\.\d+)\.'
    return named(
        weights,
        (r'^decode_head(\.pixel_decoder\.encoder\.layers\.\d+)\.self_attn\.', r'panoptic_head\1.attentions.0.'),
        (r'^decode_head(\.pixel_decoder\.encoder\.layers\.\d+)\.ffn\.', r'panoptic_head\1.ffns.0.'),
        (layer + r'cross_attn\.', rf'panoptic_head\1.attentions.{0 if cross_first else 1}.'),
        (layer + r'self_attn\.', rf'panoptic_head\1.attentions.{1 if cross_first else 0}.'),
        (layer + r'ffn\.', r'panoptic_head\1.ffns.0.'),
        (r'^decode_head\.', 'panoptic_head.'),
    )


def detectron2(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the papers' code."""
    kept = {name: value for name, value in weights.items() if not name.endswith('num_batches_tracked')}
    pixels, predictor = 'sem_seg_head.pixel_decoder.', 'sem_seg_head.predictor.'
    layer = r'^decode_head\.transformer_decoder\.layers\.(\d+)\.'
    plain = predictor + r'transformer.decoder.layers.\1.'
    masked = [predictor + rf'transformer_{part}_layers.\1.' for part in ('cross_attention', 'self_attention', 'ffn')]
    of_mask2former = any('query_feat' in name for name in weights)
    decoder = (
        [
            (layer + r'cross_attn\.attn\.', masked[0] + 'multihead_attn.'),
            (layer + r'self_attn\.attn\.', masked[1] + 'self_attn.'),
            (layer + r'ffn\.layers\.0\.0\.', masked[2] + 'linear1.'),
            (layer + r'ffn\.layers\.1\.', masked[2] + 'linear2.'),
            *[(layer + rf'norms\.{i}\.', masked[i] + 'norm.') for i in range(3)],
            (r'^decode_head\.transformer_decoder\.post_norm\.', predictor + 'decoder_norm.'),
            (r'^decode_head\.(query_feat|level_embed)\.', predictor + r'\1.'),
            (
                r'^decode_head\.pixel_decoder\.encoder\.layers\.(\d+)\.self_attn\.',
                pixels + r'transformer.encoder.layers.\1.self_attn.',
            ),
        ]
        if of_mask2former
        else [
            (layer + r'self_attn\.attn\.', plain + 'self_attn.'),
            (layer + r'cross_attn\.attn\.', plain + 'multihead_attn.'),
            (layer + r'ffn\.layers\.0\.0\.', plain + 'linear1.'),
            (layer + r'ffn\.layers\.1\.', plain + 'linear2.'),
            *[(layer + rf'norms\.{i}\.', plain + f'norm{i + 1}.') for i in range(3)],
            (r'^decode_head\.transformer_decoder\.post_norm\.', predictor + 'transformer.decoder.norm.'),
            (
                r'^decode_head\.pixel_decoder\.encoder\.layers\.(\d+)\.self_attn\.attn\.',
                pixels + r'transformer.encoder.layers.\1.self_attn.',
            ),
        ]
    )
    encoder = r'^decode_head\.pixel_decoder\.encoder\.layers\.(\d+)\.'
    encoder_layer = pixels + r'transformer.encoder.layers.\1.'
    stages = [
        rule
        for i in range(1, 5)
        for rule in [
            (rf'^backbone\.layer{i}\.(\d+)\.downsample\.0\.', rf'backbone.res{i + 1}.\1.shortcut.'),
            (rf'^backbone\.layer{i}\.(\d+)\.downsample\.1\.', rf'backbone.res{i + 1}.\1.shortcut.norm.'),
            (rf'^backbone\.layer{i}\.(\d+)\.bn(\d)\.', rf'backbone.res{i + 1}.\1.conv\2.norm.'),
            (rf'^backbone\.layer{i}\.', f'backbone.res{i + 1}.'),
        ]
    ]
    pyramid = [
        (rf'^decode_head\.pixel_decoder\.{ours}\.{i}\.{part}\.', f'{pixels}{theirs}_{i + 1}.{norm}')
        for i in range(3)
        for ours, theirs in (('lateral_convs', 'adapter'), ('output_convs', 'layer'))
        for part, norm in (('conv', ''), ('gn', 'norm.'))
    ]
    return named(
        kept,
        *decoder,
        (r'^decode_head\.pixel_decoder\.level_encoding\.weight', pixels + 'transformer.level_embed'),
        (r'^decode_head\.pixel_decoder\.input_convs\.(\d)\.conv\.', pixels + r'input_proj.\1.0.'),
        (r'^decode_head\.pixel_decoder\.input_convs\.(\d)\.gn\.', pixels + r'input_proj.\1.1.'),
        (r'^decode_head\.pixel_decoder\.(last_feat_conv|encoder_out_proj)\.conv\.', pixels + 'layer_4.'),
        (r'^decode_head\.pixel_decoder\.(last_feat_conv|encoder_out_proj)\.gn\.', pixels + 'layer_4.norm.'),
        (r'^decode_head\.pixel_decoder\.encoder_in_proj\.', pixels + 'input_proj.'),
        (encoder + r'ffn\.layers\.0\.0\.', encoder_layer + 'linear1.'),
        (encoder + r'ffn\.layers\.1\.', encoder_layer + 'linear2.'),
        (encoder + r'norms\.0\.', encoder_layer + 'norm1.'),
        (encoder + r'norms\.1\.', encoder_layer + 'norm2.'),
        *pyramid,
        (r'^decode_head\.pixel_decoder\.mask_feature\.', pixels + 'mask_features.'),
        (r'^decode_head\.query_embed\.', predictor + 'query_embed.'),
        (r'^decode_head\.decoder_input_proj\.', predictor + 'input_proj.'),
        (r'^decode_head\.cls_embed\.', predictor + 'class_embed.'),
        *[(rf'^decode_head\.mask_embed\.{2 * i}\.', f'{predictor}mask_embed.layers.{i}.') for i in range(3)],
        (r'^backbone\.conv1\.', 'backbone.stem.conv1.'),
        (r'^backbone\.bn1\.', 'backbone.stem.conv1.norm.'),
        *stages,
    )


@pytest.mark.parametrize('names', [panoptic, before_version_3, detectron2])
def test_every_layout_of_names_is_known(published, names) -> None:
    kind, theirs = published
    weights = names(theirs.state_dict())
    assert not any(name.startswith('decode_head') for name in weights)
    whose = "detectron2's" if names is detectron2 else "OpenMMLab's"
    assert layout_of(weights).name == f'{whose} {"Mask2Former" if kind == "mask2former" else "MaskFormer"}'
    model = ours(kind)
    conversion = converted(weights, model)
    assert not conversion.new, conversion.report()
    assert conversion.left == (), conversion.report()
    model.load_state_dict(weights)
    assert_same_outputs(model, theirs)


def test_a_swin_of_the_papers_code_equals_openmmlabs() -> None:
    swin = MODELS.build(
        dict(
            type='mmseg.SwinTransformer',
            pretrain_img_size=32,
            embed_dims=8,
            depths=(1, 1, 1, 1),
            num_heads=(1, 1, 1, 1),
            window_size=2,
        )
    )
    weights = {
        f'backbone.{name}': torch.randn_like(value)
        for name, value in swin.state_dict().items()
        if value.is_floating_point()
    }
    published = Published('maskformer')
    theirs = named(
        weights,
        (r'^backbone\.patch_embed\.projection\.', 'backbone.patch_embed.proj.'),
        (r'^backbone\.stages\.(\d)\.blocks\.(\d)\.attn\.w_msa\.', r'backbone.layers.\1.blocks.\2.attn.'),
        (r'^backbone\.stages\.(\d)\.blocks\.(\d)\.ffn\.layers\.0\.0\.', r'backbone.layers.\1.blocks.\2.mlp.fc1.'),
        (r'^backbone\.stages\.(\d)\.blocks\.(\d)\.ffn\.layers\.1\.', r'backbone.layers.\1.blocks.\2.mlp.fc2.'),
        (r'^backbone\.stages\.', 'backbone.layers.'),
    )
    for name in theirs:
        if (
            '.downsample.' in name
        ):  # input channels: here C times four pixels, row by row; there four pixels, column by column
            value = theirs[name].unflatten(-1, (-1, 2, 2))
            theirs[name] = value.permute(*range(value.dim() - 3), -1, -2, -3).flatten(-3)
    head = {
        name: value for name, value in detectron2(published.state_dict()).items() if name.startswith('sem_seg_head')
    }
    model = ours('maskformer')
    model.backbone = swin
    conversion = converted({**theirs, **head}, model)
    assert not conversion.new, conversion.report()
    assert all(conversion.state_dict[name].equal(value) for name, value in weights.items())


def test_lmsegs_code_gives_all_but_blocks_and_text(tiny_clip: str) -> None:
    tower = MODELS.build(dict(type='mmlmseg.CLIPResNet', model=tiny_clip))
    names = {name: name.replace('visual.', 'backbone.') for name in tower.state_dict()}
    head = detectron2(Published('maskformer').state_dict())
    weights = {
        **{names[name]: torch.randn_like(value) for name, value in tower.state_dict().items()},
        **{
            n: v for n, v in head.items() if 'sem_seg_head' in n and '.transformer.' not in n and 'class_embed' not in n
        },
        'sem_seg_head.predictor.blocks.0.attn1.qkv.weight': torch.ones(96, 32),
        'text_encoder.positional_embedding': torch.ones(18, 8),
    }
    queries = dict(type='mmlmseg.SharedQueries', num_queries=8, learn_content=True)
    model = ours('maskformer', queries=queries, decoder=GUIDED, **TEXT)
    model.backbone = tower
    conversion = converted(weights, model)
    assert conversion.layout == "LMSeg's official code"
    assert conversion.left == tuple(list(weights)[-2:])
    parts = {'.'.join(name.split('.')[:3]) for name in conversion.new}
    assert {part for part in parts if 'text' not in part} == {
        'decode_head.queries.position',
        'decode_head.decoder.layers',
        'decode_head.decoder.norm',
    }
    state = conversion.state_dict
    assert state['backbone.visual.layer2.1.conv3.weight'].equal(weights['backbone.layer2.1.conv3.weight'])
    assert state['decode_head.queries.content.weight'].equal(weights['sem_seg_head.predictor.query_embed.weight'])


@pytest.mark.parametrize('container', [None, 'model', 'state_dict'])
def test_mmengine_loads_every_container(tmp_path: Path, container: str | None) -> None:
    theirs = Published('maskformer')
    weights = detectron2(theirs.state_dict())
    torch.save(weights if container is None else {container: weights, 'iteration': 3}, tmp_path / 'final.pth')
    model = ours('maskformer')
    load_checkpoint(model, str(tmp_path / 'final.pth'))
    assert model.decode_head.mask_embedding.layers[2].weight.equal(theirs.decode_head.mask_embed[4].weight)


def test_classes_are_matched_by_name(published) -> None:
    kind, theirs = published
    model = ours(kind, [dict(name='a', classes=['car', 'road']), dict(name='b', classes=['tree', 'car', 'sky'])])
    conversion = converted(theirs.state_dict(), model, classes=CLASSES)
    own, head = conversion.state_dict, theirs.decode_head.cls_embed
    assert own['decode_head.classifier.layers.0.weight'][[0, 2]].equal(head.weight[[2, 3]])
    assert own['decode_head.classifier.layers.0.bias'][1].equal(model.decode_head.classifier.layers[0].bias[1])
    assert own['decode_head.classifier.layers.1.bias'].equal(head.bias[[1, 2, 0, 3]])
    assert conversion.new == tuple(f'decode_head.classifier.layers.0.{kind}' for kind in ('weight', 'bias'))
    assert conversion.classes == "by name, 1 of the 2 of 'a' come along, 3 of the 3 of 'b' come along"


def test_a_class_as_it_is_written_goes_before_one_of_like_name() -> None:
    theirs, model = Published('maskformer'), ours('maskformer', [dict(name='a', classes=['wall', 'tree'])])
    conversion = converted(theirs.state_dict(), model, classes=['wall', 'wall-other', 'tree'])
    assert conversion.state_dict['decode_head.classifier.layers.0.bias'].equal(
        theirs.decode_head.cls_embed.bias[[0, 2, 3]]
    )


def test_a_class_head_of_another_size_starts_anew(published) -> None:
    kind, theirs = published
    model = ours(kind, [dict(name='a', classes=['car', 'road'])])
    before = model.decode_head.classifier.layers[0].weight.clone()
    conversion = converted(theirs.state_dict(), model)
    assert {name.rpartition('.')[0] for name in conversion.new} == {'decode_head.classifier.layers.0'}
    assert conversion.left == ('decode_head.cls_embed.weight', 'decode_head.cls_embed.bias')
    report = conversion.report()
    assert 'a head of 3 classes without names fits none of the label spaces' in report
    assert 'starting anew: decode_head.classifier.layers.* (2)' in report
    model.load_state_dict(theirs.state_dict())
    assert model.decode_head.classifier.layers[0].weight.equal(before)


TEXT = dict(
    text=dict(type='mmlmseg.TextTable', encoder=dict(type='mmlmseg.TextBankEncoder')),
    classifier=dict(type='mmlmseg.TextClassifier'),
)
GUIDED = dict(type='mmlmseg.CategoryGuidedDecoder', num_layers=3, num_heads=4, ffn_channels=64, dropout=0.0)
TWO = [dict(name='a', classes=['car', 'road']), dict(name='b', classes=['tree', 'car', 'sky'])]


def test_lmseg_starts_from_maskformer_with_all_but_text() -> None:
    theirs = Published('maskformer')
    model = ours('maskformer', TWO, decoder=GUIDED, **TEXT)
    conversion = converted(theirs.state_dict(), model)
    assert {'text' in name or 'log_scale' in name for name in conversion.new} == {True}
    assert conversion.left == ('decode_head.cls_embed.weight', 'decode_head.cls_embed.bias')
    text = [name for name, _ in model.named_parameters() if 'text' in name]
    assert sorted(conversion.new) == sorted(text)


@pytest.mark.parametrize('mode', ['replace', 'add'])
def test_resi_starts_from_mask2former_with_queries_for_each_space(mode: str) -> None:
    theirs = Published('mask2former')
    queries = dict(type='mmlmseg.LabelSpaceQueries', num_queries=8, mode=mode)
    model = ours('mask2former', TWO, queries=queries, **TEXT)
    state = converted(theirs.state_dict(), model).state_dict
    expected = torch.stack([theirs.decode_head.query_feat.weight, theirs.decode_head.query_embed.weight])
    model.load_state_dict(state)
    for space in ('a', 'b'):
        assert torch.stack(model.decode_head.queries([space]))[:, 0].equal(expected)


def test_queries_of_another_number_start_anew() -> None:
    conversion = converted(Published('mask2former', num_queries=5).state_dict(), ours('mask2former'))
    assert conversion.new == ('decode_head.queries.position.weight', 'decode_head.queries.content.weight')


def test_a_pixel_decoder_of_another_kind_starts_anew() -> None:
    conversion = converted(Published('mask2former').state_dict(), ours('maskformer'))
    assert {name.split('.')[1] for name in conversion.new} == {'pixel_features'}
    assert any('input_convs' in name for name in conversion.left)


def test_a_converted_model_is_trained_before_it_predicts() -> None:
    model = ours('maskformer', [dict(name='a', classes=['car', 'road'])])
    model.load_state_dict(Published('maskformer').state_dict())
    with pytest.raises(CheckpointError, match=r'2 tensors of the model \(decode_head\.classifier.*train first'):
        model.predict([torch.rand(1, 3, 32, 32)], [])
    again = ours('maskformer', [dict(name='a', classes=['car', 'road'])])
    again.load_state_dict(model.state_dict())  # tells it
    with pytest.raises(CheckpointError, match='train first'):
        again.predict([], [])
    again.loss([torch.rand(1, 3, 32, 32)], [sample()])
    assert again.predict([], []) == []
    model.load_state_dict(again.state_dict())
    assert model.predict([], []) == []


def sample() -> SegDataSample:
    meta = dict(img_shape=(32, 32), batch_input_shape=(32, 32))
    return SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 32, 32, dtype=torch.long)), metainfo=meta)
