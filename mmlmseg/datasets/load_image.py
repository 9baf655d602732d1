"""Loading images as their dataset declares them, of any depth and any number of bands, and what keeps them so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mmcv.transforms
import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine import fileio

from ..errors import DataError, OptionError
from ..image_format import ImageFormat, Scaling
from ..registry import TRANSFORMS
from .files import exif_orientation
from .image_files import opencv_order, read_bands, turned
from .steps import loads_labels


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Loads the bands of an image, with all their bits, and scales them to values from 0 to 255.

    It stands in the place of ``LoadImageFromFile`` where a dataset says ``image=dict(...)``; any other dataset takes it
    in its pipeline. ``img`` is ``[H, W, bands]``, its first three bands last first as OpenCV's BGR, which
    ``bgr_to_rgb`` of the preprocessor undoes, or ``[H, W]`` of one band: float32, or uint8 where a file of 8 bits needs
    no scaling. PNG, JPEG and other files that OpenCV reads, TIFF (by rasterio) and ``.npy``.

    Args:
        bands: See :class:`~mmlmseg.image_format.ImageFormat`.
        scale: Likewise.
        percentiles: Likewise.
        nodata: Likewise.
        backend_args: Of mmengine's file clients.

    Raises:
        OptionError: Where the declaration is ill-formed.
        DataError: On a file of other bands, or with values that the declaration does not cover.
    """

    def __init__(
        self,
        bands: int | Sequence[int] = 3,
        scale: float | Sequence[Any] | None = None,
        percentiles: Sequence[float] | None = None,
        nodata: float | str | None = None,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(color_type='unchanged', backend_args=backend_args)
        self.format = ImageFormat(bands, scale, percentiles, nodata)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds ``img``, its sizes, ``bands``, and ``no_data``, a mask [H, W], where some pixels hold nothing."""
        path = results['img_path']
        pixels, nodata = self.read(path)
        if (orientation := exif_orientation(path)) != 1:
            pixels = turned(pixels, orientation)
            results['exif_orientation'] = orientation
        return {**results, **self._loaded(pixels, nodata, labelled=bool(results.get('seg_fields')))}

    def read(self, path: str) -> tuple[np.ndarray, float | None]:
        """The bands of a file as declared, ``[H, W, bands]`` with its values, and what it says of missing data."""
        return read_bands(fileio.get(path, backend_args=self.backend_args), self.format)

    def of_array(self, array: np.ndarray) -> dict[str, Any]:
        """What it would have loaded from a file with the values of an array.

        Args:
            array: ``[H, W, bands]`` in the order of the declaration, but three bands last first, as OpenCV's BGR; or
                ``[H, W]`` of one band.
        """
        count, shape = self.format.count, list(array.shape)
        if array.ndim not in (2, 3) or array.size == 0 or (array.shape[2] if array.ndim == 3 else 1) != count:
            raise DataError(
                f'An image array must be [H, W, {count}], the bands that its dataset declares, not {shape}; where it '
                'is as the images of another dataset of the model, read_as names that one.'
            )
        pixels = array.reshape(*array.shape[:2], count)
        return self._loaded(pixels[..., ::-1] if count == 3 else pixels, None)

    def _loaded(self, pixels: np.ndarray, nodata: float | None, labelled: bool = False) -> dict[str, Any]:
        image, empty = self.format.fit(pixels, nodata)(pixels)
        if empty is not None and labelled:
            raise OptionError('labels are loaded before their image, which tells where they count; load it first')
        size = image.shape[:2]
        missing = {} if empty is None else dict(no_data=empty)
        return dict(
            img=opencv_order(image), img_shape=size, ori_shape=size, image_format=vars(self.format).copy(), **missing
        )

    def scaled(self, pixels: np.ndarray, scaling: Scaling) -> np.ndarray:
        """A part ``[h, w, bands]`` of an image, as it would be loaded with the whole."""
        return opencv_order(scaling(pixels)[0])

    def __repr__(self) -> str:
        return f'{type(self).__name__}({", ".join(f"{key}={value!r}" for key, value in vars(self.format).items())})'


@TRANSFORMS.register_module()
class Pad(mmcv.transforms.Pad):
    """mmcv's padding, of images with more than four bands too, which OpenCV fills four at a time.

    Arguments are those of mmcv's.
    """

    def _pad_img(self, results: dict[str, Any]) -> None:
        image = results['img']
        if image.ndim == 2 or image.shape[2] <= 4:
            return super()._pad_img(results)
        parts = []
        for first in range(0, image.shape[2], 4):
            results['img'] = np.ascontiguousarray(image[..., first : first + 4])
            super()._pad_img(results)
            parts.append(results['img'].reshape(*results['img_shape'], -1))
        results['img'] = np.concatenate(parts, axis=2)
        results['pad_shape'] = results['img'].shape
        return None


@TRANSFORMS.register_module()
class CheckDepth(BaseTransform):
    """Stops at an image of more than 8 bits, or of several bands, of which a step has left less. Stands before packing.

    Raises:
        OptionError: Naming what the image was, and what it is.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Compares the image with what was loaded."""
        if (loaded := results.get('loaded_as')) and 'img' in results:
            bits, bands = loaded
            image = results['img']
            left = 1 if image.ndim == 2 else image.shape[2]
            if (image.dtype == np.uint8 and bits > 8) or left != bands:
                raise OptionError(
                    f'the image was loaded with {bits} bits in {bands} bands, and a step of the pipeline made '
                    f'{8 * image.dtype.itemsize} bits in {left} of it; take steps that keep them, such as '
                    'mmlmseg.PhotoMetricDistortion'
                )
        return results


def read_as_declared(owner: Any, image: Mapping[str, Any]) -> None:
    """Lets the steps of a built pipeline that load images obey a declaration.

    Args:
        owner: A pipeline, a list of transforms, or a transform that has transforms. Changed in place.
        image: What :class:`LoadImage` takes.

    Raises:
        OptionError: Where a step loads images otherwise.
    """
    if isinstance(owner, list):
        owner[:] = [_obeying(step, image) for step in owner]
    inner = owner if isinstance(owner, list) else [getattr(owner, key, None) for key in ('transforms', 'subroutines')]
    for one in inner:
        if one is not None:
            read_as_declared(one, image)


def _obeying(step: Any, image: Mapping[str, Any]) -> Any:
    if not type(step).__name__.startswith('LoadImage') or loads_labels(type(step)):
        return step
    if isinstance(step, LoadImage):
        if step.format != ImageFormat.from_config(image):
            raise OptionError(f'the pipeline has {step!r}, the dataset image={dict(image)}; say it once')
        return step
    if type(step) is not LoadImageFromFile or step.color_type != 'color':
        raise OptionError(
            f'{step!r} loads images otherwise than image={dict(image)} of the dataset says; take '
            "dict(type='LoadImageFromFile') without more, or mmlmseg.LoadImage"
        )
    return LoadImage(**image, backend_args=step.backend_args)
