"""Every format trains twenty steps and is scored, on a file that its own tool or package wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmlmseg.config import complete_label_spaces

pytestmark = pytest.mark.slow

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')]
MASKS = ('InstanceAP',)
MAPS = ('SemanticIoU', 'PanopticQuality')
Made = tuple[dict[str, Any], tuple[str, ...]]
"""The config of a dataset, without pipeline, and the metrics that score it."""


def objects(file: Path, images: Path | str, **more: Any) -> dict[str, Any]:
    return dict(type='mmlmseg.InstanceDataset', ann_file=str(file), data_prefix=dict(img_path=str(images)), **more)


def folder(root: Path, labels: np.ndarray, save: Callable[[Path, np.ndarray], Any], **described: Any) -> Made:
    """A folder dataset of one image, whose label map is saved in some way."""
    name = 'a.tif' if save is cv2_tiff else 'a.png'
    for part in ('images', 'labels'):
        (root / part).mkdir(parents=True)
    Image.fromarray(np.stack([(labels * 50 % 255).astype(np.uint8)] * 3, -1)).save(root / 'images' / 'a.jpg')
    save(root / 'labels' / name, labels)
    (root / 'train.txt').write_text('a\n')
    (root / 'classes.json').write_text(json.dumps(dict(classes=['road', 'car', 'person'], **described)))
    return dict(type='mmlmseg.FolderDataset', data_root=str(root)), MAPS


def cv2_tiff(path: Path, labels: np.ndarray) -> None:
    cv2.imwrite(str(path), labels)


def palette(path: Path, labels: np.ndarray) -> None:
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette([value for i in range(256) for value in (i, 255 - i, 7)])
    image.save(path)


def colours(path: Path, labels: np.ndarray) -> None:
    table = np.array([(128, 64, 128), (0, 0, 142), (220, 20, 60)], np.uint8)
    Image.fromarray(table[labels]).save(path)


@pytest.fixture
def make(written: Callable[[str], Path], convert: Callable[..., int], tmp_path: Path) -> Callable[[str], Made]:
    """Makes the dataset of a format."""
    labels = np.arange(48 * 64).reshape(48, 64) // 16 % 3
    wide = {'700': 'road', '26001': 'car', '9': 'person'}

    def convert_to_coco(name: str, source: Path, *more: object) -> Made:
        out = tmp_path / 'out' / 'train.json'
        assert convert(f'{name}_to_coco', source, out if name != 'yolo' else out.parent, *more) == 0
        images = dict(cvat='images').get(name, '.')
        return objects(out, (source if source.is_dir() else source.parent) / images), MASKS

    def build(name: str) -> Made:
        if name == 'coco':
            root = written('coco_supervision')
            return objects(root / 'instances.json', root / 'images', crowds=False, rest='ground'), (*MAPS, *MASKS)
        if name == 'panoptic':
            root = written('panoptic_datumaro') / 'annotations' / 'panoptic_train'
            images = root.parents[1] / 'images' / 'train'
            prefix = dict(img_path=str(images), seg_map_path=str(root))
            things = dict(label_space='yard', thing_classes=['car', 'ball'])
            return dict(
                type='mmlmseg.PanopticDataset', ann_file=f'{root}.json', data_prefix=prefix, metainfo=things
            ), MAPS
        if name.startswith('cityscapes'):
            root = written('cityscapes')
            if name == 'cityscapes, converted':
                (root / 'gtFine' / 'val' / 'ulm').mkdir(parents=True)
                file = next((root / 'gtFine' / 'train' / 'ulm').glob('*instanceIds.png'))
                (root / 'gtFine' / 'val' / 'ulm' / file.name).write_bytes(file.read_bytes())
                assert convert('cityscapes_panoptic', root) == 0
            prefix = dict(img_path='leftImg8bit/train', seg_map_path='gtFine/cityscapes_panoptic_train')
            return dict(
                type='mmlmseg.CityscapesPanopticDataset',
                data_root=str(root),
                ann_file='gtFine/cityscapes_panoptic_train.json',
                data_prefix=prefix,
            ), MAPS
        if name.startswith('voc'):
            assert convert('voc_to_folder', written(name), tmp_path / 'yard') == 0
            return dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / 'yard')), MAPS
        if name == '16-bit ids':
            ids = np.array([700, 26001, 9], np.uint16)[labels]
            return folder(tmp_path / 'wide', ids, lambda path, own: Image.fromarray(own).save(path), ids=wide)
        if name == 'tiff ids':
            return folder(tmp_path / 'tiff', np.array([700, 26001, 9], np.uint16)[labels], cv2_tiff, ids=wide)
        if name == 'palette':
            return folder(tmp_path / 'palette', labels, palette)
        if name == 'colours':
            meant = {'128,64,128': 'road', '0,0,142': 'car', '220,20,60': 'person'}
            return folder(tmp_path / 'colours', labels, colours, colours=meant)
        if name == 'cvat':
            return convert_to_coco('cvat', written('cvat') / 'train.xml')
        if name == 'labelme':
            return convert_to_coco('labelme', written('labelme'))
        return convert_to_coco('yolo', written(name) / 'data.yaml')

    return build


@pytest.mark.parametrize(
    'name',
    [
        *('coco', 'panoptic', 'cityscapes', 'cityscapes, converted', '16-bit ids', 'tiff ids', 'palette', 'colours'),
        *('voc_labelme', 'voc_datumaro', 'labelme', 'cvat', 'yolo_supervision', 'yolo_ultralytics'),
    ],
)
def test_trains_and_scores(
    make: Callable[[str], Made],
    model_config: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(Config, 'pretty_text', '')  # which takes longer than the training
    dataset, metrics = make(name)
    dataset['pipeline'] = PIPELINE
    model = model_config(text=False, in_channels=[8, 16, 32, 64])
    del model['decode_head']['label_spaces']
    model['backbone']['base_channels'] = 8
    tasks = {'SemanticIoU': 'semantic', 'PanopticQuality': 'panoptic', 'InstanceAP': 'instance'}
    model['test_cfg'] = dict(tasks=[tasks[metric] for metric in metrics])
    joined = dict(type='mmlmseg.MultiDataset', datasets=[dataset], names=['data'])
    loader = dict(batch_size=2, num_workers=0, collate_fn=dict(type='pseudo_collate'), dataset=joined)
    config = Config(
        dict(
            default_scope='mmseg',
            model=model,
            train_dataloader=dict(loader, sampler=dict(type='InfiniteSampler')),
            val_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
            val_evaluator=dict(
                type='mmlmseg.MultiDatasetEvaluator', metrics=[dict(type=f'mmlmseg.{metric}') for metric in metrics]
            ),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=20, val_interval=20),
            val_cfg=dict(type='ValLoop'),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
            default_hooks=dict(checkpoint=None),
            work_dir=str(tmp_path / 'run'),
            experiment_name=name.replace(' ', '_'),
            log_level='WARNING',
        )
    )
    complete_label_spaces(config)
    runner = Runner.from_cfg(config)
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 20
    assert np.isfinite(losses).all()
    for metric in metrics:
        key = dict(SemanticIoU='mIoU', PanopticQuality='PQ', InstanceAP='AP')[metric]
        assert math.isfinite(runner.message_hub.get_scalar(f'val/data/{key}').current())
