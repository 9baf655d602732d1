"""Files of what is shown."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from mmlmseg.apis import LMSegInferencer
from mmlmseg.app import downloads
from mmlmseg.app.choices import Choices, found
from mmlmseg.app.session import ask
from mmlmseg.app.workspace import Workspace
from mmlmseg.errors import DataError
from mmlmseg.segments import class_map


def test_the_picture_has_a_panel_for_each_label_space(inferencer: LMSegInferencer, photo: Path, tmp_path: Path) -> None:
    session = ask(inferencer, photo, ['street', 'facade'])
    downloads.save_picture(found(session, Choices()), session.picture, tmp_path / 'a.png')
    assert Image.open(tmp_path / 'a.png').width > 3 * 320


def test_coco_names_each_image_once_and_holds_the_pixels(
    inferencer: LMSegInferencer, photo: Path, tmp_path: Path
) -> None:
    twin = tmp_path / 'other' / photo.name
    twin.parent.mkdir()
    twin.write_bytes(photo.read_bytes())
    results = [found(ask(inferencer, path, ['street', 'facade']), Choices()) for path in (photo, twin)]
    downloads.save_coco(results, tmp_path / 'masks.json')
    content = json.loads((tmp_path / 'masks.json').read_text())
    assert [image['file_name'] for image in content['images']] == ['photo.png', 'photo_1.png']
    assert [one['name'] for one in content['categories']][:6] == [
        'street:sky', 'street:building', 'street:tree', 'street:road', 'street:car', 'facade:wall',
    ]  # fmt: skip
    painted = np.full((48, 80), 255)
    for one in content['annotations']:
        if one['image_id'] == 1 and one['category_id'] <= 5:
            painted[coco.decode(one['segmentation']).astype(bool)] = one['category_id'] - 1
            assert 0 < one['score'] <= 1
    assert np.array_equal(painted, class_map(*results[0].layer(0)))


def test_label_maps_come_as_a_zip(inferencer: LMSegInferencer, photo: Path, tmp_path: Path) -> None:
    result = found(ask(inferencer, photo, ['street', 'facade']), Choices(least_score=0.3))
    downloads.save_maps(result, tmp_path / 'maps.zip')
    with zipfile.ZipFile(tmp_path / 'maps.zip') as packed:
        assert packed.namelist() == ['photo.json', 'photo_facade.png', 'photo_street.png']
        ids = np.asarray(Image.open(packed.open('photo_street.png')))
    assert np.array_equal(ids, class_map(*result.layer(0)))


@pytest.mark.parametrize('asked', [['street'], ['street', 'facade']])
def test_geotiff_lies_where_the_image_does(inferencer: LMSegInferencer, tmp_path: Path, asked: list[str]) -> None:
    rasterio = pytest.importorskip('rasterio')
    path = tmp_path / 'town.tif'
    profile = dict(
        driver='GTiff', height=48, width=80, count=3, dtype='uint8', crs='EPSG:32633', nodata=0,
        transform=rasterio.transform.from_origin(500000, 5400000, 0.5, 0.5),
    )  # fmt: skip
    pixels = np.random.default_rng(0).integers(1, 256, (3, 48, 80), dtype=np.uint8)
    pixels[:, :10] = 0
    with rasterio.open(path, 'w', **profile) as raster:
        raster.write(pixels)
    session = ask(inferencer, path, asked)
    (tmp_path / 'out').mkdir()
    file = downloads.save_geotiff(result := found(session, Choices()), tmp_path / 'out')
    if len(asked) > 1:
        with zipfile.ZipFile(file) as packed:
            assert sorted(packed.namelist()) == ['town_facade.tif', 'town_street.tif']
            packed.extract('town_street.tif', tmp_path)
        file = tmp_path / 'town_street.tif'
    with rasterio.open(file) as raster:
        assert (raster.crs, raster.transform) == ('EPSG:32633', profile['transform'])
        ids = raster.read(1)
    assert (ids[:10] == 255).all()
    assert np.array_equal(ids[10:], class_map(*result.layer(0))[10:])
    assert json.loads(rasterio.open(file).tags()['classes'])[:2] == ['sky', 'building']


def test_geotiff_of_a_plain_image_is_refused(inferencer: LMSegInferencer, photo: Path, tmp_path: Path) -> None:
    pytest.importorskip('rasterio')
    result = found(ask(inferencer, photo, ['street']), Choices())
    with pytest.raises(DataError, match='no place on Earth'):
        downloads.save_geotiff(result, tmp_path)


@pytest.mark.parametrize(('kind', 'name'), [('PNG', 'photo_picture.png'), ('Label maps', 'photo_maps.zip')])
def test_files_are_of_full_size_and_leave_no_maps_behind(
    inferencer: LMSegInferencer, photo: Path, tmp_path: Path, kind: str, name: str
) -> None:
    workspace = Workspace().with_images([photo]).asking(['street'], '').answered(inferencer)
    assert workspace.shown is not None
    file = downloads.make_file(kind, workspace, Choices(), inferencer, tmp_path / 'made')
    assert file.name == name
    assert 'class_maps' not in vars(workspace.shown)


def test_coco_holds_images_that_were_not_asked_yet(inferencer: LMSegInferencer, photo: Path, tmp_path: Path) -> None:
    twin = photo.with_name('twin.png')
    twin.write_bytes(photo.read_bytes())
    workspace = Workspace().with_images([photo, twin]).asking(['street'], '').answered(inferencer)
    file = downloads.make_file('COCO json', workspace, Choices(), inferencer, tmp_path)
    assert [image['file_name'] for image in json.loads(file.read_text())['images']] == ['photo.png', 'twin.png']
