"""Average precision of instances: against a small implementation of COCO's rules, and at its edges."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlmseg.errors import DataError
from mmlmseg.evaluation.metrics import InstanceAP
from mmlmseg.segments import MaskSet, SegmentMap

META = dict(classes=['sky', 'car', 'dog'], is_thing=[False, True, True])
IOUS = np.linspace(0.5, 0.95, 10)


def metric() -> InstanceAP:
    made = InstanceAP(prefix='a')
    made.dataset_meta = META
    return made


def sample(ids: torch.Tensor, labels: list[int], masks: torch.Tensor, found: list[int], scores: list[float]) -> dict:
    return dict(
        img_path='a.jpg',
        gt_segments=SegmentMap(ids[None], torch.tensor(labels), crowd=torch.zeros(len(labels)).bool()),
        pred_instances=MaskSet(masks, torch.tensor(found).long(), scores=torch.tensor(scores)),
    )


def by_loop(samples: list[dict], label: int, threshold: float) -> float:
    """AP of a class at an IoU: greedy matching by score in each image, precision interpolated at 101 recalls."""
    hits: list[tuple[float, bool]] = []
    truths = 0
    for one in samples:
        ids, labels = one['gt_segments'].ids[0], one['gt_segments'].labels.tolist()
        true = [ids == i for i, own in enumerate(labels, 1) if own == label and (ids == i).any()]
        truths += len(true)
        free = set(range(len(true)))
        found = one['pred_instances']
        order = sorted(range(len(found.scores)), key=lambda n: -float(found.scores[n]))
        for n in order:
            if int(found.labels[n]) != label:
                continue
            mask = found.masks[n]
            overlaps = {t: float((mask & true[t]).sum()) / max(float((mask | true[t]).sum()), 1.0) for t in free}
            best = max(overlaps, key=lambda t: overlaps[t], default=None)
            hit = best is not None and overlaps[best] >= threshold
            if hit:
                free.remove(best)
            hits.append((float(found.scores[n]), hit))
    hits.sort(key=lambda pair: -pair[0])
    right = np.cumsum([hit for _, hit in hits]) if hits else np.zeros(0)
    precision = right / np.arange(1, len(hits) + 1)
    recall = right / truths
    return float(np.mean([max(precision[recall >= r - 1e-12], default=0.0) for r in np.linspace(0, 1, 101)]))


def random_sample(random: np.random.Generator) -> dict:
    ids = torch.from_numpy(random.integers(0, 5, (4, 5)).repeat(4, 0).repeat(4, 1).astype(np.int32))
    labels = random.integers(0, 3, 4).tolist()
    masks = []
    for i in range(1, 5):  # the truth, moved a little
        masks.append(torch.roll(ids == i, tuple(random.integers(0, 3, 2).tolist()), (0, 1)))
    found = [label if random.random() < 0.8 else 1 for label in labels]
    return sample(ids, labels, torch.stack(masks), found, random.permutation(np.arange(1, 5) / 5).tolist())


def test_equals_a_loop() -> None:
    random = np.random.default_rng(0)
    samples = [random_sample(random) for _ in range(12)]
    made = metric()
    made.process(None, samples)
    scores = made.evaluate(len(samples))
    expected = {iou: np.mean([by_loop(samples, label, iou) for label in (1, 2)]) for iou in IOUS}
    assert 0 < scores['a/AP'] < 100
    assert scores['a/AP'] == pytest.approx(100 * np.mean(list(expected.values())), abs=0.01)
    assert scores['a/AP50'] == pytest.approx(100 * expected[0.5], abs=0.01)


def test_perfect_and_empty_predictions() -> None:
    ids = torch.tensor([[1, 1, 2, 3]], dtype=torch.int32)
    masks = torch.stack([ids == 2, ids == 3])
    perfect = metric()
    perfect.process(None, [sample(ids, [0, 1, 2], masks, [1, 2], [0.9, 0.1])])
    assert perfect.evaluate(1)['a/AP'] == 100
    nothing = metric()
    nothing.process(None, [sample(ids, [0, 1, 2], masks[:0], [], [])])
    assert nothing.evaluate(1)['a/AP'] == 0
    untrue = metric()
    untrue.process(None, [sample(torch.ones_like(ids), [0], masks, [1, 2], [0.9, 0.1])])
    results = untrue.evaluate(1)
    assert list(results) == [f'a/{key}' for key in ('AP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l', 'AP.car', 'AP.dog')]
    assert all(math.isnan(value) for value in results.values())  # no thing to be found: no number, in no mean
    assert untrue.notes[0] == (
        'a: 2 of 2 classes have no objects in the truth: car, dog (2) without a score, in no mean'
    )


CELLS = dict(classes=['cell', 'dish'], is_thing=[True, True])


def crowded(counts: list[int], found: int, side: int = 8, columns: int = 20) -> list[dict]:
    """Images with many small things, of which the surest are found without a fault."""
    samples = []
    for count in counts:
        ids = torch.zeros(-(-count // columns) * side, columns * side, dtype=torch.int32)
        for i in range(count):
            y, x = divmod(i, columns)
            ids[y * side : y * side + 6, x * side : x * side + 6] = i + 1
        masks = torch.stack([ids == i + 1 for i in range(min(count, found))])
        scores = torch.linspace(1, 0.5, len(masks)).tolist()
        samples.append(sample(ids, [0] * count, masks, [0] * len(masks), scores))
    return samples


@pytest.mark.parametrize('max_dets', [100, 150, 7])
def test_limits_are_those_of_pycocotools_and_said(max_dets: int) -> None:
    counts = [150, 20, 101]
    samples = crowded(counts, found=150)
    made = InstanceAP(max_dets=max_dets, prefix='a')
    made.dataset_meta = CELLS
    made.process(None, samples)
    scores = made.evaluate(3)
    assert scores['a/AP'] == pytest.approx(by_coco(samples, max_dets), abs=0.006)
    assert scores['a/AP.cell'] == scores['a/AP']
    assert math.isnan(scores['a/AP.dish'])
    beyond = [max(count - max_dets, 0) for count in counts]
    said = [note for note in made.notes if 'beyond' in note]
    if max_dets == 150:
        assert (scores['a/AP'], said) == (100, [])
    else:
        assert said == [
            f'a: {sum(beyond)} objects of {sum(map(bool, beyond))} images cannot be found, they are beyond max_dets = '
            f'{max_dets} of a class; set max_dets of InstanceAP'
        ]
    assert 'a: AP_m, AP_l: no number, the truth has no objects of this size' in made.notes
    kinds = {key: made.definition(f'a/{key}').kind for key in ('AP', 'AP50', 'AP.cell', 'AP_s')}
    own = 'comparable' if max_dets == 100 else 'ours'
    assert kinds == {'AP': own, 'AP50': own, 'AP.cell': own, 'AP_s': 'ours'}


def by_coco(samples: list[dict], max_dets: int) -> float:
    """AP of pycocotools with another maxDets."""
    truth, results = [], []
    for number, one in enumerate(samples, 1):
        for kind, found in ((truth, one['gt_segments'].to_masks()), (results, one['pred_instances'])):
            for i, mask in enumerate(found.masks):
                runs = coco_mask.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
                entry = dict(image_id=number, category_id=int(found.labels[i]) + 1, segmentation=runs)
                more = dict(id=len(truth) + 1, iscrowd=0, area=float(mask.sum()))
                kind.append({**entry, **(more if found.scores is None else dict(score=float(found.scores[i])))})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        sizes = [dict(zip(('height', 'width'), one['gt_segments'].size)) for one in samples]
        images = [dict(id=number, **size) for number, size in enumerate(sizes, 1)]
        coco.dataset = dict(images=images, annotations=truth, categories=[dict(id=1), dict(id=2)])
        coco.createIndex()
        reference = COCOeval(coco, coco.loadRes(results), 'segm')
        reference.params.maxDets = [max_dets]
        reference.evaluate()
        reference.accumulate()
    found = reference.eval['precision'][:, :, :, 0, 0]
    return float(100 * found[found > -1].mean())


def test_objects_beyond_the_predictions_of_an_image_are_said() -> None:
    made = InstanceAP()
    made.dataset_meta = CELLS
    made.process(None, crowded([30, 10, 26], found=25))
    made.evaluate(3)
    assert [note for note in made.notes if 'beyond' in note] == [
        'InstanceAP: 6 objects of 2 images cannot be found, they are beyond the 25 predictions of an image; '
        'set test_cfg.instance.max_per_image, num_queries'
    ]


def test_crowds_are_no_mistakes() -> None:
    ids = torch.tensor([[1, 1, 2, 2]], dtype=torch.int32)
    made = metric()
    one = sample(ids, [1, 1], torch.stack([ids == 1, ids == 2]), [1, 1], [0.5, 0.9])
    one['gt_segments'].crowd[1] = True
    made.process(None, [one])
    assert made.evaluate(1)['a/AP'] == 100


def test_what_is_missing_is_named() -> None:
    ids = torch.ones(1, 2, dtype=torch.int32)
    whole = sample(ids, [1], torch.ones(1, 1, 2).bool(), [1], [0.5])
    for key, message in (('pred_instances', 'tasks='), ('gt_segments', 'LoadSegments')):
        with pytest.raises(DataError, match=f'a.jpg: has no {key}; .*{message}'):
            metric().process(None, [{k: v for k, v in whole.items() if k != key}])
    with pytest.raises(DataError, match='differ in size'):
        metric().process(None, [sample(ids, [1], torch.ones(1, 2, 2).bool(), [1], [0.5])])
    for labels, scores, message in (([-1], [0.5], 'predicted mask: id -1 is'), ([1], [float('nan')], 'not finite')):
        with pytest.raises(DataError, match=f'a.jpg: .*{message}'):
            metric().process(None, [sample(ids, [1], torch.ones(1, 1, 2).bool(), labels, scores)])
    with pytest.raises(DataError, match='a.jpg: .*true mask: id 9 is'):
        metric().process(None, [sample(ids, [9], torch.ones(1, 1, 2).bool(), [1], [0.5])])
    stuff = InstanceAP()
    stuff.dataset_meta = dict(classes=['sky'], is_thing=[False])
    stuff.process(None, [sample(ids, [0], torch.zeros(0, 1, 2).bool(), [], [])])
    with pytest.raises(DataError, match='no thing class'):
        stuff.evaluate(1)


TWO_SPACES = dict(
    classes=['a:sky', 'a:car', 'a:dog', 'b:car', 'b:wheel'],
    is_thing=[False, True, True, True, True],
    groups=[0, 0, 0, 1, 1],
)


def mixed_sample(random: np.random.Generator) -> dict[str, Any]:
    """Truth in two spaces, and predictions near it; some are said by a class of each space."""
    ids = torch.from_numpy(random.integers(0, 6, (4, 5)).repeat(4, 0).repeat(4, 1).astype(np.int32))
    true = torch.stack([ids == i for i in range(1, 6)])
    labels = random.integers(0, 5, 5).tolist()
    space = torch.tensor([0, *(int(label > 2) for label in labels)])[ids.long()]
    layers = torch.stack([ids * (space == which) for which in (0, 1)])
    found = [label if random.random() < 0.8 else int(random.integers(0, 5)) for label in labels]
    masks = torch.stack([torch.roll(mask, tuple(random.integers(0, 3, 2).tolist()), (0, 1)) for mask in true])
    origins = [(c, 3 if c < 3 else 1) if random.random() < 0.3 else (c,) for c in found]
    scores = torch.from_numpy(random.permutation(np.arange(1, 6) / 6))
    return dict(
        img_path='a.jpg',
        gt_segments=SegmentMap(layers, torch.tensor(labels), crowd=torch.zeros(5).bool()),
        pred_segments=MaskSet(masks, torch.tensor(found), scores=scores, origins=origins),
    )


def test_of_several_spaces_it_is_the_mean_over_their_classes() -> None:
    random = np.random.default_rng(3)
    samples = [mixed_sample(random) for _ in range(12)]
    made = InstanceAP()
    made.dataset_meta = TWO_SPACES
    made.process(None, samples)
    scores = made.evaluate(len(samples))
    means = []
    for label in (1, 2, 3, 4):
        single = []
        for one in samples:
            found, truth = one['pred_segments'], one['gt_segments'].to_masks()
            said = [i for i, origins in enumerate(found.origins) if label in origins]
            own = (truth.labels == label).nonzero()[:, 0].tolist()
            ids = sum((truth.masks[i] * n for n, i in enumerate(own, 1)), torch.zeros(truth.size))
            claims = found.masks[said], [1] * len(said), found.scores[said].tolist()
            single.append(sample(ids.int(), [1] * len(own), *claims))
        means.append(np.mean([by_loop(single, 1, iou) for iou in IOUS]))
    assert any(len(origins) > 1 for one in samples for origins in one['pred_segments'].origins)
    assert 0 < scores['AP'] < 100
    assert scores['AP'] == pytest.approx(100 * np.mean(means), abs=0.01)


def test_truth_and_prediction_must_be_of_the_spaces_of_the_dataset() -> None:
    both = mixed_sample(np.random.default_rng(0))
    plain = random_sample(np.random.default_rng(0))
    asked_in_one = {**both, 'pred_segments': plain['gt_segments']}
    for one, meta, message in (
        ({**plain, 'gt_segments': both['gt_segments']}, META, 'gt_segments is a map of 2 label spaces.* are of 1'),
        (
            {**both, 'pred_instances': plain['pred_instances']},
            META,
            'gt_segments is a map of 2 label spaces.* are of 1',
        ),
        ({**plain, 'pred_segments': both['pred_segments']}, TWO_SPACES, 'gt_segments is a map of 1 label spaces'),
        ({**plain, 'gt_segments': both['gt_segments']}, TWO_SPACES, 'has no pred_segments'),
        (both, META, 'has no pred_instances'),
        (asked_in_one, TWO_SPACES, 'pred_segments is a map of 1 label spaces'),
    ):
        made = InstanceAP()
        made.dataset_meta = meta
        with pytest.raises(DataError, match=rf'a\.jpg: {message}'):
            made.process(None, [one])


def test_equals_pycocotools_on_a_file_of_coco(shared_data: Path) -> None:
    file = shared_data / 'tinycoco' / 'annotations' / 'instances_val2017.json'
    if not file.is_file():
        pytest.skip(f'{file} is absent')
    random = np.random.default_rng(0)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
    content = json.loads(file.read_text())
    classes = [category['id'] for category in content['categories']]
    samples, results = [], []
    for image in content['images']:
        annotations = truth.loadAnns(truth.getAnnIds(image['id']))
        if not annotations:
            continue
        masks = [truth.annToMask(a).astype(bool) for a in annotations]
        found = [np.roll(mask, random.integers(0, 12, 2), (0, 1)) for mask in masks]
        scores = random.random(len(found))
        for mask, score, a in zip(found, scores, annotations):
            runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            results.append(
                dict(image_id=image['id'], category_id=a['category_id'], score=float(score), segmentation=runs)
            )
        labels = torch.tensor([classes.index(a['category_id']) for a in annotations])
        crowd = torch.tensor([bool(a['iscrowd']) for a in annotations])
        samples.append(
            dict(
                img_path=image['file_name'],
                gt_segments=MaskSet(torch.from_numpy(np.stack(masks)), labels, crowd=crowd),  # they overlap
                pred_instances=MaskSet(torch.from_numpy(np.stack(found)), labels, scores=torch.from_numpy(scores)),
            )
        )
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCOeval(truth, truth.loadRes(results), 'segm')
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    made = InstanceAP()
    made.dataset_meta = dict(classes=[c['name'] for c in content['categories']], is_thing=[True] * len(classes))
    made.process(None, samples)
    scores = made.evaluate(len(samples))
    assert 0 < scores['AP'] < 100
    assert [scores[key] for key in ('AP', 'AP50', 'AP75')] == pytest.approx(100 * reference.stats[:3], abs=0.006)
