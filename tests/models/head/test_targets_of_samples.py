"""What a head makes of the truth of its samples: classes or objects, in its classifier's columns."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import SegmentMap

STREET = ['sky', 'building', 'tree', 'road', 'car']


def sample(space: str, seg: torch.Tensor, ids: torch.Tensor | None = None, **truth: list) -> SegDataSample:
    made = SegDataSample(gt_sem_seg=PixelData(data=seg[None]))
    if ids is not None:
        made.gt_segments = SegmentMap(ids[None].int(), *map(torch.tensor, (truth['labels'], truth['crowd'])))
    made.set_metainfo(dict(label_spaces=(space,), img_path='a.jpg'))
    return made


def described(targets, b: int) -> list[tuple[int, list[list[int]]]]:
    """Label and pixels of each target of a sample."""
    return [
        (int(targets.labels[b, t]), targets.masks[b, t].nonzero().tolist())
        for t in range(targets.labels.shape[1])
        if targets.valid[b, t]
    ]


def test_a_class_is_one_segment_and_an_object_is_one(model_config) -> None:
    head = MODELS.build(model_config()['decode_head'])
    seg = torch.tensor([[0, 4, 4, 255], [0, 4, 0, 4]])
    ids = torch.tensor([[3, 1, 2, 0], [3, 1, 4, 5]])  # car, car, sky, sky, a crowd of cars
    truth = dict(labels=[4, 4, 0, 0, 4], crowd=[False, False, False, False, True])
    targets = head.targets([sample('street', seg), sample('street', seg, ids, **truth)])
    assert described(targets, 0) == [(0, [[0, 0], [1, 0], [1, 2]]), (4, [[0, 1], [0, 2], [1, 1], [1, 3]])]
    assert described(targets, 1) == [(4, [[0, 1], [1, 1]]), (4, [[0, 2]]), (0, [[0, 0], [1, 0], [1, 2]])]
    assert targets.pixels.tolist() == [
        [[True, True, True, False], [True] * 4],
        [[True, True, True, False], [True, True, True, False]],  # the crowd counts in no loss
    ]


def test_a_taxonomy_renames_merges_and_leaves_out(model_config, tmp_path) -> None:
    rows = [
        'universal\tstreet\tfacade',
        'car\tcar\t',
        'made\tbuilding\t{wall, window, building}',
        'open\t{sky, road}\t',
        '\ttree\t',
    ]
    (tmp_path / 't.tsv').write_text('\n'.join(rows))
    classifier = dict(type='mmlmseg.UnifiedClassifier', taxonomy=dict(file=str(tmp_path / 't.tsv')))
    head = MODELS.build(model_config(text=False, classifier=classifier)['decode_head'])
    seg = torch.tensor([[0, 3, 2, 4]])
    ids, truth = torch.tensor([[1, 2, 3, 4]]), dict(labels=[0, 3, 2, 4], crowd=[False] * 4)
    for made in (sample('street', seg), sample('street', seg, ids, **truth)):
        targets = head.targets([made, sample('facade', torch.tensor([[0, 1, 2, 255]]))])
        assert sorted(described(targets, 0)) == [(0, [[0, 3]]), (2, [[0, 0], [0, 1]])]
        assert described(targets, 1) == [(1, [[0, 0], [0, 1], [0, 2]])]
        assert targets.pixels.tolist() == [[[True, True, False, True]], [[True, True, True, False]]]


def test_of_instances_only_things_are_targets(model_config) -> None:
    """Stuff counts as background; void and crowds count nowhere."""
    space = LabelSpace.create('street', STREET, things=['tree', 'car'])
    head = MODELS.build(model_config(label_spaces=[space], things_only=True)['decode_head'])
    seg = torch.tensor([[0, 4, 4, 255], [0, 4, 2, 4]])
    ids = torch.tensor([[3, 1, 2, 0], [3, 1, 4, 5]])  # car, car, sky, tree, a crowd of cars
    truth = dict(labels=[4, 4, 0, 2, 4], crowd=[False, False, False, False, True])
    sky = sample('street', torch.zeros(2, 4), torch.ones(2, 4), labels=[0], crowd=[False])
    targets = head.targets([sample('street', seg, ids, **truth), sky])
    assert described(targets, 0) == [(4, [[0, 1], [1, 1]]), (4, [[0, 2]]), (2, [[1, 2]])]
    assert described(targets, 1) == []
    assert targets.pixels.tolist() == [[[True, True, True, False], [True, True, True, False]], [[True] * 4] * 2]
    with pytest.raises(DataError, match=r'a\.jpg: has no gt_segments, which tell its things apart'):
        head.targets([sample('street', seg)])


def test_labels_outside_the_space_are_errors(model_config) -> None:
    head = MODELS.build(model_config()['decode_head'])
    with pytest.raises(LabelSpaceError, match=r"a\.jpg: label 3 is outside label space 'facade' of 3 classes"):
        head.targets([sample('street', torch.tensor([[4]])), sample('facade', torch.tensor([[3]]))])


def test_a_sample_is_trained_in_one_label_space(model_config) -> None:
    head = MODELS.build(model_config()['decode_head'])
    made = sample('street', torch.tensor([[4]]))
    made.set_metainfo(dict(label_spaces=('street', 'facade')))
    with pytest.raises(LabelSpaceError, match=r'a\.jpg asks for 2 label spaces, but is trained in one'):
        head.targets([made])


@pytest.mark.parametrize('dropped', [0.0, 0.9])
def test_absent_classes_may_leave_the_list(model_config, dropped: float) -> None:
    head = MODELS.build(model_config(drop_absent=dropped)['decode_head'])
    made = sample('street', torch.tensor([[0, 4]]))
    targets = head.targets([made])
    valid = torch.stack([head.categories_to_learn([made], [targets]).valid[0] for _ in range(50)])
    assert valid[:, [0, 4, 5]].all()
    kept = float(valid[:, 1:4].float().mean())
    assert kept == (1.0 if dropped == 0 else pytest.approx(1 - dropped, abs=0.1))


def test_targets_weigh_as_the_classes_of_their_space(model_config) -> None:
    weights = dict(street=dict(car=5.0, sky=0.5), facade=[2, 3, 4])
    head = MODELS.build(model_config(class_weights=weights)['decode_head'])
    samples = [sample('street', torch.tensor([[0, 4, 3]])), sample('facade', torch.tensor([[2, 255, 1]]))]
    targets = head.targets(samples)
    assert targets.labels.tolist() == [[0, 3, 4], [1, 2, 0]]
    assert targets.weights[targets.valid].tolist() == [0.5, 1.0, 5.0, 3.0, 4.0]
    plain = MODELS.build(model_config()['decode_head'])
    assert plain.targets(samples).weights is None


def test_a_united_class_weighs_as_that_of_the_space_of_the_sample(model_config) -> None:
    classifier = dict(type='mmlmseg.UnifiedClassifier')
    weights = dict(street=dict(building=2.0, car=3.0), facade=dict(building=7.0))
    config = model_config(text=False, classifier=classifier, class_weights=weights)['decode_head']
    head = MODELS.build(config)
    targets = head.targets([sample('street', torch.tensor([[1, 4]])), sample('facade', torch.tensor([[0, 2]]))])
    assert targets.labels.tolist() == [[1, 4], [5, 1]]  # building is one class of both spaces
    assert targets.weights.tolist() == [[2.0, 3.0], [1.0, 7.0]]


def test_objects_weigh_as_their_class_where_only_things_are_found(model_config) -> None:
    street = LabelSpace.create('street', STREET, things=['car', 'tree'])
    config = model_config([street], things_only=True, class_weights=dict(street=dict(car=3.0, sky=9.0)))
    head = MODELS.build(config['decode_head'])
    seg, ids = torch.tensor([[0, 4, 2]]), torch.tensor([[3, 1, 2]])
    targets = head.targets([sample('street', seg, ids, labels=[4, 2, 0], crowd=[False] * 3)])
    assert dict(zip(targets.labels[0].tolist(), targets.weights[0].tolist())) == {4: 3.0, 2: 1.0}
