"""One image in several label spaces at once, through the whole model."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.registry import MODELS

from mmlmseg.errors import LabelSpaceError
from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import EncodedMaskSet, SegmentMap

SPACES = ['street', 'facade']
HEADS = {
    'LMSeg': dict(),
    'RESI': dict(
        text=True,
        queries=dict(type='mmlmseg.LabelSpaceQueries', num_queries=8),
        decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_levels=1, num_layers=2, num_heads=4, ffn_channels=64),
    ),
    'multi-head': dict(text=False),
    'classes on their own': dict(class_activation='sigmoid'),
}


def build(model_config, head: dict, **mixed) -> torch.nn.Module:
    head = dict(head)
    text = head.pop('text', True)
    test_cfg = dict(tasks=['panoptic'], panoptic=dict(object=0.0, overlap=0.3), mixed=mixed)
    model = MODELS.build(dict(model_config(text=text, **head), test_cfg=test_cfg))
    model.init_weights()
    with torch.no_grad():  # untrained queries are all alike and find no object
        for p in model.decode_head.queries.parameters():
            p.mul_(20)
        for p in model.decode_head.decoder.parameters():
            p.add_(0.3 * torch.randn_like(p))
    model.double().eval()
    model.data_preprocessor.cast_dtype = torch.float64
    return model


def predict(model: torch.nn.Module, samples: list[dict], **meta) -> list:
    samples = copy.deepcopy(samples)
    for sample in samples:
        sample['data_samples'].set_metainfo(meta)
    data = model.data_preprocessor(
        dict(inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'] for s in samples]), False
    )
    return model.predict([group.double() for group in data['inputs']], data['data_samples'])


def test_images_that_ask_for_different_numbers_of_spaces(model_config, make_sample) -> None:
    model = build(model_config, {})
    metas = [dict(label_spaces=SPACES), dict(label_spaces=SPACES[:1])]
    samples = [make_sample('street'), make_sample('street', seed=1)]
    for sample, meta in zip(samples, metas):
        sample['data_samples'].set_metainfo(meta)
    data = model.data_preprocessor({key: [s[key] for s in samples] for key in samples[0]}, False)
    found = model.predict([group.double() for group in data['inputs']], data['data_samples'])
    assert [type(sample.pred_segments) for sample in found] == [EncodedMaskSet, SegmentMap]
    with pytest.raises(LabelSpaceError, match=r'ask for \[1, 2\] label spaces'):
        model.encode_decode(data['inputs'][0].double(), data['data_samples'])


def test_a_group_declared_for_several_spaces_does_not_touch_one(model_config, make_sample) -> None:
    model, sample = build(model_config, {}), make_sample('street')
    alone = predict(model, [sample], label_spaces=SPACES[:1])[0].pred_segments
    declared = predict(model, [sample], label_spaces=SPACES[:1], exclusive=[['street', 'facade']])[0].pred_segments
    assert len(alone.labels) > 0
    assert declared.ids.equal(alone.ids)
    assert declared.labels.equal(alone.labels)


def test_options_of_mixed_results_are_checked(model_config) -> None:
    for mixed, error, message in (
        (dict(duplicat_iou=0.5), ValueError, "test_cfg.mixed: unknown key 'duplicat_iou'. Did you mean: duplicate_iou"),
        (dict(duplicate_iou=50), ValueError, 'duplicate_iou must be between 0 and 1, or None, got 50'),
    ):
        with pytest.raises(error, match=message):
            build(model_config, {}, **mixed)
    with pytest.raises(ValueError, match='similarity compares text rows, but the model reads no text'):
        build(model_config, HEADS['multi-head'], similarity=0.9)


def test_a_class_list_must_not_take_the_name_of_a_space(model_config, make_sample) -> None:
    model = build(model_config, {})
    mine = LabelSpace.create('street', ['sky', 'lawn'])
    with pytest.raises(LabelSpaceError, match="'street' is a label space .* with 5 classes, but the list .* has 2"):
        predict(model, [make_sample('street')], label_spaces=(mine,))


@pytest.mark.parametrize('method', HEADS)
def test_without_handling_of_overlaps_it_is_the_union_of_single_spaces(model_config, make_sample, method: str) -> None:
    model = build(model_config, HEADS[method], duplicate_iou=None)
    samples = [make_sample('street'), make_sample('street', (96, 64), seed=1), make_sample('street', seed=2)]
    alone = {}
    for space in SPACES:
        alone[space] = predict(model, samples, label_spaces=(space,))
    found = 0
    for i, mixed in enumerate(predict(model, samples, label_spaces=SPACES)):
        segments = mixed.pred_segments
        assert isinstance(segments, EncodedMaskSet)
        place = 0
        for space, first in zip(SPACES, (0, 5)):
            single = alone[space][i].pred_segments
            number = len(single.labels)
            own = slice(place, place + number)
            assert segments.labels[own].tolist() == (single.labels + first).tolist()
            torch.testing.assert_close(segments.scores[own], single.scores, rtol=0, atol=1e-12)
            for k in range(number):
                assert torch.equal(segments.masks[place + k], single.ids[0] == k + 1)
            place += number
        assert len(segments.labels) == place
        found += place
    assert found > 4


def test_duplicates_and_groups_reach_the_result(model_config, make_sample) -> None:
    samples = [make_sample('street')]
    model = build(model_config, HEADS['LMSeg'], duplicate_iou=0.0)
    everything = build(model_config, HEADS['LMSeg'], duplicate_iou=0.0, similarity=-1.0)
    everything.load_state_dict(model.state_dict())
    one_group = predict(model, samples, label_spaces=SPACES, exclusive=[['street', 'facade']])[0].pred_segments
    assert int(one_group.masks.sum(0).max()) == 1
    plain, united = (predict(m, samples, label_spaces=SPACES)[0].pred_segments for m in (model, everything))
    assert len(united.labels) < len(plain.labels)
    assert max(len(origins) for origins in united.origins) == 2
    with pytest.raises(LabelSpaceError, match="exclusive group names 'streets'"):
        predict(model, samples, label_spaces=SPACES, exclusive=[['streets']])


def test_a_class_list_of_the_users_own_may_be_one_of_the_spaces(model_config, make_sample) -> None:
    model = build(model_config, HEADS['LMSeg'])
    own = LabelSpace.create('custom', ['house', 'tree'])
    found = predict(model, [make_sample('street')], label_spaces=['street', own])[0].pred_segments
    assert int(found.labels.max()) < 5 + 2
    assert set(found.labels.tolist()) & {5, 6}
    with pytest.raises(LabelSpaceError, match='unknown label space'):
        predict(model, [make_sample('street')], label_spaces=['street', 'roads'])
