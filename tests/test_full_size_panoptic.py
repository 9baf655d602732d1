"""The full-size panoptic config on generated files that lie as docs/datasets.md says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mmlmseg.config import complete_label_spaces, read_config
from mmlmseg.label_space import LabelSpace
from mmlmseg.panoptic_png import write_panoptic_png
from mmlmseg.registry import DATASETS

CONFIG = Path(__file__).resolve().parents[1] / 'configs/lmseg/lmseg_clip-r50_ade20k-cityscapes-coco-panoptic.py'
SIZE = (96, 128)
STUFF, THING, CROWD = 'stuff', 'thing', 'crowd'


def write_dataset(config: dict, backwards: bool) -> None:
    """One image of four quarters: a stuff class, two objects of a thing class, and a crowd of it."""
    space = LabelSpace.from_dataset(config['type'])
    stuff, thing = space.is_thing.index(False), space.is_thing.index(True)
    order = range(space.num_classes)
    categories = [
        dict(id=i + 1, name=space.classes[i], isthing=int(space.is_thing[i]))
        for i in (reversed(order) if backwards else order)
    ]
    ids = np.array([[300, 70000], [5, 9]], np.int32).repeat(SIZE[0] // 2, axis=0).repeat(SIZE[1] // 2, axis=1)
    segments = [
        dict(id=segment, category_id=label + 1, iscrowd=crowd)
        for segment, label, crowd in ((300, stuff, 0), (70000, thing, 0), (5, thing, 0), (9, thing, 1))
    ]
    root, folders = Path(config['data_root']), config['data_prefix']
    for folder in folders.values():
        (root / folder).mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / folders['img_path'] / 'noise.png')
    write_panoptic_png(root / folders['seg_map_path'] / 'noise.png', ids)
    content = dict(
        images=[dict(id=7, file_name='noise.png', height=SIZE[0], width=SIZE[1])],
        annotations=[dict(image_id=7, file_name='noise.png', segments_info=segments)],
        categories=categories,
    )
    (root / config['ann_file']).parent.mkdir(parents=True, exist_ok=True)
    (root / config['ann_file']).write_text(json.dumps(content))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The full-size config on generated files, with random weights."""
    monkeypatch.setenv('MMLMSEG_DATA', str(tmp_path))
    config = read_config(CONFIG)
    complete_label_spaces(config)
    init_default_scope(config.default_scope)
    for loader in (config.train_dataloader, config.val_dataloader):
        for i, dataset in enumerate(loader.dataset.datasets):
            write_dataset(dataset, backwards=i == 1)
    config.model.backbone.pretrained = None
    config.model.decode_head.text.encoder.pretrained = None
    config.work_dir = str(tmp_path / 'work')
    return config


def test_finds_and_reads_the_files_of_each_dataset(config: Config) -> None:
    test = DATASETS.build(config.test_dataloader.dataset)
    assert test.names == ['ade20k', 'cityscapes', 'coco']
    assert [space.name for (space,) in test.spaces] == ['ade20k_panoptic', 'cityscapes_panoptic', 'coco_panoptic']
    for i, ((space,), short_side) in enumerate(zip(test.spaces, (640, 1024, 800), strict=True)):
        packed = test[i]
        sample = packed['data_samples']
        assert min(packed['inputs'].shape[1:]) == short_side
        segments = sample.gt_segments
        assert segments.ids.shape == (1, *SIZE)  # compared at the original size
        assert sample.image_id == 7
        stuff, thing = space.is_thing.index(False), space.is_thing.index(True)
        quarters = segments.ids[0, :: SIZE[0] // 2, :: SIZE[1] // 2].flatten().long() - 1
        assert segments.labels[quarters].tolist() == [stuff, thing, thing, thing]
        assert segments.crowd[quarters].tolist() == [False, False, False, True]
    train = DATASETS.build(config.train_dataloader.dataset)
    assert [tuple(train[i]['inputs'].shape[1:]) for i in (0, 1)] == [(640, 640), (512, 1024)]
    assert max(train[2]['inputs'].shape[1:]) <= 1333


@pytest.mark.slow
def test_trains_and_evaluates(config: Config) -> None:
    """A step with one image of each dataset, then all three validation sets."""
    in_order = dict(
        batch_size=3, num_workers=0, persistent_workers=False, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    config.train_dataloader.update(in_order)
    config.val_dataloader.update(num_workers=0, persistent_workers=False)
    config.train_cfg.update(max_iters=1, val_interval=1)
    config.default_hooks.update(checkpoint=None, logger=dict(interval=1))
    runner = Runner.from_cfg(config)
    runner.train()
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert all(math.isfinite(loss) for loss in losses)
    results = {key for key in runner.message_hub.log_scalars if key.endswith('/PQ')}
    assert {f'val/{name}/PQ' for name in ['ade20k', 'cityscapes', 'coco', 'mean']} <= results
