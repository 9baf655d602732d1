"""Images whose dataset declares their bands and values, and models that know other numbers of bands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS as ALL_MODELS
from mmengine.registry import DefaultScope
from refusals import Refusals
from torch import nn

from mmlmseg.apis.inputs import ImagePipeline
from mmlmseg.band_counts import complete_bands
from mmlmseg.datasets import LoadImage, MultiDataset, PhotoMetricDistortion
from mmlmseg.errors import DataError, OptionError
from mmlmseg.image_format import ImageFormat
from mmlmseg.models.backbones.stems import StemOptions, Stems
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor

REFUSALS = Refusals()
LOAD, LABELS, PACK = (dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs'))
NOISE = np.random.default_rng(0).integers(0, 4096, (32, 48, 4)).astype(np.uint16)


def sample(folder: Path, image: dict[str, Any], pixels: np.ndarray = NOISE, loading: Any = (LOAD, LABELS)) -> None:
    """The sample of a folder dataset that declares its images."""
    (folder / 'images').mkdir()
    (folder / 'labels').mkdir()
    np.save(folder / 'images' / 'scene.npy', pixels)
    cv2.imwrite(str(folder / 'labels' / 'scene.png'), np.zeros(pixels.shape[:2], np.uint8))
    (folder / 'train.txt').write_text('scene\n')
    (folder / 'classes.json').write_text(json.dumps(dict(classes=['water', 'forest'])))
    dataset = dict(type='mmlmseg.FolderDataset', data_root=str(folder), pipeline=[*loading, PACK], image=image)
    with DefaultScope.overwrite_default_scope('mmseg'):
        _ = MultiDataset([dataset])[0]


@REFUSALS.by(DataError, 'scene.npy', 'has 4 bands', '3 are declared', 'bands=[1, 2, 3]')
def more_bands_than_declared(folder: Path) -> None:
    sample(folder, dict(bands=3, scale=4095))


@REFUSALS.by(DataError, 'scene.npy', 'has 4 bands', 'band 8 is declared')
def a_band_that_a_file_lacks(folder: Path) -> None:
    sample(folder, dict(bands=[4, 3, 8], scale=4095))


@REFUSALS.by(DataError, 'scene.npy', 'uint16', 'scale', 'percentiles')
def more_than_8_bits_without_a_scale(folder: Path) -> None:
    sample(folder, dict(bands=4))


@REFUSALS.by(DataError, 'scene.npy', '3 of 1536 pixels', 'NaN', "nodata='nan'")
def values_that_are_no_numbers(folder: Path) -> None:
    pixels = NOISE.astype(np.float32)
    pixels[0, :3, 1] = np.nan
    sample(folder, dict(bands=4, scale=4095), pixels)


@REFUSALS.by(DataError, 'scene.npy', 'complex64', 'floating-point')
def complex_values(folder: Path) -> None:
    sample(folder, dict(bands=4, scale=4095), NOISE.astype(np.complex64))


@REFUSALS.by(DataError, 'scene.npy', '(2, 4, 4, 4)', '(height, width, bands)')
def an_array_of_four_dimensions(folder: Path) -> None:
    sample(folder, dict(bands=4, scale=4095), np.zeros((2, 4, 4, 4), np.uint16))


@REFUSALS.by(OptionError, 'image', "'band'", 'bands')
def a_misspelt_key(folder: Path) -> None:
    ImageFormat.from_config(dict(band=4))


@REFUSALS.by(OptionError, 'bands = [0, 1]', 'counted from 1')
def bands_counted_from_0(folder: Path) -> None:
    ImageFormat(bands=[0, 1])


@REFUSALS.by(OptionError, 'no band')
def no_bands(folder: Path) -> None:
    ImageFormat(bands=[])


@REFUSALS.by(OptionError, 'scale = (255, 0)', 'low < high')
def a_scale_upside_down(folder: Path) -> None:
    ImageFormat(scale=(255, 0))


@REFUSALS.by(OptionError, 'scale', 'each of the 3 bands')
def a_scale_for_fewer_bands(folder: Path) -> None:
    ImageFormat(bands=3, scale=[(0, 255), (0, 10000)])


@REFUSALS.by(OptionError, 'percentiles = (2, 200)', 'from 0 to 100')
def a_percentile_of_200(folder: Path) -> None:
    ImageFormat(percentiles=(2, 200))


@REFUSALS.by(OptionError, 'scale and percentiles', 'leave one out')
def a_scale_and_percentiles(folder: Path) -> None:
    ImageFormat(scale=255, percentiles=(2, 98))


@REFUSALS.by(OptionError, "nodata = 'black'", "'nan'")
def nodata_in_words(folder: Path) -> None:
    ImageFormat(nodata='black')


@REFUSALS.by(OptionError, 'LoadImageFromFile', 'otherwise than', 'mmlmseg.LoadImage')
def a_loading_step_that_says_something_else(folder: Path) -> None:
    sample(folder, dict(bands=4, scale=4095), loading=[dict(LOAD, color_type='grayscale'), LABELS])


@REFUSALS.by(OptionError, 'say it once')
def two_declarations(folder: Path) -> None:
    sample(folder, dict(bands=4, scale=4095), loading=[dict(type='mmlmseg.LoadImage', bands=3), LABELS])


@REFUSALS.by(OptionError, 'float32', 'to_float32', 'image=dict(bands=..., scale=...)')
def colours_of_unknown_range(folder: Path) -> None:
    PhotoMetricDistortion()(dict(img=NOISE.astype(np.float32)))


@REFUSALS.by(DataError, '[H, W, 4]', '[32, 48, 3]', 'read_as')
def an_array_of_fewer_bands(folder: Path) -> None:
    steps = [dict(type='mmlmseg.LoadImage', bands=4, scale=4095), PACK]
    ImagePipeline.build(steps).load(NOISE[..., :3])


@REFUSALS.by(DataError, 'scene.tif', 'cannot be read as an image', 'replace the file')
def text_for_an_image(folder: Path) -> None:
    (folder / 'scene.tif').write_text('no raster')
    ImagePipeline.build([dict(type='mmlmseg.LoadImage'), PACK]).load(folder / 'scene.tif')


@REFUSALS.by(DataError, 'shape (5, 8, 8)', '(3 or 4, height, width)', 'stem')
def bands_that_a_model_has_no_stem_for(folder: Path) -> None:
    channels = {3: [0.0] * 3, 4: [0.0] * 4}, {3: [1.0] * 3, 4: [1.0] * 4}
    GroupingDataPreProcessor(*channels)(dict(inputs=[torch.zeros(5, 8, 8)]))


@REFUSALS.by(OptionError, 'mean is given for 3', 'std for 3 or 4')
def means_without_deviations(folder: Path) -> None:
    GroupingDataPreProcessor({3: [0.0] * 3}, {3: [1.0] * 3, 4: [1.0] * 4})


@REFUSALS.by(OptionError, 'mean of 4 channels', 'give 4 values')
def three_means_of_four_bands(folder: Path) -> None:
    GroupingDataPreProcessor({4: [0.0] * 3}, {4: [1.0] * 4})


@REFUSALS.by(OptionError, 'model.stems.bands = [3]', '5 bands')
def a_stem_that_is_missing(folder: Path) -> None:
    dataset = dict(type='mmlmseg.FolderDataset', data_root='away', image=dict(bands=5, scale=1))
    model = dict(stems=dict(bands=[3]), data_preprocessor=dict(mean=[0.0] * 3, std=[1.0] * 3))
    complete_bands(Config(dict(model=model, train_dataloader=dict(dataset=dataset))))


@REFUSALS.by(OptionError, "adapt = 'copy'", 'repeat or average')
def an_unknown_adaptation(folder: Path) -> None:
    StemOptions([3, 4], adapt='copy')  # type: ignore[arg-type]


@REFUSALS.by(OptionError, 'bands = 4', '[3, 4]')
def stems_of_a_number(folder: Path) -> None:
    StemOptions(4)  # type: ignore[arg-type]


@REFUSALS.by(OptionError, 'no convolution of the backbone sees the image')
def a_backbone_that_begins_otherwise(folder: Path) -> None:
    Stems(nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 4, 3)), StemOptions([3, 4]))


@REFUSALS.by(OptionError, 'the first convolution', '3 groups')
def a_convolution_of_groups(folder: Path) -> None:
    Stems(nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)), StemOptions([3, 4]))


@REFUSALS.by(OptionError, 'unknown key', "'band'", 'model.stems')
def a_misspelt_key_of_stems(folder: Path) -> None:
    backbone = dict(type='mmseg.ResNet', depth=18)
    with DefaultScope.overwrite_default_scope('mmseg'):
        ALL_MODELS.build(
            dict(type='mmlmseg.MultiSpaceSegmentor', backbone=backbone, decode_head={}, stems=dict(band=[3, 4]))
        )


@REFUSALS.by(DataError, 'photo.png', '[1, 2, 3]')
def transparency_that_is_not_declared(folder: Path) -> None:
    cv2.imwrite(str(folder / 'photo.png'), NOISE.astype(np.uint8))
    ImagePipeline.build([dict(type='mmlmseg.LoadImage', bands=3), PACK]).load(folder / 'photo.png')


@REFUSALS.by(OptionError, 'labels are loaded before their image')
def labels_before_an_image_without_data(folder: Path) -> None:
    np.save(folder / 'scene.npy', np.full((4, 4, 1), -1, np.int16))
    LoadImage(bands=1, scale=10, nodata=-1)(dict(img_path=str(folder / 'scene.npy'), seg_fields=['gt_seg_map']))
