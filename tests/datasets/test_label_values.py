from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from PIL import Image

from mmlmseg.datasets import FolderDataset, MultiDataset
from mmlmseg.errors import DataError, OptionError
from mmlmseg.evaluation import MultiDatasetEvaluator
from mmlmseg.registry import DATASETS, MODELS
from mmlmseg.segments import SegmentMap

Make = Callable[..., dict[str, Any]]

LOADERS = ['LoadAnnotations', 'mmlmseg.LoadAnnotations', 'mmlmseg.LoadSegments']
IDS = {'7': 'road', '300': 'car', '8': 'road', '0': None, '-1': None}
COLOURS = {'128,64,128': 'road', '0, 0, 142': 'car', '60,0,0': 'car', '0,0,0': None}


def column(*values: int, dtype: type = np.uint8) -> np.ndarray:
    """A label map, 6 pixels wide, whose rows hold the values."""
    return np.repeat(np.array(values, dtype)[:, None], 6, 1)


def palette_png(*values: int) -> Image.Image:
    picture = Image.fromarray(column(*values))
    picture.putpalette([0, 0, 0, 128, 64, 128, 0, 0, 142] + [9] * 759)
    return picture


def in_colours(*triples: tuple[int, ...]) -> np.ndarray:
    return np.repeat(np.array(triples, np.uint8)[:, None], 6, 1)


@pytest.fixture
def make_maps(tmp_path: Path) -> Make:
    """A factory of folder datasets of one image: the config of a dataset."""

    def make(
        labels: Any, loader: str = 'LoadAnnotations', suffix: str = '.png', steps: Any = (), **described: Any
    ) -> dict[str, Any]:
        described = {'classes': ['road', 'car'], **described}
        for folder in ('images', 'labels'):
            (tmp_path / folder).mkdir(exist_ok=True)
        picture = labels if isinstance(labels, Image.Image) else Image.fromarray(labels)
        picture.save(tmp_path / 'labels' / f'a{suffix}')
        Image.fromarray(np.zeros((*picture.size[::-1], 3), np.uint8)).save(tmp_path / 'images' / 'a.png')
        (tmp_path / 'train.txt').write_text('a')
        (tmp_path / 'classes.json').write_text(json.dumps(described))
        pack = 'mmlmseg.PackSegments' if loader.startswith('mmlmseg') else 'PackSegInputs'
        pipeline = [dict(type='LoadImageFromFile'), dict(type=loader), *steps, dict(type=pack)]
        return dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path), pipeline=pipeline)

    return make


def read(config: dict[str, Any]) -> tuple[MultiDataset, Any]:
    """The dataset as a training builds it, and its sample."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        dataset = MultiDataset([config])
        return dataset, dataset[0]['data_samples']


def first_column(config: dict[str, Any]) -> list[int]:
    return read(config)[1].gt_sem_seg.data[0, :, 0].tolist()


@pytest.mark.parametrize('loader', LOADERS)
@pytest.mark.parametrize(
    ('labels', 'suffix'),
    [
        (column(7, 300, 0, 8, dtype=np.uint16), '.png'),
        (column(7, 300, 0, 8, dtype=np.uint16), '.tif'),
        (column(7, 300, -1, 8, dtype=np.int32), '.tiff'),
        (column(7, 300, 65535, 8, dtype=np.uint16), '.png'),  # what 16-bit files hold where nobody annotated
    ],
)
def test_ids_become_classes_in_every_loader(make_maps: Make, loader: str, labels: np.ndarray, suffix: str) -> None:
    assert first_column(make_maps(labels, loader, suffix, ids=IDS)) == [0, 1, 255, 0]


@pytest.mark.parametrize('loader', LOADERS)
def test_colours_become_classes_in_every_loader(make_maps: Make, loader: str) -> None:
    labels = in_colours((128, 64, 128), (0, 0, 142), (60, 0, 0), (0, 0, 0))
    assert first_column(make_maps(labels, loader, colours=COLOURS)) == [0, 1, 1, 255]
    opaque = np.dstack([labels, np.full(labels.shape[:2], 255, np.uint8)])
    assert first_column(make_maps(opaque, loader, colours=COLOURS)) == [0, 1, 1, 255]


@pytest.mark.parametrize('loader', LOADERS)
def test_palette_files_hold_ids(make_maps: Make, loader: str) -> None:
    assert first_column(make_maps(palette_png(0, 1, 255), loader)) == [0, 1, 255]
    assert first_column(make_maps(palette_png(0, 1, 2, 255), loader, ids={'1': 'car', '2': 'road', '0': None})) == [
        255,
        1,
        0,
        255,
    ]


def test_255_is_a_class_where_the_file_says_so(make_maps: Make) -> None:
    config = make_maps(column(0, 255), ids={'0': 'road', '255': 'car'})
    assert first_column(config) == [0, 1]


def test_several_ids_are_ignored_with_and_without_a_table(make_maps: Make) -> None:
    assert first_column(make_maps(column(0, 1, 9, 17, 255), ignore=[9, 17])) == [0, 1, 255, 255, 255]
    assert first_column(make_maps(column(4, 9, 17), ids={'4': 'car'}, ignore=[9, 17])) == [1, 255, 255]


def test_the_same_mapping_is_counted(make_maps: Make) -> None:
    dataset, _ = read(make_maps(column(7, 7, 0), ids=IDS))
    assert dataset.presence[0].images == ((0,),)


def test_a_folder_alone_reads_them_too(make_maps: Make) -> None:
    config = make_maps(column(7, 8, 0), 'mmseg.LoadAnnotations', ids=IDS)
    dataset = FolderDataset(config['data_root'], pipeline=config['pipeline'][:2])
    assert dataset[0]['gt_seg_map'][:, 0].tolist() == [0, 0, 255]
    Image.fromarray(column(9, 9, 0)).save(Path(config['data_root']) / 'labels' / 'a.png')
    with pytest.raises(DataError, match=r'labels/a\.png: label id 9 is not named under "ids"'):
        dataset[0]


def test_several_label_spaces_of_an_image(make_maps: Make, tmp_path: Path) -> None:
    config = make_maps(column(7, 300, 0, dtype=np.uint16), 'mmlmseg.LoadSegments', ids=IDS)
    other = tmp_path / 'other'
    for folder in ('images', 'labels'):
        (other / folder).mkdir(parents=True)
        (other / folder / 'a.png').write_bytes((tmp_path / 'images' / 'a.png').read_bytes())
    (other / 'train.txt').write_text('a')
    (other / 'classes.json').write_text('{"classes": ["dark"], "colours": {"0,0,0": "dark"}}')
    both = dict(
        type='mmlmseg.MultiSpaceFolderDataset',
        folders=[dict(data_root=str(tmp_path)), dict(data_root=str(other))],
        split='train',
        pipeline=config['pipeline'],
    )
    truth = read(both)[1].gt_segments
    assert truth.ids[:, :, 0].tolist() == [[1, 2, 0], [3, 3, 3]]
    assert truth.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize('option', [dict(reduce_zero_label=True), dict(ignore_index=0)])
@pytest.mark.parametrize('described', [dict(ids={'1': 'road'}), dict(colours=COLOURS)])
def test_options_do_not_change_a_table(make_maps: Make, option: dict[str, Any], described: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=rf'classes\.json: {next(iter(option))}=.*write null in'):
        DATASETS.build({**make_maps(column(1), **described), **option})


WIDE = [f'c{i}' for i in range(847)]
PAD = dict(type='Pad', size=(8, 8), pad_val=dict(img=0, seg=255))
ROTATE = dict(type='RandomRotate', prob=1.0, degree=(90, 90))


@pytest.mark.parametrize('loader', LOADERS)
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_more_than_255_classes(make_maps: Make, loader: str, suffix: str) -> None:
    labels = column(0, 255, 846, 65535, dtype=np.uint16)
    crop = dict(type='mmlmseg.RandomCrop', crop_size=(4, 6), cat_max_ratio=0.9)
    flip = dict(type='mmlmseg.RandomFlip', prob=1.0)
    dataset, sample = read(make_maps(labels, loader, suffix, [crop, flip, PAD], classes=WIDE))
    assert sample.gt_sem_seg.data[0, :, 0].tolist() == [0, 255, 846, *[65535] * 5]
    assert sample.gt_sem_seg.data[0, 1].tolist() == [*[255] * 6, 65535, 65535]
    assert dataset.presence[0].images == ((0, 255, 846),)
    if 'gt_segments' in sample:
        assert sample.gt_segments.ids[0, :5, 0].tolist() == [1, 2, 3, 0, 0]
        assert sample.gt_segments.labels.tolist() == [0, 255, 846]


def test_what_a_rotation_adds_to_a_large_label_space_is_ignored(make_maps: Make) -> None:
    sample = read(make_maps(column(255, 255, dtype=np.uint16), steps=[ROTATE], classes=WIDE))[1]
    assert set(sample.gt_sem_seg.data.unique().tolist()) == {255, 65535}


def test_things_of_a_large_label_space(make_maps: Make, tmp_path: Path) -> None:
    config = make_maps(column(300, 300, 846, 65535, dtype=np.uint16), LOADERS[-1], classes=WIDE, things=['c300'])
    (tmp_path / 'instances').mkdir()
    Image.fromarray(column(40000, 9, 0, 0, dtype=np.uint16)).save(tmp_path / 'instances' / 'a.png')
    truth = read(config)[1].gt_segments
    assert truth.ids[0, :, 0].tolist() == [3, 2, 1, 0]
    assert truth.labels.tolist() == [846, 300, 300]


def test_wide_ids_that_start_at_1(make_maps: Make) -> None:
    config = make_maps(column(0, 1, 256, 847, 900, 65535, dtype=np.uint16), classes=WIDE, ignore=900)
    assert first_column({**config, 'reduce_zero_label': True}) == [65535, 0, 255, 846, 65535, 65535]
    config = make_maps(column(0, 300, 846, dtype=np.uint16), classes=WIDE)
    assert first_column({**config, 'ignore_index': 300}) == [0, 65535, 846]


def test_wide_spaces_train_and_are_scored(make_maps: Make, model_config: Callable[..., dict[str, Any]]) -> None:
    labels = np.kron(np.array([[255, 846], [65535, 300]], np.uint16), np.ones((30, 30), np.uint16))
    dataset, sample = read(make_maps(labels, 'mmlmseg.LoadAnnotations', classes=WIDE))
    with DefaultScope.overwrite_default_scope('mmseg'):
        batch = dict(inputs=[torch.zeros(3, 60, 60, dtype=torch.uint8)], data_samples=[sample])
        model = MODELS.build(model_config([dataset.spaces[0][0].to_dict()], text=False))
        data = model.data_preprocessor(batch, training=True)
        padded = data['data_samples'][0].gt_sem_seg.data[0]
        assert padded.shape == (64, 64)
        assert (padded[60:] == 65535).all()
        losses = model.loss(data['inputs'], data['data_samples'])
        assert all(value.isfinite().all() for value in losses.values() if isinstance(value, torch.Tensor))
        evaluator = MultiDatasetEvaluator(
            metrics=[dict(type='mmlmseg.SemanticIoU'), dict(type='mmlmseg.PanopticQuality')]
        )
        evaluator.dataset_meta = dataset.metainfo
    perfect = read(make_maps(labels, 'mmlmseg.LoadAnnotations', classes=WIDE))[1]
    seg = perfect.gt_sem_seg.data
    perfect.pred_sem_seg = PixelData(data=seg.where(seg != 65535, 7))
    ids = torch.searchsorted(torch.tensor([7, 255, 300, 846]), perfect.pred_sem_seg.data).int()
    perfect.pred_segments = SegmentMap(ids, torch.tensor([255, 300, 846]), scores=torch.ones(3))
    evaluator.process([perfect])
    scores = evaluator.evaluate(1)
    assert {scores[f'{dataset.names[0]}/{key}'] for key in ('PQ', 'mAcc', 'aAcc')} == {100}
