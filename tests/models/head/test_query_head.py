from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS

from mmlmseg.errors import CheckpointError, LabelSpaceError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.head.pixel_features import PixelFeatureExtractor


def test_label_spaces_come_from_the_data(model_config) -> None:
    config = model_config()['decode_head']
    del config['label_spaces']
    with pytest.raises(LabelSpaceError, match='model.decode_head has no label_spaces.*complete_label_spaces'):
        MODELS.build(config)


def test_a_sample_must_say_its_space(model_config) -> None:
    head = MODELS.build(model_config()['decode_head'])
    with pytest.raises(LabelSpaceError, match=r'a\.jpg does not say its label space.*street, facade'):
        head.asked_spaces(dict(img_path='a.jpg'))
    alone = MODELS.build(model_config(label_spaces=[LabelSpace.create('only', ['sky', 'road'])])['decode_head'])
    assert alone.asked_spaces({}) == ['only']


@pytest.mark.parametrize('text', [True, False])
def test_categories(model_config, text: bool) -> None:
    head = MODELS.build(model_config(text=text)['decode_head']).eval()
    asked = head.categories(['facade', 'street'])
    expected = torch.tensor([[1, 1, 1, 0, 0, 1], [1, 1, 1, 1, 1, 1]], dtype=torch.bool)
    assert asked.valid.equal(expected)
    assert head.categories(['facade']).valid.shape == (1, 4)
    assert head.categories(['facade'], width=5).valid.equal(expected[:1])
    with pytest.raises(LabelSpaceError, match='this model knows street, facade'):
        head.categories(['streets'])


def test_a_free_class_list_needs_text(model_config) -> None:
    head = MODELS.build(model_config(text=False)['decode_head'])
    with pytest.raises(LabelSpaceError, match='free class list needs a model that reads class names'):
        head.categories([LabelSpace.create('street', ['sky'])])


def test_a_checkpoint_knows_what_its_class_logits_mean(model_config) -> None:
    def head(**options):
        space = LabelSpace.create('street', ['sky', 'car', 'dog'], things=options.pop('things', ['car', 'dog']))
        return MODELS.build(model_config([space], text=False, **options)['decode_head'])

    plain = head()
    head().load_state_dict(plain.state_dict())
    for trained, other, message in (
        (
            head(class_activation='sigmoid'),
            plain,
            "trained with class_activation='sigmoid', the config has .*'softmax'",
        ),
        (plain, head(things_only=True), 'trained with things_only=False, the config has things_only=True'),
        (head(things_only=True), head(things_only=True, things=['car']), 'the things of the checkpoint are car, dog'),
    ):
        with pytest.raises(CheckpointError, match=message):
            other.load_state_dict(trained.state_dict())


def test_lists_of_one_united_taxonomy_cannot_be_shortened(model_config) -> None:
    classifier = dict(type='mmlmseg.UnifiedClassifier')
    with pytest.raises(ValueError, match='drop_absent takes classes off lists, but UnifiedClassifier has one list'):
        MODELS.build(model_config(text=False, classifier=classifier, drop_absent=0.3)['decode_head'])
    alone = [LabelSpace.create('only', ['sky', 'road'])]  # where its columns are those of the space
    with pytest.raises(ValueError, match='UnifiedClassifier has one list'):
        MODELS.build(model_config(alone, text=False, classifier=classifier, drop_absent=0.3)['decode_head'])


def test_every_convolution_of_the_pyramid_starts_as_maskformers() -> None:
    made = PixelFeatureExtractor(
        dict(type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=8)), [64, 128, 256], 64, 64
    )
    made.init_weights()
    for name, module in made.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            fan_in = module.in_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx(fan_in**-0.5, rel=0.1), name


NORM = dict(norm_cfg=dict(type='GN', num_groups=8))
SMALL = dict(num_layers=1, num_heads=4, ffn_channels=32)


@pytest.mark.parametrize(
    ('part', 'config'),
    [
        ('pixel_features.pixel_decoder', dict(type='mmdet.PixelDecoder', **NORM)),
        ('pixel_features.pixel_decoder', dict(type='mmlmseg.DeformablePixelDecoder', **NORM, **SMALL)),
        ('decoder', dict(type='mmlmseg.PlainDecoder', **SMALL)),
        ('decoder', dict(type='mmlmseg.MaskedAttentionDecoder', num_levels=1, **SMALL)),
        ('queries', dict(type='mmlmseg.SharedQueries', num_queries=4)),
    ],
)
def test_pretrained_parts_keep_their_weights(model_config, tmp_path: Path, part: str, config: dict[str, Any]) -> None:
    key = part.rpartition('.')[2]
    built = MODELS.build(model_config(text=False, **{key: config})['decode_head'])
    published = {
        f'there.{name}': torch.full_like(value, 0.5) for name, value in built.get_submodule(part).named_parameters()
    }
    torch.save(dict(state_dict=published), tmp_path / 'part.pth')
    start = dict(type='Pretrained', checkpoint=str(tmp_path / 'part.pth'), prefix='there.')
    head = MODELS.build(model_config(text=False, **{key: {**config, 'init_cfg': start}})['decode_head'])
    head.init_weights()
    assert all(bool((value == 0.5).all()) for value in head.get_submodule(part).parameters())
