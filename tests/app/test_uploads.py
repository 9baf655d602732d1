"""Files are looked at before anything decodes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlmseg.apis.geotiff import is_georeferenced
from mmlmseg.app.uploads import THUMBNAIL, Limits, announced_size, check_upload, thumbnail
from mmlmseg.app.workspace import accepted


def test_an_image_within_the_limits_is_taken(photo: Path) -> None:
    check_upload(photo, photo.parent, Limits())
    assert announced_size(photo) == (48, 80)


def test_of_several_files_the_good_ones_are_taken(photo: Path) -> None:
    text = photo.with_name('notes.txt')
    text.write_text('no image')
    assert accepted([text, photo], photo.parent, Limits())[0] == [photo]
    (complaint,) = accepted([text, photo], photo.parent, Limits())[1]
    assert complaint.startswith('notes.txt: the name ends')


def test_a_link_out_of_the_folder_is_not_followed(photo: Path, tmp_path: Path) -> None:
    secret = tmp_path / 'secret.png'
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(secret)
    (photo.parent / 'link.png').symlink_to(secret)
    (complaint,) = accepted([photo.parent / 'link.png'], photo.parent, Limits())[1]
    assert 'is no uploaded file' in complaint


def test_16_bit_and_grey_images_have_small_pictures(tmp_path: Path) -> None:
    Image.fromarray(np.full((400, 300), 40000, np.uint16)).save(tmp_path / 'deep.png')
    small = thumbnail(tmp_path / 'deep.png')
    assert small.shape == (THUMBNAIL, THUMBNAIL * 3 // 4, 3)


def test_what_is_no_image_has_a_grey_picture(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_text('text')
    assert thumbnail(tmp_path / 'a.png').std() == 0


def test_formats_that_name_other_files_are_not_opened(photo: Path) -> None:
    """GDAL's VRT names rasters to open; of PostScript, Pillow would ask another program."""
    pytest.importorskip('rasterio')
    band = f'<VRTRasterBand><SimpleSource><SourceFilename>{photo}</SourceFilename></SimpleSource></VRTRasterBand>'
    for content in (
        f'<VRTDataset rasterXSize="80" rasterYSize="48"><SRS>EPSG:4326</SRS>{band}</VRTDataset>',
        '%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 80 48\n%%EndComments\n',
    ):
        file = photo.with_name('strange.tif')
        file.write_text(content)
        (complaint,) = accepted([file], photo.parent, Limits())[1]
        assert 'no image that can be read' in complaint
        assert thumbnail(file).std() == 0
        assert not is_georeferenced(file)
