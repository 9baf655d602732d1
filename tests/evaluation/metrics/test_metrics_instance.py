"""Average precision of instances: against a small implementation of COCO's rules, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmlmseg.errors import DataError
from mmlmseg.evaluation.metrics import InstanceAP

META = dict(classes=['sky', 'car', 'dog'], is_thing=[False, True, True])
IOUS = np.linspace(0.5, 0.95, 10)


def metric() -> InstanceAP:
    made = InstanceAP(prefix='a')
    made.dataset_meta = META
    return made


def sample(ids: torch.Tensor, labels: list[int], masks: torch.Tensor, found: list[int], scores: list[float]) -> dict:
    return dict(
        img_path='a.jpg',
        gt_panoptic_seg=dict(data=ids[None], labels=labels, crowd=[False] * len(labels)),
        pred_instances=dict(masks=masks, labels=torch.tensor(found).long(), scores=torch.tensor(scores)),
    )


def by_loop(samples: list[dict], label: int, threshold: float) -> float:
    """AP of a class at an IoU: greedy matching by score in each image, precision interpolated at 101 recalls."""
    hits: list[tuple[float, bool]] = []
    truths = 0
    for one in samples:
        ids, labels = one['gt_panoptic_seg']['data'][0], one['gt_panoptic_seg']['labels']
        true = [ids == i for i, own in enumerate(labels, 1) if own == label and (ids == i).any()]
        truths += len(true)
        free = set(range(len(true)))
        found = one['pred_instances']
        order = sorted(range(len(found['scores'])), key=lambda n: -float(found['scores'][n]))
        for n in order:
            if int(found['labels'][n]) != label:
                continue
            mask = found['masks'][n]
            overlaps = {t: float((mask & true[t]).sum()) / max(float((mask | true[t]).sum()), 1.0) for t in free}
            best = max(overlaps, key=lambda t: overlaps[t], default=None)
            hit = best is not None and overlaps[best] >= threshold
            if hit:
                free.remove(best)
            hits.append((float(found['scores'][n]), hit))
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
    assert untrue.evaluate(1)['a/AP'] == -1  # no thing to be found


def test_crowds_are_no_mistakes() -> None:
    ids = torch.tensor([[1, 1, 2, 2]], dtype=torch.int32)
    made = metric()
    one = sample(ids, [1, 1], torch.stack([ids == 1, ids == 2]), [1, 1], [0.5, 0.9])
    one['gt_panoptic_seg']['crowd'] = [False, True]
    made.process(None, [one])
    assert made.evaluate(1)['a/AP'] == 100


def test_what_is_missing_is_named() -> None:
    ids = torch.ones(1, 2, dtype=torch.int32)
    whole = sample(ids, [1], torch.ones(1, 1, 2).bool(), [1], [0.5])
    for key, message in (('pred_instances', 'tasks='), ('gt_panoptic_seg', 'LoadPanopticAnnotations')):
        with pytest.raises(DataError, match=f'a.jpg: has no {key}; .*{message}'):
            metric().process(None, [{k: v for k, v in whole.items() if k != key}])
    with pytest.raises(DataError, match='differ in size'):
        metric().process(None, [sample(ids, [1], torch.ones(1, 2, 2).bool(), [1], [0.5])])
    stuff = InstanceAP()
    stuff.dataset_meta = dict(classes=['sky'], is_thing=[False])
    stuff.process(None, [sample(ids, [0], torch.zeros(0, 1, 2).bool(), [], [])])
    with pytest.raises(DataError, match='no thing class'):
        stuff.evaluate(1)
