"""Weights by frequency are counted on the training data, before the first step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.registry import MODELS
from mmengine.runner import Runner

from mmlmseg.class_weights import ByFrequency
from mmlmseg.datasets import MultiDataset
from mmlmseg.engine import ClassFrequencyHook
from mmlmseg.errors import OptionError
from mmlmseg.lab.scenes import write_folder_dataset

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='mmlmseg.LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]


@pytest.fixture
def street(tmp_path: Path) -> dict[str, Any]:
    """A dataset of three images; only the last one holds anything but its first class."""
    root = write_folder_dataset(tmp_path / 'street', 'street', range(3), range(3, 4), size=(64, 64))
    names = (root / 'train.txt').read_text().split()
    for i, name in enumerate(names):
        labels = np.zeros((64, 64), np.uint8)
        labels[:32] = i == 2
        cv2.imwrite(str(root / 'labels' / f'{name}.png'), labels)
    return dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=PIPELINE)


def head_weights(spec: dict[str, Any], model_config: Callable[..., dict[str, Any]], street: dict[str, Any]) -> Any:
    return MODELS.build(model_config([street['data_root']], text=False, class_weights=spec))


def loop_of(dataset: Any) -> Any:
    return SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))


def test_a_training_counts_for_itself(
    model_config: Callable[..., dict[str, Any]], street: dict[str, Any], tmp_path: Path
) -> None:
    spec = dict(by='frequency', power=1.0, cap=2.0)
    config = model_config([street['data_root']], text=False, class_weights=spec)
    runner = Runner(
        model=config,
        work_dir=str(tmp_path / 'run'),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='mmlmseg.PerImageSampler', repeat=0.9),
            dataset=dict(type='mmlmseg.MultiDataset', datasets=[street]),
        ),
        train_cfg=dict(type='mmlmseg.ResumableTrainLoop', max_iters=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        default_hooks=dict(checkpoint=None),
        default_scope='mmseg',
        experiment_name='class_frequency',
        log_level='WARNING',
    )
    runner.train()
    weights = runner.model.decode_head.class_weights.of('street')
    assert weights[:2] == pytest.approx(ByFrequency(**spec)([1.0, 1 / 3]))
    assert set(weights[2:]) == {1.0}
    assert runner.train_loop.dataloader.sampler.repeat_factors[0] == pytest.approx([1, 1, (0.9 * 3) ** 0.5])


def test_counting_reads_no_label_where_nothing_asks_for_it(
    model_config: Callable[..., dict[str, Any]], street: dict[str, Any]
) -> None:
    model = head_weights(dict(street=dict(sky=2.0)), model_config, street)
    ClassFrequencyHook().before_train(SimpleNamespace(model=model, train_loop=loop_of(None)))
    ClassFrequencyHook().before_train(SimpleNamespace(model=object(), train_loop=loop_of(None)))


def test_counts_are_of_the_joined_datasets_below_wrappers(
    model_config: Callable[..., dict[str, Any]], street: dict[str, Any]
) -> None:
    model = head_weights(dict(by='frequency'), model_config, street)
    below = SimpleNamespace(dataset=MultiDataset([street]))
    ClassFrequencyHook().before_train(SimpleNamespace(model=SimpleNamespace(module=model), train_loop=loop_of(below)))
    assert model.decode_head.class_weights.uncounted == ()
    alone = head_weights(dict(by='frequency'), model_config, street)
    with pytest.raises(OptionError, match=r'count the classes of a mmlmseg\.MultiDataset'):
        ClassFrequencyHook().before_train(SimpleNamespace(model=alone, train_loop=loop_of([])))
