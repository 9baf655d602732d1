"""Files of images with all their bands and bits: TIFF by rasterio, NumPy's own format, all else by OpenCV."""

from __future__ import annotations

import io
import warnings
from typing import Any

import cv2
import numpy as np

from ..errors import DataError, OptionError
from ..image_format import ImageFormat

ARRAY_SUFFIX = '.npy'

_PNG, _NPY = b'\x89PNG\r\n\x1a\n', b'\x93NUMPY'
_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')  # the last two are BigTIFF
_GREY_WITH_ALPHA = 4  # colour type of a PNG, at its byte 25
_TURNS = {2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}
"""How EXIF orientations are undone: whether rows and columns are reversed, after a transposition from 5 on."""


def read_bands(content: bytes, declared: ImageFormat) -> tuple[np.ndarray, float | None]:
    """Decodes a file.

    Args:
        content: Of the file.
        declared: Which of its bands are wanted.

    Returns:
        Its bands as declared, ``[H, W, bands]`` with the values of the file, and what it says of pixels without data.

    Raises:
        DataError: Where it is no image, or has other bands.
        OptionError: On a TIFF, where rasterio is not installed.
    """
    if content.startswith(_TIFF):
        return _read_tiff(content, declared)
    pixels = _read_array(content) if content.startswith(_NPY) else _decode(content)
    declared.check_count(pixels.shape[2])
    if declared.chosen != tuple(range(1, pixels.shape[2] + 1)):
        pixels = pixels[..., [band - 1 for band in declared.chosen]]
    return pixels, None


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """An image ``[H, W, bands]`` as viewers show it, by its EXIF orientation, 1 to 8."""
    if orientation == 1:
        return image
    rows, columns = _TURNS[orientation]
    image = image.swapaxes(0, 1) if orientation >= 5 else image
    return np.ascontiguousarray(image[:: -1 if rows else 1, :: -1 if columns else 1])


def opencv_order(image: np.ndarray) -> np.ndarray:
    """An image ``[H, W, bands]`` as transforms expect it, and back: its first three bands last first, as OpenCV's BGR;
    ``[H, W]`` where it has one band."""
    bands = image.shape[2]
    if bands == 1:
        return image[..., 0]
    return np.ascontiguousarray(image[..., [2, 1, 0, *range(3, bands)]]) if bands >= 3 else image


def rasterio_module(why: str) -> Any:
    """The module ``rasterio``, an extra."""
    try:
        import rasterio
        import rasterio.windows
    except ImportError:
        raise OptionError(f'{why} need rasterio: pip install "mmlmseg[geo]"') from None
    return rasterio


def _read_tiff(content: bytes, declared: ImageFormat) -> tuple[np.ndarray, float | None]:
    rasterio = rasterio_module('TIFF files of a dataset that declares its images (or infers as one)')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', rasterio.errors.NotGeoreferencedWarning)
        try:
            with rasterio.MemoryFile(content) as file, file.open() as raster:
                if len(raster.subdatasets) > 1:
                    raise DataError(f'the file holds {len(raster.subdatasets)} pictures; save one a file')
                declared.check_count(raster.count)
                pixels, nodata = raster.read(declared.chosen), raster.nodata
        except rasterio.errors.RasterioError as error:
            raise DataError(f'cannot be read as an image ({error}); replace the file') from None
    return np.ascontiguousarray(_numbers(pixels.transpose(1, 2, 0))), nodata


def _read_array(content: bytes) -> np.ndarray:
    try:
        pixels = np.load(io.BytesIO(content), allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        raise DataError(f'cannot be read as an array ({error}); replace the file') from None
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise DataError(f'the array has shape {pixels.shape}, not (height, width, bands)')
    return _numbers(pixels.reshape(*pixels.shape[:2], -1))


def _decode(content: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    if pixels is None:
        raise DataError('cannot be read as an image; replace the file')
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] == 4 and content.startswith(_PNG) and content[25] == _GREY_WITH_ALPHA:
        return pixels[..., [0, 3]]
    return opencv_order(pixels).reshape(pixels.shape)


def _numbers(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype.kind not in 'iuf':
        raise DataError(f'the values are of {pixels.dtype}; save integers or floating-point numbers')
    return pixels
