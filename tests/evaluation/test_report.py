"""Every number of a result says what it is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmseg.evaluation import IoUMetric

from mmlmseg.evaluation import InstanceAP, MultiDatasetEvaluator, PanopticInstanceQuality, PanopticQuality, SemanticIoU
from mmlmseg.evaluation.keys import is_class_key
from mmlmseg.evaluation.report import definition_of, is_own_result, notes_of, result_keys, write_report
from mmlmseg.segments import MaskSet, SegmentMap

META = dict(classes=['sky', 'car', 'old dog'], is_thing=[False, True, True], groups=[0, 0, 0])


def sample(dataset: str, void: bool = False) -> dict[str, Any]:
    """An image that is predicted as it is, in every kind of result."""
    ids = torch.tensor([[[1, 1, 2, 2]]], dtype=torch.int32)
    labels = torch.tensor([0, 1])
    classes = torch.tensor([[[0, 0, 1, 1]]])
    found = SegmentMap(ids, labels, scores=torch.ones(2))
    return dict(
        dataset=dataset,
        img_path='a.jpg',
        gt_sem_seg=dict(data=torch.full_like(classes, 255) if void else classes),
        pred_sem_seg=dict(data=classes),
        gt_segments=SegmentMap(ids, labels),
        pred_segments=found,
        pred_instances=MaskSet(found.to_masks().masks, labels, scores=found.scores),
    )


def evaluated(*metrics: Any, void: str = '', meta: dict[str, Any] | None = None) -> tuple[Evaluator, dict[str, float]]:
    evaluator = MultiDatasetEvaluator(list(metrics))
    evaluator.dataset_meta = dict(datasets={name: dict(meta or META, size=1) for name in 'ab'})
    evaluator.process([sample(name, name == void) for name in 'ab'])
    return evaluator, evaluator.evaluate(2)


METRICS = (SemanticIoU, PanopticQuality, PanopticInstanceQuality, InstanceAP)


@pytest.mark.parametrize('metric', METRICS)
def test_the_keys_are_known_before(metric: Any) -> None:
    evaluator, results = evaluated(metric())
    known = result_keys(evaluator)
    assert known is not None
    assert set(results) == set(known)
    assert all(map(is_own_result, known))
    assert not any(is_class_key(key) for key in results if key.startswith('mean/'))


def test_a_report_says_what_every_number_is(tmp_path: Path) -> None:
    evaluator, results = evaluated(*(metric() for metric in METRICS), IoUMetric(prefix='theirs'), void='b')
    write_report(tmp_path / 'new' / 'results.json', results, evaluator)
    report = json.loads((tmp_path / 'new' / 'results.json').read_text(), parse_constant=pytest.fail)
    notes = report.pop('notes')
    assert report.keys() == results.keys()
    values = {key: math.nan if entry['value'] is None else entry['value'] for key, entry in report.items()}
    assert values == pytest.approx({k: float(v) for k, v in results.items()}, nan_ok=True)
    kinds = {key: entry['kind'] for key, entry in report.items()}
    for names, kind in (
        (('a/mIoU', 'a/IoU.old_dog', 'b/PQ_st', 'a/SQ', 'a/AP', 'a/AP50', 'mean/PQ', 'mean/mIoU'), 'comparable'),
        (('a/PIQ', 'a/PIQ.car', 'mean/PIQ_th', 'a/AP_s', 'mean/AP_l'), 'ours'),
        (('a/theirs/mIoU', 'mean/theirs/mIoU'), 'undeclared'),
    ):
        assert {kinds[name] for name in names} == {kind}
    assert "'old dog' alone: intersection over union" in report['a/IoU.old_dog']['definition']
    assert report['mean/mIoU']['definition'].startswith('mean over those of a, b that have a number; of each: mean')
    assert notes == notes_of(evaluator)
    assert 'mean/mIoU is over 1 of 2 datasets: b has no number (nan), as where no pixel of the truth counts.' in notes
    assert [note for note in notes if note.startswith('b: 3 of 3 classes have no pixels in the truth')]


def test_what_differs_from_the_literature_is_ours() -> None:
    evaluator, _ = evaluated(InstanceAP(max_dets=300))
    assert definition_of('a/AP', evaluator).kind == definition_of('mean/AP', evaluator).kind == 'ours'
    assert '300 predictions of a class' in definition_of('a/AP.car', evaluator).text
    mixed = InstanceAP(prefix='a')
    mixed.dataset_meta = dict(META, groups=[0, 0, 1])
    assert mixed.definition('a/AP').kind == 'ours'


def test_of_one_dataset_without_a_name(tmp_path: Path) -> None:
    metric = SemanticIoU()
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = META
    evaluator.process([sample('a')])
    results = evaluator.evaluate(1)
    assert list(results) == result_keys(evaluator)
    assert definition_of('mIoU', evaluator).kind == 'comparable'
    assert notes_of(evaluator) == metric.notes != []
    assert result_keys(Evaluator([metric, IoUMetric()])) is None
