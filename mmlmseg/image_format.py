"""What the pixels of a dataset's images are: which bands of a file, which values, and which of them are none.

It is declared once for a dataset, ``image=dict(bands=4, scale=10000)``, or in the ``classes.json`` of its folder. Read
by it, images of any depth have values from 0 to 255, as those of 8 bits have: augmentation, means, deviations and
pretrained weights keep their meaning.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import options_of
from .errors import DataError, OptionError

WHITE = 255.0
_SAMPLED = 1_000_000  # pixels of an image, evenly spaced, that percentiles and means are taken of

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ImageFormat:
    """What the images of a dataset hold, as a config declares it.

    Attributes:
        bands: How many bands a file has, all of which are read; or which of its bands are read, counted from 1, in the
            order in which the model sees them, such as ``[4, 3, 2]``.
        scale: Which value becomes 255; or which values become 0 and 255, ``(low, high)``; or such a pair for each band.
            What is beyond becomes 0 or 255. Files of 8 bits need none.
        percentiles: In place of a scale, which percentiles of each band of each file become 0 and 255, such as
            ``(2, 98)``.
        nodata: The value of pixels that hold nothing, or ``'nan'``. A pixel holds nothing where all of its bands have
            this value, or one is no number. It becomes the mean of the others, and its label counts nowhere. A GeoTIFF
            may say its value itself.

    Raises:
        OptionError: Where a value is none of these.
    """

    bands: int | Sequence[int] = 3
    scale: float | Sequence[Any] | None = None
    percentiles: Sequence[float] | None = None
    nodata: float | str | None = None

    @classmethod
    def from_config(cls, given: Any, where: str = 'image') -> ImageFormat:
        """Reads a declaration; an OptionError on an unknown key."""
        return given if isinstance(given, ImageFormat) else options_of(cls, given, where)

    def __post_init__(self) -> None:
        given: Sequence[Any] = [self.bands] if isinstance(self.bands, (int, str)) else self.bands
        if any(not isinstance(band, int) or isinstance(band, bool) or band < 1 for band in given):
            raise OptionError(
                f'image: bands = {self.bands!r}; give the number of bands of a file, or which of them are read, '
                'counted from 1, such as [4, 3, 2]'
            )
        if not given:
            raise OptionError('image: bands = [] leaves no band to read')
        if self.scale is not None and self.percentiles is not None:
            raise OptionError('image: scale and percentiles both say what becomes 0 and 255; leave one out')
        if self.scale is not None:
            _ = self.limits
        if self.percentiles is not None and not _is_range(self.percentiles, 0, 100):
            raise OptionError(f'image: percentiles = {self.percentiles!r}; give two from 0 to 100, such as (2, 98)')
        known = self.nodata is None or self.nodata == 'nan' or _is_number(self.nodata)
        if not known:
            raise OptionError(f"image: nodata = {self.nodata!r}; give the value of such pixels, or 'nan'")
        for key in ('bands', 'scale', 'percentiles'):  # equal however they were written
            object.__setattr__(self, key, _frozen(getattr(self, key)))

    @property
    def chosen(self) -> tuple[int, ...]:
        """The bands that are read, counted from 1."""
        return tuple(range(1, self.bands + 1)) if isinstance(self.bands, int) else tuple(self.bands)

    @property
    def count(self) -> int:
        """How many bands the model sees."""
        return len(self.chosen)

    @property
    def limits(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Of a scale: what becomes 0, and what becomes 255, in each band."""
        scale = self.scale
        if isinstance(scale, Sequence) and scale and all(isinstance(own, Sequence) for own in scale):
            pairs = list(scale)
        else:
            pairs = [scale if isinstance(scale, Sequence) else (0, scale)] * self.count
        if len(pairs) != self.count or not all(_is_range(own) for own in pairs):
            raise OptionError(
                f'image: scale = {scale!r}; give the value that becomes 255, or (low, high) with low < high, or such a '
                f'pair for each of the {self.count} bands'
            )
        low, high = zip(*pairs, strict=True)
        return low, high

    def check_count(self, held: int) -> None:
        """Raises a DataError where a file with so many bands is no such image."""
        if held == self.bands or (not isinstance(self.bands, int) and held >= max(self.bands)):
            return
        if isinstance(self.bands, int):
            wanted = f'{self.bands} are declared'
            advice = f'; bands={list(self.chosen)} reads the first {self.bands}' if held > self.bands else ''
        else:
            wanted, advice = f'band {max(self.bands)} is declared', ''
        raise DataError(
            f'the image has {held} {"band" if held == 1 else "bands"}, and {wanted}: see image=dict(bands=...) of its '
            f'dataset{advice}; where images are as those of another dataset of the model, inference can read them so '
            '(read_as)'
        )

    def fit(self, sample: np.ndarray, nodata: float | None = None) -> Scaling:
        """What is done to the values of an image.

        Args:
            sample: The image, or evenly spaced pixels of it, ``[H, W, bands]``.
            nodata: What its file says of pixels without data.

        Raises:
            DataError: Where nothing tells what its values mean, or some are no numbers.
        """
        declared = nodata if self.nodata is None else float(self.nodata)
        step = max(1, math.ceil(math.sqrt(sample.shape[0] * sample.shape[1] / _SAMPLED)))
        pixels = sample[::step, ::step].reshape(-1, self.count)
        empty = _without_data(pixels, declared)
        known = pixels if empty is None else pixels[~empty]
        if self.scale is not None:
            low, high = self.limits
        elif self.percentiles is not None:
            ends = np.percentile(known, self.percentiles, axis=0) if len(known) else np.zeros((2, self.count))
            low, high = tuple(ends[0].tolist()), tuple(ends[1].tolist())
        elif sample.dtype == np.uint8:
            low, high = (0.0,) * self.count, (WHITE,) * self.count
        else:
            raise DataError(
                f'the image is of {sample.dtype}, and nothing says which values are black and white: declare '
                'image=dict(scale=...) or image=dict(percentiles=(2, 98)) of its dataset'
            )
        scaling = Scaling(low, high, declared, (0.0,) * self.count)
        if not len(known):
            return scaling
        means = scaling.scaled(known).mean(axis=0, dtype=np.float64)
        return Scaling(low, high, declared, tuple(means.tolist()))


@dataclass(frozen=True)
class Scaling:
    """What is done to the values of one image.

    Attributes:
        low: What becomes 0, in each band.
        high: What becomes 255.
        nodata: The value of pixels without data.
        fill: What these become.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    nodata: float | None
    fill: tuple[float, ...]

    @property
    def is_plain(self) -> bool:
        """Whether values of 8 bits stay as they are."""
        return set(self.low) == {0} and set(self.high) == {WHITE}

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, Mask | None]:
        """Scales an image ``[H, W, bands]``.

        Returns:
            Values from 0 to 255 as float32, or uint8 where a file of 8 bits is kept as it is; and which pixels are
            without data ``[H, W]``, None where all have some.

        Raises:
            DataError: Where values are no numbers, and no value is declared to mean so.
        """
        empty = self.without_data(pixels)
        if empty is not None and not empty.any():
            empty = None
        image = pixels if pixels.dtype == np.uint8 and self.is_plain else self.scaled(pixels)
        if empty is None:
            return image, None
        image = image.copy()
        image[empty] = np.round(self.fill) if image.dtype == np.uint8 else self.fill
        return image, empty

    def without_data(self, pixels: np.ndarray) -> Mask | None:
        """Which pixels of an image ``[H, W, bands]`` hold nothing; None where this cannot be."""
        return _without_data(pixels, self.nodata)

    def scaled(self, pixels: np.ndarray) -> np.ndarray:
        """Values ``[..., bands]`` from 0 to 255, float32; a band whose ends are one value becomes 0."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        factor = np.divide(WHITE, high - low, out=np.zeros_like(low, dtype=np.float64), where=high > low)
        exact = np.float64 if pixels.dtype.itemsize > 2 and pixels.dtype.kind in 'iu' else np.float32
        values = np.subtract(pixels, low.astype(exact), dtype=exact)
        values *= factor.astype(exact)
        with np.errstate(invalid='ignore'):
            return np.clip(values, 0, WHITE, out=values).astype(np.float32, copy=False)


def _without_data(pixels: np.ndarray, nodata: float | None) -> Mask | None:
    """Which pixels ``[..., bands]`` hold nothing; None where this cannot be."""
    odd = None
    if pixels.dtype.kind == 'f' and not np.isfinite(pixels).all():
        odd = ~np.isfinite(pixels).all(axis=-1)
    if nodata is None:
        if odd is not None:
            raise DataError(
                f'{int(odd.sum())} of {odd.size} pixels hold a value that is no number (NaN or infinite); declare '
                "image=dict(nodata='nan') of its dataset, and their labels count nowhere"
            )
        return None
    if math.isnan(nodata):
        return odd
    equal: Mask = (pixels == nodata).all(axis=-1)
    return equal if odd is None else equal | odd


def _kind(step: Mapping[str, Any]) -> str:
    kind = step.get('type', '')
    return str(getattr(kind, '__name__', kind)).rsplit('.', 1)[-1]


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_range(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether a value is two numbers, the first less than the second."""
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(map(_is_number, value))
        and least <= value[0] < value[1] <= most
    )


def declaration(dataset: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the config of a dataset declares of its images: by ``image``, in the ``classes.json`` of its folder, or by
    the loading step of its pipeline."""
    image: Mapping[str, Any] | None
    if (image := dataset.get('image') or _of_folder(dataset)) is not None:
        return image
    for step in dataset.get('pipeline') or ():
        if _kind(step) == 'LoadImage':
            return {key: value for key, value in step.items() if key not in ('type', 'backend_args')}
    return None


def _of_folder(dataset: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What ``classes.json`` says of images; None where it cannot be read, which is told where the data is."""
    folder = next(iter(dataset.get('folders') or ()), dataset)
    if _kind(dataset) not in ('FolderDataset', 'MultiSpaceFolderDataset') or not folder.get('data_root'):
        return None
    try:
        content = json.loads((Path(folder['data_root']).expanduser() / 'classes.json').read_text(encoding='utf-8-sig'))
    except (OSError, ValueError):
        return None
    image = content.get('image') if isinstance(content, Mapping) else None
    return image if isinstance(image, Mapping) else None


def as_declared(steps: Sequence[Mapping[str, Any]], image: Any) -> list[dict[str, Any]]:
    """The steps of a config's pipeline, whose loading of images obeys what their dataset declares."""
    ImageFormat.from_config(image)
    kinds = [_kind(step) for step in steps]
    loader = dict(type='mmlmseg.LoadImage', **dict(image))
    if not {'LoadImage', 'LoadImageFromFile', 'LoadImageFromNDArray'}.intersection(kinds):
        return [loader, *map(dict, steps)]
    return [
        {**loader, **({'backend_args': step['backend_args']} if 'backend_args' in step else {})}
        if kind.startswith('LoadImage')
        else dict(step)
        for step, kind in zip(steps, kinds, strict=True)
    ]
