"""Files that people upload: looked at before anything decodes them, and refused with a sentence."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from ..datasets.folder import IMAGE_SUFFIXES
from ..datasets.image_files import rasterio_module
from ..errors import DataError, OptionError
from ..visualization.drawing import Picture

THUMBNAIL = 160
"""The longer side of a small picture in a list, in pixels."""

FORMATS = ('BMP', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
"""What Pillow reads files of strangers as: of some others it hands them to a program."""


@dataclass(frozen=True)
class Limits:
    """What an image may be at most.

    Attributes:
        megabytes: Of the file.
        megapixels: Of the image in it.

    Raises:
        OptionError: On a limit that is not positive.
    """

    megabytes: float = 20
    megapixels: float = 16

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise OptionError(f'the limit of {name} of an image must be above 0, not {value}')

    @property
    def bytes(self) -> int:
        """The most bytes of a file."""
        return int(self.megabytes * 2**20)


def check_upload(path: Path, folder: Path, limits: Limits) -> None:
    """Looks at an uploaded file: where it is, its name, its size, and how many pixels its header announces.

    Args:
        path: The file.
        folder: Where uploads are kept. What a request names elsewhere is not opened.
        limits: What it may be.

    Raises:
        DataError: Where it is refused.
    """
    name = path.name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise DataError(f'{name}: is no uploaded file; upload it')
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise DataError(f'{name}: the name ends as none of an image does ({", ".join(IMAGE_SUFFIXES)})')
    if (size := path.stat().st_size) > limits.bytes:
        raise DataError(
            f'{name}: has {size / 2**20:.1f} MB, at most {limits.megabytes:g} are taken; make it smaller, or use '
            'mmlmseg predict'
        )
    height, width = announced_size(path)
    if height * width > limits.megapixels * 1e6:
        raise DataError(
            f'{name}: has {height}x{width} pixels, at most {limits.megapixels:g} million are taken; make it smaller, '
            'or use mmlmseg predict, which reads it in tiles'
        )


def announced_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image by its header alone.

    Raises:
        DataError: Where that is none of an image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of many pixels, which are counted here
        try:
            with PIL.Image.open(path, formats=FORMATS) as image:
                return image.height, image.width
        except PIL.Image.DecompressionBombError:
            raise DataError(f'{path.name}: announces more pixels than any image has; make it smaller') from None
        except (OSError, ValueError, SyntaxError):
            pass  # a TIFF may be of a kind that Pillow does not know
        try:
            rasterio = rasterio_module('rasters')
            with rasterio.open(path, driver='GTiff') as raster:  # others may name further files
                return raster.height, raster.width
        except Exception:  # rasterio is not there, or one of GDAL's many errors
            raise DataError(f'{path.name}: is no image that can be read; save it as PNG or JPEG') from None


def thumbnail(path: Path) -> Picture:
    """A small picture of an image, RGB; grey where Pillow cannot read it."""
    try:
        with PIL.Image.open(path, formats=FORMATS) as image:
            image.draft('RGB', (THUMBNAIL, THUMBNAIL))
            small = image.convert('RGB')
            small.thumbnail((THUMBNAIL, THUMBNAIL))
            return np.asarray(small)
    except (OSError, ValueError, SyntaxError):
        return np.full((THUMBNAIL * 3 // 4, THUMBNAIL, 3), 160, np.uint8)
