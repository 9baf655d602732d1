"""Weights of losses and of datasets."""

from __future__ import annotations

from pathlib import Path

from refusals import Refusals

from mmlmseg.datasets.samplers import dataset_probabilities
from mmlmseg.errors import DataError, OptionError
from mmlmseg.models.criterion import PointCriterion, SetCriterion

REFUSALS = Refusals()


@REFUSALS.by(OptionError, 'SetCriterion', '[1.0, 2.0]', 'class_weight', 'one number')
def a_weight_for_each_class(folder: Path) -> None:
    SetCriterion(class_weight=[1.0, 2.0])


@REFUSALS.by(OptionError, 'PointCriterion', '[2.0, 0.1]', 'one number')
def a_weight_for_each_class_at_points(folder: Path) -> None:
    PointCriterion(class_weight=[2.0, 0.1])


@REFUSALS.by(OptionError, '-1', 'not negative')
def a_negative_weight_of_no_object(folder: Path) -> None:
    SetCriterion(no_object_weight=-1)


@REFUSALS.by(DataError, "ratio = ['ade20k', 'coco']", 'write a number for each dataset')
def names_for_weights_of_datasets(folder: Path) -> None:
    dataset_probabilities(['ade20k', 'coco'], [1, 2], ['ade20k', 'coco'])


@REFUSALS.by(DataError, "'much'", 'write a number for each dataset', 'by name')
def a_word_for_a_weight(folder: Path) -> None:
    dataset_probabilities(dict(ade20k='much'), [1], ['ade20k'])


@REFUSALS.by(DataError, 'ratio has 1 weights for 2 datasets (ade20k, coco)')
def too_few_weights(folder: Path) -> None:
    dataset_probabilities([1], [1, 2], ['ade20k', 'coco'])


@REFUSALS.by(DataError, 'weights must be finite and not negative, and one of them above 0')
def no_dataset_at_all(folder: Path) -> None:
    dataset_probabilities([0, 0], [1, 2], ['ade20k', 'coco'])


@REFUSALS.by(DataError, "unknown ratio 'unifrom'", 'Did you mean: uniform?')
def a_misspelt_ratio(folder: Path) -> None:
    dataset_probabilities('unifrom', [1, 2], ['ade20k', 'coco'])
