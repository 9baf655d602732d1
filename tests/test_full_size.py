"""The full-size config on generated files that lie as ADE20K, Cityscapes, COCO-Stuff-10k and Mapillary Vistas do."""

from __future__ import annotations

import math
import resource
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mmlmseg.config import complete_label_spaces, read_config
from mmlmseg.registry import DATASETS

CONFIG = Path(__file__).resolve().parents[1] / (
    'configs/lmseg/lmseg_clip-r50_ade20k-cityscapes-cocostuff10k-mapillary.py'
)
# For each dataset: where image and label of both splits lie, and ids on disk; the first means "not annotated".
LAYOUTS = dict(
    ade20k=dict(
        root='ade/ADEChallengeData2016',
        splits=(
            ('images/training/ADE_train_00000001.jpg', 'annotations/training/ADE_train_00000001.png'),
            ('images/validation/ADE_val_00000001.jpg', 'annotations/validation/ADE_val_00000001.png'),
        ),
        on_disk=(0, 1, 13, 150),
        loaded=(255, 0, 12, 149),
    ),
    cityscapes=dict(
        root='cityscapes',
        splits=(
            (
                'leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png',
                'gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png',
            ),
            (
                'leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png',
                'gtFine/val/lindau/lindau_000000_000019_gtFine_labelTrainIds.png',
            ),
        ),
        on_disk=(255, 0, 11, 18),
        loaded=(255, 0, 11, 18),
    ),
    cocostuff10k=dict(
        root='coco_stuff10k',
        splits=(
            (
                'images/train2014/COCO_train2014_000000000077.jpg',
                'annotations/train2014/COCO_train2014_000000000077_labelTrainIds.png',
            ),
            (
                'images/test2014/COCO_train2014_000000000368.jpg',
                'annotations/test2014/COCO_train2014_000000000368_labelTrainIds.png',
            ),
        ),
        on_disk=(0, 1, 92, 171),
        loaded=(255, 0, 91, 170),
    ),
    mapillary=dict(
        root='mapillary',
        splits=(
            ('training/images/-0aGnPzGnYH1dkG0EaXkHQ.jpg', 'training/v1.2/labels/-0aGnPzGnYH1dkG0EaXkHQ.png'),
            ('validation/images/0-lN5JVVNcuJkN3mYBDgaw.jpg', 'validation/v1.2/labels/0-lN5JVVNcuJkN3mYBDgaw.png'),
        ),
        on_disk=(65, 0, 13, 64),
        loaded=(255, 0, 13, 64),
    ),
)


def write_datasets(data: Path, size: tuple[int, int] = (96, 128)) -> None:
    """Writes one image and label per dataset and split: four quarters, each of one id."""
    random = np.random.default_rng(0)
    for name, layout in LAYOUTS.items():
        quarters = np.array(layout['on_disk'], dtype=np.uint8).reshape(2, 2)
        labels = Image.fromarray(quarters.repeat(size[0] // 2, axis=0).repeat(size[1] // 2, axis=1))
        if name == 'mapillary':  # its labels are palette images
            labels = Image.fromarray(np.asarray(labels), mode='P')
            labels.putpalette(random.integers(0, 256, 768, dtype=np.uint8).tobytes())
        for image_path, label_path in layout['splits']:
            for path in (data / layout['root'] / image_path, data / layout['root'] / label_path):
                path.parent.mkdir(parents=True)
            Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(
                data / layout['root'] / image_path
            )
            labels.save(data / layout['root'] / label_path)
        if name == 'cityscapes':  # lie beside those that count
            for _, path in layout['splits']:
                labels.save(data / layout['root'] / path.replace('labelTrainIds', 'labelIds'))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The full-size config on generated files, with random weights."""
    write_datasets(tmp_path)
    monkeypatch.setenv('MMLMSEG_DATA', str(tmp_path))
    config = read_config(CONFIG)
    complete_label_spaces(config)
    init_default_scope(config.default_scope)
    config.model.backbone.pretrained = None
    config.model.decode_head.text.encoder.pretrained = None
    config.work_dir = str(tmp_path / 'work')
    return config


def test_finds_and_reads_the_files_of_each_dataset(config: Config) -> None:
    sizes = dict(ade20k=(512, 682), cityscapes=(1024, 1365), cocostuff10k=(640, 853), mapillary=(1536, 2048))
    test = DATASETS.build(config.test_dataloader.dataset)
    assert test.sizes == [1] * 4
    for i, (name, layout) in enumerate(LAYOUTS.items()):
        sample = test[i]['data_samples']
        assert sample.dataset == name
        assert sample.gt_sem_seg.data[0, ::48, ::64].flatten().tolist() == list(layout['loaded'])
        assert tuple(test[i]['inputs'].shape[1:]) == pytest.approx(sizes[name], abs=1)
    train = DATASETS.build(config.train_dataloader.dataset)
    for i, crop in enumerate([(512, 512), (512, 1024), (640, 640), (1280, 1280)]):
        assert tuple(train[i]['inputs'].shape[1:]) == crop


@pytest.mark.slow
def test_trains_and_evaluates(config: Config) -> None:
    """Two steps of batch 4, one image of each dataset at its own crop size, then all four validation sets."""
    in_order = dict(
        batch_size=4, num_workers=0, persistent_workers=False, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    config.train_dataloader.update(in_order)
    config.val_dataloader.update(num_workers=0, persistent_workers=False)
    config.train_cfg.update(max_iters=2, val_interval=2)
    config.default_hooks.update(checkpoint=None, logger=dict(interval=1))
    runner = Runner.from_cfg(config)
    model = runner.train()
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
    seen = runner.optim_wrapper.optimizer.state  # the optimiser keeps a state for what had a gradient
    idle = [name for name, parameter in model.named_parameters() if parameter.requires_grad and parameter not in seen]
    assert idle == []
    results = {key for key in runner.message_hub.log_scalars if key.endswith('/mIoU')}
    assert {f'val/{name}/mIoU' for name in [*LAYOUTS, 'mean']} <= results
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    assert peak < 24, f'{peak:.1f} GiB'
