"""What a dataset declares of its images, and what becomes of their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmlmseg.errors import DataError
from mmlmseg.image_format import ImageFormat, as_declared, declaration


def scaled(pixels: np.ndarray, tag: float | None = None, **declared: Any) -> tuple[np.ndarray, np.ndarray | None]:
    return ImageFormat(bands=pixels.shape[2], **declared).fit(pixels, tag)(pixels)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize('bands', [1, 2, 3, 4, 13, 32])
def test_a_scale_leads_to_values_from_0_to_255(dtype: type, bands: int) -> None:
    values = np.array([0, 10, 50, 100, 120], dtype).reshape(1, 5, 1).repeat(bands, axis=2)
    image, empty = scaled(values, scale=(10, 110))
    assert image.dtype == np.float32
    assert empty is None
    np.testing.assert_allclose(image[0, :, -1], [0, 0, 102, 229.5, 255], rtol=1e-6)


def test_all_levels_of_16_bits_stay() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    assert len(np.unique(scaled(levels, scale=65535)[0])) == 65536


@pytest.mark.parametrize('scale', [None, 255, (0, 255), [(0, 255), (0, 255), (0, 255)]])
def test_8_bits_stay_as_they_are(scale: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    image, _ = scaled(pixels, scale=scale)
    assert image.dtype == np.uint8
    assert np.array_equal(image, pixels)


def test_a_scale_for_each_band() -> None:
    pixels = np.array([[[0, 100], [255, 300]]], np.uint16)
    np.testing.assert_allclose(scaled(pixels, scale=[(0, 255), (100, 300)])[0], [[[0, 0], [255, 255]]])


def test_percentiles_are_of_each_band_of_the_file() -> None:
    pixels = np.stack([np.arange(101), 50 + 10 * np.arange(101)], axis=-1).astype(np.uint16)[None]
    image, _ = scaled(pixels, percentiles=(10, 90))
    np.testing.assert_allclose(image[0, :, 0], image[0, :, 1], rtol=1e-5)
    np.testing.assert_allclose(image[0, [10, 50, 90], 0], [0, 127.5, 255], rtol=1e-5)


def test_pixels_without_data_become_the_mean_of_the_others() -> None:
    pixels = np.array([[[-9, -9], [10, -9], [30, 90], [np.nan, 5]]], np.float32)
    image, empty = scaled(pixels, scale=(0, 255), nodata=-9)
    assert empty is not None
    assert empty.tolist() == [[True, False, False, True]]
    np.testing.assert_allclose(image[0], [[20, 45], [10, 0], [30, 90], [20, 45]], rtol=1e-6)
    same, _ = scaled(pixels, -9, scale=(0, 255))  # as a GeoTIFF says it itself
    assert np.array_equal(same, image)


def test_percentiles_and_means_leave_out_what_is_no_data() -> None:
    pixels = np.array([[[0.0], [1.0], [2.0], [np.nan]]], np.float32)
    image, _ = scaled(pixels, percentiles=(0, 100), nodata='nan')
    np.testing.assert_allclose(image[0, :, 0], [0, 127.5, 255, 127.5])
    nothing, empty = scaled(np.full((2, 2, 1), np.nan, np.float32), percentiles=(2, 98), nodata='nan')
    assert empty is not None
    assert empty.all()
    assert not nothing.any()


def test_numbers_that_are_none_are_named() -> None:
    with pytest.raises(DataError, match=r"1 of 4 pixels hold .*nodata='nan'"):
        scaled(np.array([[[1.0], [2.0], [3.0], [np.inf]]]), scale=1)


def test_a_declaration_takes_the_place_of_the_loading() -> None:
    image = dict(bands=4, scale=10000)
    steps = [dict(type='LoadImageFromFile', backend_args=None), dict(type='PackSegInputs')]
    loading = dict(type='mmlmseg.LoadImage', bands=4, scale=10000)
    assert as_declared(steps, image) == [dict(loading, backend_args=None), steps[1]]
    assert as_declared(steps[1:], image) == [loading, steps[1]]
    assert declaration(dict(pipeline=[loading])) == image == declaration(dict(image=image, pipeline=steps))
    assert declaration(dict(pipeline=steps)) is None
