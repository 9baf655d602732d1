"""What scores are asked for that there are not, limits that are none, and matrices of nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from refusals import Refusals

from mmlmseg.config_checks.results import check_save_best
from mmlmseg.engine import CheckpointHook
from mmlmseg.errors import DataError, OptionError
from mmlmseg.evaluation import InstanceAP, MultiDatasetEvaluator, SemanticIoU
from mmlmseg.evaluation.confusion import confusion_of
from mmlmseg.evaluation.functional import joint_histogram
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import METRICS

REFUSALS = Refusals()
STREETS = dict(classes=['sky', 'traffic light', 'tree'], is_thing=[False, True, False])


LIMITS: dict[str, Any] = {
    'a_limit_of_none': 0,
    'a_limit_below_none': -1,
    'a_limit_that_is_a_text': '100',
    'a_limit_that_is_no_whole_number': 99.5,
    'a_limit_that_is_yes': True,
    'limits_as_coco_lists_them': [1, 10, 100],
}


def limited(limit: Any) -> Callable[[Path], None]:
    """Builds the metric of a config."""
    return lambda folder: METRICS.build(dict(type='mmlmseg.InstanceAP', max_dets=limit)) and None


for _name, _limit in LIMITS.items():
    _build = limited(_limit)
    _build.__name__ = _name
    REFUSALS.by(OptionError, f'InstanceAP: max_dets is {_limit!r}', 'a whole number from 1 on (COCO: 100)')(_build)


@REFUSALS.by(OptionError, "unknown key 'maxDets'", 'Did you mean: max_dets?')
def the_limit_by_its_name_in_coco(folder: Path) -> None:
    METRICS.build(dict(type='mmlmseg.InstanceAP', maxDets=100))


def keep_best(best: str) -> None:
    """Starts a training that keeps the best checkpoint by a result, of one dataset whose classes are known."""
    evaluator = MultiDatasetEvaluator(SemanticIoU())
    evaluator.dataset_meta = dict(datasets=dict(a=dict(STREETS, size=1)))
    start(best, evaluator)


def start(best: str, evaluator: Evaluator) -> None:
    """Does what the hook does before the first step."""
    hook = CheckpointHook(save_best=best, rule='greater')
    hook._check_save_best(SimpleNamespace(val_loop=SimpleNamespace(evaluator=evaluator)))


BESTS = {
    'the_best_by_a_class_that_there_is_not': ('a/IoU.tre', 'Did you mean: a/IoU.tree'),
    'the_best_by_a_class_as_the_dataset_writes_it': ('a/IoU.traffic light', 'Did you mean: a/IoU.traffic_light'),
    'the_best_by_a_class_of_no_dataset': ('IoU.tree', 'Did you mean: a/IoU.tree'),
    'the_best_by_the_mean_of_a_class': ('mean/IoU.tree', 'Did you mean: a/IoU.tree'),
    'the_best_by_another_score_of_a_class': ('a/PQ.tree', 'It gives a/mIoU'),
}


def best_by(key: str) -> Callable[[Path], None]:
    """Starts a training."""
    return lambda folder: keep_best(key)


for _name, (_key, _words) in BESTS.items():
    _start = best_by(_key)
    _start.__name__ = _name
    REFUSALS.by(OptionError, f'save_best = {_key!r}', 'gives no such result', _words)(_start)


@REFUSALS.by(OptionError, "save_best = 'IoU.treee'", 'Did you mean: IoU.tree')
def the_best_of_a_single_dataset_by_a_class_that_there_is_not(folder: Path) -> None:
    evaluator = Evaluator([SemanticIoU()])
    evaluator.dataset_meta = STREETS
    start('IoU.treee', evaluator)


@REFUSALS.by(OptionError, "save_best = 'a/IuO.tree'", 'a/IoU.CLASS')
def the_best_by_a_misspelt_score_of_a_class(folder: Path) -> None:
    metrics = dict(type='mmlmseg.SemanticIoU')
    check_save_best(
        Config(
            dict(
                val_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[dict(type='A')], names=['a'])),
                val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=metrics),
                default_hooks=dict(checkpoint=dict(save_best='a/IuO.tree')),
            )
        )
    )


@REFUSALS.by(DataError, 'predicted id 5 is outside 0..3')
def a_prediction_outside_of_the_other_label_space(folder: Path) -> None:
    joint_histogram(torch.tensor([5]), torch.tensor([0]), 2, num_predicted=4)


@REFUSALS.by(OptionError, "no image of label space 'streets'")
def a_matrix_of_no_image(folder: Path) -> None:
    space = LabelSpace.create('streets', STREETS['classes'])
    confusion_of(None, [], space, space)


@REFUSALS.by(DataError, 'does not know the is_thing', 'set dataset_meta')
def average_precision_without_things_being_told(folder: Path) -> None:
    metric = InstanceAP()
    metric.dataset_meta = dict(classes=['sky'])
    metric.all_keys()
