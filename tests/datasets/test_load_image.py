"""Images of any depth and number of bands, from file to sample."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image

from mmlmseg.datasets import LoadImage, MultiDataset, PhotoMetricDistortion
from mmlmseg.datasets.guards import add_guards
from mmlmseg.errors import OptionError
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor

DTYPES = [np.uint8, np.uint16, np.int16, np.float32]
PACK = dict(type='PackSegInputs')


def noise(dtype: type, bands: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, bands)).astype(dtype)


def seen(path: Path, **declared: Any) -> torch.Tensor:
    """The channels that a model gets of a file, [bands, H, W], before normalisation."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose([LoadImage(**declared), TRANSFORMS.build(PACK)])
    add_guards(pipeline)
    sample = pipeline(dict(img_path=str(path)))
    bands = len(sample['inputs'])
    preprocessor = GroupingDataPreProcessor([0.0] * bands, [1.0] * bands, size_divisor=1)
    batch = preprocessor(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
    image: torch.Tensor = batch['inputs'][0][0]
    return image


def as_planes(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32))


def write_tiff(path: Path, pixels: np.ndarray, **profile: Any) -> Path:
    rasterio = pytest.importorskip('rasterio')
    height, width, count = pixels.shape
    with rasterio.open(
        path, 'w', driver='GTiff', height=height, width=width, count=count, dtype=pixels.dtype, **profile
    ) as raster:
        raster.write(pixels.transpose(2, 0, 1))
    return path


@pytest.mark.filterwarnings('ignore:Dataset has no geotransform')
@pytest.mark.parametrize('layout', ['pixel', 'band'])
@pytest.mark.parametrize('bands', [1, 2, 3, 4, 5, 13, 32])
@pytest.mark.parametrize('dtype', DTYPES)
def test_a_model_sees_the_bands_of_a_tiff_in_their_order(tmp_path: Path, dtype: type, bands: int, layout: str) -> None:
    pixels = noise(dtype, bands)
    path = write_tiff(tmp_path / 'image.tif', pixels, interleave=layout, compress='lzw')
    assert torch.equal(seen(path, bands=bands, scale=255), as_planes(pixels))
    if bands > 3:
        assert torch.equal(seen(path, bands=[4, 2, 3, 1], scale=255), as_planes(pixels[..., [3, 1, 2, 0]]))


def test_a_tiff_needs_rasterio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / 'image.tif'), noise(np.uint16, 3))
    monkeypatch.setitem(sys.modules, 'rasterio', None)
    with pytest.raises(OptionError, match=r'TIFF files .* pip install "mmlmseg\[geo\]"'):
        seen(tmp_path / 'image.tif', scale=255)


@pytest.mark.parametrize('bands', [1, 2, 3, 4, 9])
@pytest.mark.parametrize('dtype', DTYPES)
def test_and_those_of_an_array(tmp_path: Path, dtype: type, bands: int) -> None:
    pixels = noise(dtype, bands)
    np.save(tmp_path / 'image.npy', pixels)
    assert torch.equal(seen(tmp_path / 'image.npy', bands=bands, scale=255), as_planes(pixels))


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA', 'P'])
def test_and_those_of_a_png(tmp_path: Path, mode: str) -> None:
    bands = 3 if mode == 'P' else len(mode)
    image = Image.fromarray(noise(np.uint8, bands).squeeze(), None if mode == 'P' else mode).convert(mode)
    image.save(tmp_path / 'image.png')
    wanted = np.asarray(image.convert('RGB') if mode == 'P' else image).reshape(24, 32, bands)
    assert torch.equal(seen(tmp_path / 'image.png', bands=bands), as_planes(wanted))


@pytest.mark.parametrize('bands', [1, 3, 4])
def test_and_all_bits_of_a_png_of_16(tmp_path: Path, bands: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (24, 32, bands)).astype(np.uint16)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[bands]
    cv2.imwrite(str(tmp_path / 'image.png'), pixels[..., order])
    image = seen(tmp_path / 'image.png', bands=bands, scale=4095)
    torch.testing.assert_close(image, as_planes(pixels) * (255 / 4095))
    assert len(image.unique()) == len(np.unique(pixels))


def test_grey_can_be_three_bands(tmp_path: Path) -> None:
    pixels = noise(np.uint8, 1)
    cv2.imwrite(str(tmp_path / 'image.png'), pixels)
    assert torch.equal(seen(tmp_path / 'image.png', bands=[1, 1, 1]), as_planes(pixels.repeat(3, axis=2)))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_photos_are_turned_as_without_a_declaration(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / 'photo.jpg'
    Image.fromarray(noise(np.uint8, 3)).save(path, exif=exif)
    assert torch.equal(seen(path), as_planes(cv2.imread(str(path))[..., ::-1]))


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_samples_of_declared_8_bits_are_those_without_a_declaration(
    make_folder: Callable[..., Path], suffix: str
) -> None:
    root = make_folder()
    for file in (root / 'images').iterdir():
        if suffix == 'png':
            cv2.imwrite(str(file.with_suffix('.png')), cv2.imread(str(file)))
            file.unlink()
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='mmlmseg.LoadAnnotations'),
        dict(type='RandomResize', scale=(48, 48), ratio_range=(0.5, 2.0), keep_ratio=True),
        dict(type='mmlmseg.RandomCrop', crop_size=(24, 24)),
        dict(type='mmlmseg.RandomFlip', prob=0.5),
        dict(type='mmlmseg.PhotoMetricDistortion'),
        dict(type='Pad', size=(48, 48), pad_val=dict(img=128, seg=255)),
        dict(type='mmlmseg.PackSegments'),
    ]
    plain: list[dict[str, Any]] = []
    for declared in ({}, dict(image=dict(bands=3, scale=255)), dict(image=dict(bands=3))):
        config = dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=steps, **declared)
        with DefaultScope.overwrite_default_scope('mmseg'):
            dataset = MultiDataset([config])
        np.random.seed(1)
        samples = [dataset[i] for i in range(len(dataset))]
        plain = plain or samples
        for own, other in zip(samples, plain, strict=True):
            assert own['inputs'].dtype == torch.uint8
            assert own['inputs'].equal(other['inputs'])
            assert own['data_samples'].gt_sem_seg.data.equal(other['data_samples'].gt_sem_seg.data)


def test_every_dataset_of_ours_declares_images(
    make_folder: Callable[..., Path], make_coco: Callable[..., Path]
) -> None:
    steps = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')]
    coco, image = make_coco(), dict(bands=[3, 1], scale=100)
    prefix = dict(img_path=str(coco / 'images'), seg_map_path=str(coco / 'panoptic'))
    folders = [dict(data_root=str(make_folder(name))) for name in ('street', 'facade')]
    listed = dict(id=1, file_name='0.jpg', height=24, width=32)
    instances = dict(images=[listed], annotations=[], categories=[dict(id=1, name='bolt')])
    (coco / 'instances.json').write_text(json.dumps(instances))
    configs: list[dict[str, Any]] = [
        dict(type='mmlmseg.PanopticDataset', ann_file=str(coco / 'panoptic.json'), data_prefix=prefix),
        dict(
            type='mmlmseg.InstanceDataset',
            ann_file=str(coco / 'instances.json'),
            data_prefix=dict(img_path=str(coco / 'images')),
        ),
        dict(type='mmlmseg.FolderDataset', **folders[0]),
        dict(type='mmlmseg.MultiSpaceFolderDataset', folders=folders),
    ]
    for config in configs:
        with DefaultScope.overwrite_default_scope('mmseg'):
            sample = MultiDataset([dict(config, pipeline=steps, image=image)])[0]
        assert sample['inputs'].shape == (2, 24, 32)
        assert sample['inputs'].max() == 255


@pytest.mark.parametrize('bands', [1, 2, 3, 4, 7])
def test_augmentation_keeps_bits_and_bands(make_folder: Callable[..., Path], bands: int) -> None:
    root = make_folder(train=1)
    (root / 'images' / 'train_0.jpg').unlink()
    np.save(root / 'images' / 'train_0.npy', noise(np.float32, bands) + np.float32(0.5))
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='mmlmseg.LoadAnnotations'),
        dict(type='RandomResize', scale=(40, 40), ratio_range=(0.8, 1.2), keep_ratio=True),
        dict(type='mmlmseg.RandomFlip', prob=1.0),
        dict(type='RandomRotate', prob=1.0, degree=20),
        dict(type='mmlmseg.PhotoMetricDistortion'),
        dict(type='Pad', size=(64, 64), pad_val=dict(img=128, seg=255)),
        dict(type='PackSegInputs'),
    ]
    image = dict(bands=bands, scale=256)
    with DefaultScope.overwrite_default_scope('mmseg'):
        dataset = MultiDataset([dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=steps, image=image)])
    sample = dataset[0]['inputs']
    assert sample.shape == (bands, 64, 64)
    assert sample.dtype == torch.float32
    assert torch.equal(sample[:, -1, -1], torch.full((bands,), 128.0))
    assert (sample.frac() != 0).any()


@pytest.mark.parametrize('seed', range(6))
def test_colours_of_more_bits_change_as_those_of_8(seed: int) -> None:
    image = noise(np.uint8, 3)
    distortion = PhotoMetricDistortion()
    np.random.seed(seed)
    wanted = distortion(dict(img=image))['img']
    np.random.seed(seed)
    found = distortion(dict(img=image.astype(np.float32), image_format={}))['img']
    assert np.abs(found - wanted).mean() < 3


def test_labels_count_nowhere_without_data(make_folder: Callable[..., Path]) -> None:
    root = make_folder(train=1)
    pixels = noise(np.float32, 2)
    pixels[5:9, 3:20] = np.nan
    (root / 'images' / 'train_0.jpg').unlink()
    np.save(root / 'images' / 'train_0.npy', pixels)
    labels = cv2.imread(str(root / 'labels' / 'train_0.png'), cv2.IMREAD_UNCHANGED)
    labels[5:9, 3:20] = 255
    for loading in ('mmlmseg.LoadAnnotations', 'LoadAnnotations', 'mmlmseg.LoadSegments'):
        steps = [dict(type='LoadImageFromFile'), dict(type=loading), dict(type='mmlmseg.PackSegments')]
        image = dict(bands=2, scale=255, nodata='nan')
        with DefaultScope.overwrite_default_scope('mmseg'):
            dataset = MultiDataset(
                [dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=steps, image=image)]
            )
        sample = dataset[0]
        assert torch.isfinite(sample['inputs']).all()
        assert np.array_equal(sample['data_samples'].gt_sem_seg.data[0], labels)


@pytest.mark.parametrize('step', ['PhotoMetricDistortion', 'AdjustGamma'])
def test_no_step_cuts_bits_off_without_a_word(tmp_path: Path, step: str) -> None:
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), noise(np.uint16, 3))
    for loading in (
        dict(type='mmlmseg.LoadImage', scale=255),
        dict(type='LoadImageFromFile', color_type='unchanged'),
        dict(type='LoadImageFromFile', color_type='unchanged', to_float32=True),
    ):
        with DefaultScope.overwrite_default_scope('mmseg'):
            pipeline = Compose([TRANSFORMS.build(one) for one in (loading, dict(type=step), PACK)])
        add_guards(pipeline)
        with pytest.raises(OptionError, match='loaded with .* bits in 3 bands'):
            pipeline(dict(img_path=str(path)))
