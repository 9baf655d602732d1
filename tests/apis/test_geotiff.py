"""Rasters: the same result as of an image that fits into memory, on the same ground."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmlmseg.apis import LMSegInferencer
from mmlmseg.apis.geotiff import segment_geotiff
from mmlmseg.errors import DataError, OptionError

rasterio = pytest.importorskip('rasterio')

TILES = dict(size=(64, 64), overlap=0)
PLACE = dict(crs='EPSG:32633', transform=rasterio.transform.from_origin(500000, 5400000, 0.5, 0.5))
STEPS = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(32, 32)), dict(type='PackSegInputs')]


@pytest.fixture
def inferencer(model_config: Callable[..., dict]) -> LMSegInferencer:
    torch.manual_seed(0)
    street = dict(name='street', classes=['sky', 'building', 'tree', 'road', 'car'], things=['car'])
    facade = dict(name='facade', classes=['wall', 'window'])
    model = model_config([street, facade])
    model['test_cfg'] = dict(panoptic=dict(object=0.0, overlap=0.0))
    config = Config(dict(model=model, default_scope='mmseg', custom_imports=dict(imports=['mmlmseg'])))
    config.test_dataloader = dict(
        dataset=dict(
            type='mmlmseg.FolderDataset', data_root='away', metainfo=dict(label_space='street'), pipeline=STEPS
        )
    )
    config.test_pipeline = STEPS
    inferencer = LMSegInferencer(config, device='cpu')
    with torch.no_grad():
        for p in inferencer.model.decode_head.queries.parameters():
            p.mul_(20)
        for p in inferencer.model.decode_head.decoder.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return inferencer


def write(path: Path, pixels: np.ndarray, **more: Any) -> Path:
    """A raster of [bands, H, W]."""
    profile = dict(driver='GTiff', count=len(pixels), height=pixels.shape[1], width=pixels.shape[2], dtype=pixels.dtype)
    with rasterio.open(path, 'w', **{**profile, **PLACE, **more}) as raster:
        raster.write(pixels)
    return path


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (3, 90, 130), dtype=np.uint8)


def test_classes_are_those_of_the_image_in_tiles(
    inferencer: LMSegInferencer, pixels: np.ndarray, tmp_path: Path
) -> None:
    pixels[:, :10, :20] = 0
    path = write(tmp_path / 'town.tif', pixels, nodata=0)
    segment_geotiff(inferencer, path, tmp_path / 'new' / 'out.tif', 'street', tiles=TILES, show_progress=False)
    inferencer.config.test_pipeline = [STEPS[0], STEPS[2]]
    image = np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
    (expected,) = inferencer(image, 'street', tiles=TILES, show_progress=False)
    with rasterio.open(tmp_path / 'new' / 'out.tif') as found:
        labels = found.read(1)
        assert (found.crs, found.transform) == (rasterio.CRS.from_string(PLACE['crs']), PLACE['transform'])
        assert found.nodata == 255
        assert json.loads(found.tags()['classes']) == list(expected.classes)
        assert found.colormap(1)[2][:3] == tuple(expected.spaces[0].palette[2])
    assert (labels[:10, :20] == 255).all()
    labels[:10, :20] = expected.label_map[:10, :20]
    assert np.array_equal(labels, expected.label_map)


@pytest.mark.parametrize('task', ['panoptic', 'instance'])
def test_segments_are_described(inferencer: LMSegInferencer, pixels: np.ndarray, tmp_path: Path, task: str) -> None:
    path = write(tmp_path / 'town.tif', pixels)
    out = segment_geotiff(
        inferencer, path, tmp_path / 'out.tif', 'street', task=task, tiles=TILES, min_score=0.0, show_progress=False
    )
    segments = json.loads(out.with_suffix('.json').read_text())
    with rasterio.open(out) as found:
        ids = found.read(1)
        assert found.dtypes == ('uint32',)
        assert found.transform == PLACE['transform']
    assert segments
    for number, segment in enumerate(segments, 1):
        assert segment['id'] == number
        assert segment['pixels'] == (ids == number).sum()
        assert segment['category'] in ('car',) if task == 'instance' else True


@pytest.mark.parametrize(
    ('bands', 'dtype', 'message'),
    [((1, 2, 4), np.uint8, 'has 3 bands, and band 4'), ((1, 2, 3), np.uint16, 'must be uint8')],
)
def test_what_is_no_picture_is_refused(
    inferencer: LMSegInferencer, pixels: np.ndarray, tmp_path: Path, bands: tuple, dtype: type, message: str
) -> None:
    path = write(tmp_path / 'town.tif', pixels.astype(dtype))
    with pytest.raises(DataError, match=message):
        segment_geotiff(inferencer, path, tmp_path / 'out.tif', 'street', bands=bands, show_progress=False)


def test_other_files_are_refused(inferencer: LMSegInferencer, tmp_path: Path) -> None:
    (tmp_path / 'text.tif').write_text('no raster')
    with pytest.raises(DataError, match=r'text\.tif: cannot be read as a raster'):
        segment_geotiff(inferencer, tmp_path / 'text.tif', tmp_path / 'out.tif', 'street')
    with pytest.raises(OptionError, match='multiples of 32'):
        segment_geotiff(inferencer, tmp_path / 'text.tif', tmp_path / 'out.tif', 'street', tiles=dict(size=(100, 100)))
    with pytest.raises(OptionError, match='is the raster itself'):
        segment_geotiff(inferencer, tmp_path / 'text.tif', tmp_path / 'text.tif', 'street')
