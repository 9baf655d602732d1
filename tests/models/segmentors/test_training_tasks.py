"""A few steps of instance training, and of classes on their own, from files to scores."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmlmseg.evaluation.metrics import InstanceAP
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.registry import DATASETS, MODELS

LOADING = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments')]
PACKING = dict(type='mmlmseg.PackSegments')
CONFIG = Path(__file__).resolve().parents[3] / 'configs' / '_base_' / 'datasets' / 'clash3_panoptic.py'


def folder(root: str | Path, *between: dict, **options: Any) -> Any:
    init_default_scope('mmseg')
    pipeline = [*LOADING, *between, PACKING]
    config = dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=pipeline, **options)
    return DATASETS.build(dict(type='mmlmseg.MultiDataset', datasets=[config]))


def batch(samples: Sequence[dict]) -> dict[str, list]:
    return {key: [copy.deepcopy(sample[key]) for sample in samples] for key in ('inputs', 'data_samples')}


def losses_of_steps(model: nn.Module, samples: Sequence[dict], steps: int) -> list[float]:
    """The loss before each step, always on the same samples."""
    model.init_weights()
    model.train()
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), 1e-3)
    values = []
    for _ in range(steps):
        data = model.data_preprocessor(batch(samples), True)
        total = sum(model(**data, mode='loss').values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        values.append(total.item())
    assert all(map(math.isfinite, values))
    missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []  # distributed training waits for every gradient
    return values


@pytest.mark.parametrize('text', [True, False])
def test_instances_of_drawn_scenes(model_config, tmp_path: Path, text: bool) -> None:
    root = write_folder_dataset(tmp_path / 'objects', 'objects', train=range(2), val=[2], size=(64, 96))
    dataset = folder(root)
    config = model_config([str(root)], text=text, things_only=True, criterion=dict(type='mmlmseg.PointCriterion'))
    model = MODELS.build(dict(config, test_cfg=dict(tasks=['instance'])))
    (space,) = model.decode_head.label_spaces
    samples = [dataset[0], dataset[1]]
    targets = model.decode_head.targets([sample['data_samples'] for sample in samples])
    for b, sample in enumerate(samples):
        truth = sample['data_samples'].gt_segments
        things = sorted(label for label in truth.labels.tolist() if space.is_thing[label])
        assert sorted(targets.labels[b, targets.valid[b]].tolist()) == things
        assert len(things) < len(truth.labels)
        assert torch.equal(targets.pixels[b], truth.ids[0] != 0)  # stuff counts
    first, *_, last = losses_of_steps(model, samples, 6)
    assert last < first

    metric = InstanceAP()
    metric.dataset_meta = dataset.metainfo['datasets'][space.name]
    results = model.eval().test_step(batch(samples))
    data = model.data_preprocessor(batch(samples[:1]), False)
    (own,) = model.predictions(data['inputs'][0], [data['data_samples'][0].metainfo])[0]
    things = torch.tensor(space.is_thing)
    assert (own.classes[:, :-1][:, ~things] == 0).all()
    assert (own.classes[:, :-1][:, things] > 0).all()
    metric.process(None, [result.to_dict() for result in results])
    assert 0 <= metric.evaluate(2)['AP'] <= 100


def test_instances_of_msrc(model_config, shared_data: Path) -> None:
    things = Config.fromfile(CONFIG).msrc_things
    root = str(shared_data / 'msrc_v2')
    dataset = folder(root, dict(type='RandomCrop', crop_size=(96, 128)), things=things)
    config = model_config([dict(path=root, things=things)], text=False, things_only=True)
    model = MODELS.build(dict(config, test_cfg=dict(tasks=['instance'])))
    samples = [dataset[i] for i in range(0, 400, 100)]
    targets = model.decode_head.targets([sample['data_samples'] for sample in samples])
    classes = {model.decode_head.label_spaces[0].classes[label] for label in targets.labels[targets.valid].tolist()}
    assert classes
    assert classes <= set(things)
    first, *_, last = losses_of_steps(model, samples, 3)
    assert last < first


@pytest.mark.parametrize('criterion', ['SetCriterion', 'PointCriterion'])
def test_classes_on_their_own(model_config, make_sample, criterion: str) -> None:
    config = model_config(class_activation='sigmoid', criterion=dict(type=f'mmlmseg.{criterion}'))
    model = MODELS.build(dict(config, test_cfg=dict(tasks=['semantic', 'panoptic', 'instance'])))
    samples = [make_sample('street'), make_sample('facade', seed=1)]
    first, *_, last = losses_of_steps(model, samples, 8)
    assert last < first
    data = model.eval().data_preprocessor(batch(samples), False)
    assert len(model.predict(data['inputs'], data['data_samples'])) == 2
    for (own,) in model.predictions(data['inputs'][0], [sample.metainfo for sample in data['data_samples']]):
        assert (own.classes[:, :-1] > 0).all()
        assert (own.classes[:, -1] == 0).all()  # no query is no-object
        assert not torch.allclose(own.classes.sum(-1), torch.ones(()))


def test_other_activations_are_refused(model_config) -> None:
    with pytest.raises(ValueError, match='must be "softmax" or "sigmoid", got \'tanh\''):
        MODELS.build(model_config(class_activation='tanh')['decode_head'])
