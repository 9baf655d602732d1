"""The command line of tools/predict_geotiff.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmlmseg.registry import MODELS

rasterio = pytest.importorskip('rasterio')


def test_writes_a_raster(
    load_script: Callable[[Path], ModuleType],
    model_config: Callable[..., dict],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tool = load_script(Path(__file__).resolve().parents[2] / 'tools' / 'predict_geotiff.py')
    model = model_config([dict(name='street', classes=['sky', 'car'])])
    Config(dict(model=model, default_scope='mmseg', custom_imports=dict(imports=['mmlmseg']))).dump(tmp_path / 'c.py')
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), tmp_path / 'tiny.pth')
    profile = dict(driver='GTiff', count=3, height=40, width=50, dtype='uint8', crs='EPSG:3857')
    with rasterio.open(tmp_path / 'in.tif', 'w', **profile) as raster:
        raster.write(np.random.default_rng(0).integers(0, 256, (3, 40, 50), dtype=np.uint8))
    files = [str(tmp_path / name) for name in ('c.py', 'tiny.pth', 'in.tif', 'out.tif')]
    assert tool.main([*files, '--label-space', 'street', '--tiles', '32', '0', '--device', 'cpu']) == 0
    assert 'out.tif' in capsys.readouterr().out
    with rasterio.open(tmp_path / 'out.tif') as written:
        assert (written.width, written.height, written.crs.to_epsg()) == (50, 40, 3857)
    with pytest.raises(SystemExit, match='2'):
        tool.main([*files, '--label-space', 'roads', '--device', 'cpu'])
