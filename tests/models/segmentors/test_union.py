"""Models of single label spaces put together."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from mmlmseg.errors import CheckpointError, LabelSpaceError, OptionError
from mmlmseg.evaluation import PanopticInstanceQuality, PanopticQuality
from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import SegmentMap

NAMES = ('street', 'town')
PANOPTIC = dict(tasks=['semantic', 'panoptic'], panoptic=dict(object=0.0, overlap=0.3))


def union_config(configs: list[dict[str, Any]], **test_cfg: Any) -> dict[str, Any]:
    common = dict(data_preprocessor=configs[0]['data_preprocessor'], test_cfg=test_cfg or PANOPTIC)
    return dict(type='mmlmseg.SegmentorUnion', members=configs, **common)


def exact(model: nn.Module) -> nn.Module:
    model.double().eval()
    model.data_preprocessor.cast_dtype = torch.float64
    return model


def build(config: dict[str, Any]) -> nn.Module:
    """Untrained, but with queries that differ and find something."""
    model = MODELS.build(config)
    model.init_weights()
    with torch.no_grad():
        for head in [own.decode_head for own in getattr(model, 'members', [model])]:
            for p in head.queries.parameters():
                p.mul_(20)
            for p in (*head.decoder.parameters(), *head.classifier.parameters()):
                p.add_(0.3 * torch.randn_like(p))
            for p in head.mask_embedding.parameters():
                p.copy_(0.5 * torch.randn_like(p))
    return exact(model)


def predict(model: nn.Module, samples: list[dict[str, Any]], **meta: Any) -> list[Any]:
    samples = copy.deepcopy(samples)
    for sample in samples:
        sample['data_samples'].set_metainfo(meta)
    batch = dict(inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'] for s in samples])
    data = model.data_preprocessor(batch, False)
    return model([group.double() for group in data['inputs']], data['data_samples'], mode='predict')


@pytest.fixture
def spaces() -> list[LabelSpace]:
    """Two that share most names, so that there are duplicates."""
    return [
        LabelSpace.create('street', ['sky', 'building', 'tree', 'road', 'car'], things=['car']),
        LabelSpace.create('town', ['tree', 'building', 'wall', 'car', 'sky', 'road'], things=['building']),
    ]


@pytest.fixture
def single_configs(model_config, spaces: list[LabelSpace]) -> list[dict[str, Any]]:
    """A model with and one without text, of a space each."""
    made = [model_config(label_spaces=[space], text=text) for space, text in zip(spaces, (True, False))]
    return [dict(config, test_cfg=PANOPTIC) for config in made]


@pytest.fixture
def batch(make_sample) -> list[dict[str, Any]]:
    return [make_sample('street'), make_sample('town', (96, 64), seed=1), make_sample('street', seed=2)]


def test_answers_what_its_members_answer(single_configs, batch) -> None:
    union = build(union_config(single_configs))
    assert union.label_spaces.names == NAMES
    found = predict(union, batch)
    assert [sample.img_path for sample in found] == [sample['data_samples'].img_path for sample in batch]
    segments = 0
    for sample, result in zip(batch, found):
        member = union.members[NAMES.index(*result.label_spaces)]
        (alone,) = predict(member, [sample])
        assert torch.equal(result.pred_sem_seg.data, alone.pred_sem_seg.data)
        assert torch.equal(result.pred_segments.ids, alone.pred_segments.ids)
        assert torch.equal(result.pred_segments.labels, alone.pred_segments.labels)
        segments += len(alone.pred_segments.labels)
    assert segments > len(batch)


@pytest.mark.parametrize('text', [True, False])
def test_is_one_model_where_its_members_share_weights(model_config, spaces, batch, text: bool) -> None:
    """Duplicates, exclusive groups and the order of the asked spaces are those of the joint model."""
    test_cfg = dict(PANOPTIC, mixed=dict(duplicate_iou=0.0))
    joint = build(dict(model_config(text=text), test_cfg=test_cfg))
    union = MODELS.build(union_config([model_config(label_spaces=[space], text=text) for space in spaces], **test_cfg))
    weights = dict(joint.named_parameters()) | dict(joint.named_buffers())
    with torch.no_grad():
        for i, member in enumerate(union.members):
            for name, value in (*member.named_parameters(), *member.named_buffers()):
                if name != 'decode_head.text.table':
                    value.copy_(weights[name.replace('classifier.layers.0', f'classifier.layers.{i}')])
    exact(union)
    united = 0
    for asked in (
        dict(label_spaces=NAMES),
        dict(label_spaces=NAMES[::-1]),
        dict(label_spaces=NAMES, exclusive=[['street:building', 'town']]),
        dict(label_spaces=NAMES[1:]),
    ):
        for one, other in zip(predict(joint, batch, **asked), predict(union, batch, **asked)):
            expected, found = one.pred_segments.to_masks(), other.pred_segments.to_masks()
            assert found.origins == expected.origins
            assert torch.equal(found.labels, expected.labels)
            assert torch.equal(found.masks, expected.masks)
            torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=1e-12)
            united += sum(len(origin) > 1 for origin in found.origins or ())
    assert united or not text  # untrained linear layers agree on nothing


def truth_like(segments: SegmentMap) -> SegmentMap:
    """A truth that differs: its first column is void, a corner is another segment, each third has another class."""
    ids = segments.ids.clone()
    ids[..., :24, :24] = 1
    ids[..., :8] = 0
    labels = torch.tensor([0 if i % 3 == 0 else label for i, label in enumerate(segments.labels.tolist())])
    return SegmentMap(ids, labels, crowd=torch.zeros(len(labels), dtype=torch.bool))


def joined(first: SegmentMap, second: SegmentMap, classes: int) -> SegmentMap:
    """Two maps of the same pixels in a space each, the first of which has some classes."""
    ids = torch.cat([first.ids, torch.where(second.void, 0, second.ids + len(first.labels))])
    assert first.crowd is not None
    assert second.crowd is not None
    return SegmentMap(ids, torch.cat([first.labels, second.labels + classes]), torch.cat([first.crowd, second.crowd]))


def test_piq_is_the_mean_of_the_pq_of_its_members(single_configs, spaces, make_sample) -> None:
    union = build(union_config(single_configs, **PANOPTIC, mixed=dict(duplicate_iou=None)))
    samples = [make_sample('street', seed=seed) for seed in range(3)]
    metrics, truths = [], []
    for space, member in zip(spaces, union.members):
        metrics.append(PanopticQuality())
        metrics[-1].dataset_meta = dict(
            spaces=(space,), classes=space.classes, is_thing=space.is_thing, groups=(0,) * space.num_classes
        )
        alone = predict(member, samples, label_spaces=(space.name,))
        for sample in alone:
            sample.gt_segments = truth_like(sample.pred_segments)
        truths.append([sample.gt_segments for sample in alone])
        metrics[-1].process(None, [sample.to_dict() for sample in alone])
    piq = PanopticInstanceQuality()
    piq.dataset_meta = dict(
        spaces=tuple(spaces),
        classes=[name for space in spaces for name in space.classes],
        is_thing=[thing for space in spaces for thing in space.is_thing],
        groups=[i for i, space in enumerate(spaces) for _ in space.classes],
    )
    for sample, *own in zip(predict(union, samples, label_spaces=NAMES), *truths):
        sample.gt_segments = joined(*own, spaces[0].num_classes)
        piq.process(None, [sample.to_dict()])
    mixed, singles = piq.compute_metrics(piq.results), [m.compute_metrics(m.results) for m in metrics]
    per_image = torch.cat([metric.per_image for metric in metrics], dim=-1)
    assert torch.allclose(piq.per_image, per_image, rtol=0, atol=1e-9)
    seen = [int((metric.per_image[:, 1:].sum((0, 1)) > 0).sum()) for metric in metrics]  # classes that occur
    weighted = sum(n * single['PQ'] for n, single in zip(seen, singles)) / sum(seen)
    assert mixed['PIQ'] == pytest.approx(weighted, abs=0.011)
    assert 5 < mixed['PIQ'] < 95


def test_what_nobody_or_everybody_knows(single_configs, batch) -> None:
    with pytest.raises(LabelSpaceError, match="'street' is known to two members of the union, 0 and 1; it must be one"):
        MODELS.build(union_config([single_configs[0], single_configs[0]]))
    thresholds = dict(panoptic=dict(per_space=dict(street=dict(object=0.5))))
    with pytest.raises(LabelSpaceError, match="unknown label space 'street'"):
        MODELS.build(union_config(single_configs[1:], **thresholds))
    union = build(union_config(single_configs))
    with pytest.raises(LabelSpaceError, match="unknown label space 'towns'.* Did you mean: town"):
        predict(union, batch, label_spaces=('street', 'towns'))
    with pytest.raises(LabelSpaceError, match='not in a class list'):
        predict(union, batch, label_spaces=('street', LabelSpace.create('own', ['dog'])))
    nameless = copy.deepcopy(batch[:1])
    del nameless[0]['data_samples'].label_spaces
    with pytest.raises(LabelSpaceError, match=r'street0\.jpg does not say its label space'):
        predict(union, nameless)


def test_members_read_the_same_images(single_configs) -> None:
    other = copy.deepcopy(single_configs)
    other[1]['data_preprocessor']['mean'] = [0.0] * 3
    with pytest.raises(OptionError, match='member 1 of the union has a data_preprocessor of its own'):
        MODELS.build(union_config(other))


def test_its_checkpoint_holds_all_members(single_configs) -> None:
    first, second = (MODELS.build(union_config(single_configs)) for _ in range(2))
    state = first.state_dict()
    second.load_state_dict(state)
    for name, value in first.named_parameters():
        assert torch.equal(value, dict(second.named_parameters())[name])
    assert {name.split('.')[1] for name in state if name.startswith('members.')} == {'0', '1'}
    lost = {name: value for name, value in state.items() if name != 'members.1.backbone.conv1.weight'}
    with pytest.raises(CheckpointError, match=r'backbone\.conv1\.weight is missing'):
        second.load_state_dict(lost, strict=False)
    with pytest.raises(NotImplementedError, match='a union only predicts'):
        second(torch.zeros(1, 3, 64, 64), [], mode='loss')


FROZEN = dict(
    type='mmlmseg.TimmBackbone',
    model='vit_small_patch16_dinov3',
    frozen=True,
    options=dict(embed_dim=32, depth=2, num_heads=2),
)


@pytest.fixture
def on_one_encoder(model_config, spaces: list[LabelSpace]) -> list[dict[str, Any]]:
    """Models of a space each on a frozen encoder of one kind: one with text, one without."""
    made = [model_config(label_spaces=[space], text=text) for space, text in zip(spaces, (True, False))]
    for config in made:
        config['backbone'] = FROZEN
        config['decode_head']['in_channels'] = [32] * 4
        config['neck'] = dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=32, out_channels=32)
        config['data_preprocessor'].pop('size_divisor')
    return [dict(config, test_cfg=PANOPTIC) for config in made]


def test_heads_share_a_frozen_encoder(on_one_encoder, batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that comes along changes no bit of what the others say, and the encoder sees each image once."""
    first, second = (build(config) for config in on_one_encoder)
    second.backbone.load_state_dict(first.backbone.state_dict())
    union = exact(MODELS.build(dict(union_config(on_one_encoder), shared_encoder=True)))
    state = {
        f'members.{i}.{key}': value for i, own in enumerate((first, second)) for key, value in own.state_dict().items()
    }
    union.load_state_dict(state)
    assert union.members[1].backbone is union.members[0].backbone
    calls: list[int] = []
    forward = type(first.backbone).maps
    monkeypatch.setattr(
        type(first.backbone), 'maps', lambda self, images: calls.append(len(images)) or forward(self, images)
    )
    sample = batch[0]
    for question, member in ((['street'], first), (['town'], second)):
        (alone,) = predict(member, [sample], label_spaces=question)
        (asked,) = predict(union, [sample], label_spaces=question)
        assert torch.equal(asked.pred_sem_seg.data, alone.pred_sem_seg.data)
        assert torch.equal(asked.pred_segments.ids, alone.pred_segments.ids)
    calls.clear()
    predict(union, [sample, batch[2]], label_spaces=['street', 'town'])
    assert calls == [2]


@pytest.mark.parametrize('test_cfg', [PANOPTIC, dict(PANOPTIC, tiles=dict(size=(28, 56), overlap=0))])
def test_images_and_tiles_fill_the_patches_of_the_members(on_one_encoder, batch, test_cfg: dict[str, Any]) -> None:
    """Patches of 14 pixels do not fill what is padded to 32, and an answer stays the same to the bit."""
    configs = [copy.deepcopy(dict(config, test_cfg=test_cfg)) for config in on_one_encoder]
    for config in configs:
        config['backbone'].update(model='vit_small_patch14_dinov2')
    members = [build(config) for config in configs]
    members[1].backbone.load_state_dict(members[0].backbone.state_dict())
    union = exact(MODELS.build(dict(union_config(configs, **test_cfg), shared_encoder=True)))
    union.load_state_dict({f'members.{i}.{k}': v for i, own in enumerate(members) for k, v in own.state_dict().items()})
    assert union.size_divisor == union.data_preprocessor.size_divisor == 28
    for name, member in zip(NAMES, members):
        (alone,) = predict(member, batch[:1], label_spaces=[name])
        (asked,) = predict(union, batch[:1], label_spaces=[name])
        assert torch.equal(asked.pred_sem_seg.data, alone.pred_sem_seg.data)
        assert torch.equal(asked.pred_segments.ids, alone.pred_segments.ids)


def test_members_of_unlike_patches_are_padded_to_what_both_fill(on_one_encoder) -> None:
    other = dict(on_one_encoder[1], backbone=dict(FROZEN, model='vit_small_patch14_dinov2'))
    union = MODELS.build(union_config([on_one_encoder[0], other]))
    assert union.size_divisor == union.data_preprocessor.size_divisor == 224


def test_heads_of_other_encoders_are_refused(on_one_encoder) -> None:
    first, second = (build(config) for config in on_one_encoder)
    union = MODELS.build(dict(union_config(on_one_encoder), shared_encoder=True))
    state = {
        f'members.{i}.{key}': value for i, own in enumerate((first, second)) for key, value in own.state_dict().items()
    }
    with pytest.raises(CheckpointError, match='other weights in member 1, so its head was trained on another encoder'):
        union.load_state_dict(state)
    trainable = [dict(config, backbone=dict(FROZEN, frozen=False)) for config in on_one_encoder]
    with pytest.raises(OptionError, match='the backbone is not frozen'):
        MODELS.build(dict(union_config(trainable), shared_encoder=True))
    on_one_encoder[1]['backbone'] = dict(FROZEN, options=dict(embed_dim=32, depth=3, num_heads=2))
    with pytest.raises(OptionError, match='members 0 and 1 of the union have different backbones'):
        MODELS.build(dict(union_config(on_one_encoder), shared_encoder=True))
