"""Images, in the files of a dataset and among the inputs of inference, and pipelines that lose track of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from refusals import Refusals

from mmlmseg.apis import expand_inputs, read_image
from mmlmseg.apis.inputs import ImagePipeline, inference_pipeline
from mmlmseg.datasets import MultiDataset
from mmlmseg.errors import DataError, OptionError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor

REFUSALS = Refusals()
LOAD, LABELS, PACK = (dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs'))
CROP = dict(type='RandomCrop', crop_size=(16, 16))
TWICE = dict(type='Resize', scale_factor=2.0)
NOISE = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


def sample(folder: Path, steps: Sequence[dict[str, Any]] = (LOAD, LABELS, PACK)) -> dict[str, Any]:
    """A folder dataset around ``image.*``, where a row has not written one around noise; its only sample."""
    (folder / 'images').mkdir(exist_ok=True)
    (folder / 'labels').mkdir()
    if not any((folder / 'images').iterdir()):
        Image.fromarray(NOISE).save(folder / 'images' / 'image.png')
    Image.fromarray(np.zeros(NOISE.shape[:2], np.uint8)).save(folder / 'labels' / 'image.png')
    (folder / 'train.txt').write_text('image\n')
    (folder / 'classes.json').write_text(json.dumps(dict(classes=['sky', 'road'])))
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MultiDataset([dict(type='mmlmseg.FolderDataset', data_root=str(folder), pipeline=list(steps))])[0]


def place(folder: Path, name: str) -> Path:
    (folder / 'images').mkdir()
    return folder / 'images' / name


def preprocess(one: dict[str, Any], training: bool = False) -> None:
    data = {key: [value] for key, value in one.items()}
    GroupingDataPreProcessor([0.0] * 3, [1.0] * 3)(data, training)


@REFUSALS.by(DataError, 'image.png', '16 bits', "color_type='unchanged'", '8 bits')
def a_16_bit_png(folder: Path) -> None:
    cv2.imwrite(str(place(folder, 'image.png')), NOISE.astype(np.uint16) * 16)
    sample(folder)


@REFUSALS.by(DataError, 'image.tif', '16 bits', "color_type='unchanged'")
def a_16_bit_tiff(folder: Path) -> None:
    cv2.imwrite(str(place(folder, 'image.tif')), NOISE[..., 0].astype(np.uint16) * 16)
    sample(folder, [dict(LOAD, to_float32=True), LABELS, PACK])


@REFUSALS.by(DataError, 'image.tif', '16 bits', "color_type='unchanged'")
def a_16_bit_tiff_to_segment(folder: Path) -> None:
    cv2.imwrite(str(folder / 'image.tif'), NOISE.astype(np.uint16) * 16)
    read_image(folder / 'image.tif')


@REFUSALS.by(DataError, 'image.jpg', 'replace the file')
def a_cut_off_jpeg(folder: Path) -> None:
    path = place(folder, 'image.jpg')
    Image.fromarray(NOISE).save(path)
    path.write_bytes(path.read_bytes()[:800])
    sample(folder)


@REFUSALS.by(DataError, 'image.jpg', 'replace the file')
def a_cut_off_jpeg_to_segment(folder: Path) -> None:
    Image.fromarray(NOISE).save(folder / 'image.jpg')
    (folder / 'image.jpg').write_bytes((folder / 'image.jpg').read_bytes()[:800])
    read_image(folder / 'image.jpg')


@REFUSALS.by(DataError, 'image.jpg', 'cannot be read as an image', 'replace the file')
def an_empty_file(folder: Path) -> None:
    (folder / 'image.jpg').write_bytes(b'')
    read_image(folder / 'image.jpg')


@REFUSALS.by(DataError, 'image.jpg', 'cannot be read as an image', 'replace the file')
def a_page_of_a_web_server(folder: Path) -> None:
    (folder / 'image.jpg').write_text('<html>404 Not Found</html>')
    read_image(folder / 'image.jpg')


@REFUSALS.by(DataError, 'image.tiff', 'cannot read this kind of image')
def floats_of_one_channel(folder: Path) -> None:
    Image.fromarray(NOISE[..., 0].astype(np.float32)).save(folder / 'image.tiff')
    read_image(folder / 'image.tiff')


@REFUSALS.by(DataError, 'image.webp', '2 pictures', 'save one a file')
def an_animation(folder: Path) -> None:
    first, second = Image.fromarray(NOISE), Image.fromarray(255 - NOISE)
    first.save(folder / 'image.webp', save_all=True, append_images=[second])
    read_image(folder / 'image.webp')


@REFUSALS.by(DataError, 'holds no image', '.jpg')
def a_folder_named_as_an_image(folder: Path) -> None:
    (folder / 'holiday.jpg').mkdir()
    expand_inputs(folder)


@REFUSALS.by(DataError, 'https://example.org/a.jpg', 'is an address', 'download it')
def an_address(folder: Path) -> None:
    expand_inputs('https://example.org/a.jpg')


@REFUSALS.by(DataError, 'Image', 'convert("RGB")')
def a_pillow_image(folder: Path) -> None:
    expand_inputs(Image.fromarray(NOISE))  # type: ignore[arg-type]


@REFUSALS.by(DataError, 'Tensor', 'permute(1, 2, 0)')
def a_tensor_among_paths(folder: Path) -> None:
    expand_inputs([torch.zeros(3, 8, 8)])  # type: ignore[list-item]


@REFUSALS.by(DataError, 'bytes', 'cv2.imdecode')
def the_bytes_of_a_file(folder: Path) -> None:
    expand_inputs(cv2.imencode('.png', NOISE)[1].tobytes())  # type: ignore[arg-type]


@REFUSALS.by(DataError, 'type int', 'a path, an array')
def a_number_for_an_image(folder: Path) -> None:
    expand_inputs(3)  # type: ignore[arg-type]


@REFUSALS.by(DataError, '[3, 32, 48]', '[H, W, 3] (BGR)')
def an_array_with_channels_first(folder: Path) -> None:
    read_image(np.moveaxis(NOISE, 2, 0))


@REFUSALS.by(DataError, 'uint8', 'float64')
def an_array_from_0_to_1(folder: Path) -> None:
    read_image(NOISE / 255)  # type: ignore[arg-type]


@REFUSALS.by(DataError, '[0, 8]')
def an_array_without_rows(folder: Path) -> None:
    read_image(np.zeros((0, 8), np.uint8))


@REFUSALS.by(DataError, 'loads images in grey', '[32, 48, 3]')
def colours_for_a_grey_config(folder: Path) -> None:
    ImagePipeline.build([dict(LOAD, color_type='grayscale'), PACK]).load(NOISE)


@REFUSALS.by(DataError, 'image.png', 'shape (1, 32, 48)', 'a channel for each mean', "color_type='color'")
def grey_for_a_model_of_colours(folder: Path) -> None:
    preprocess(sample(folder, [dict(LOAD, color_type='grayscale'), PACK]))


@REFUSALS.by(DataError, 'image.png', 'image is 64x96 and the label 32x48', 'load them before')
def a_resize_before_the_labels(folder: Path) -> None:
    sample(folder, [LOAD, TWICE, LABELS, CROP, PACK])


@REFUSALS.by(DataError, 'image.png', 'after RandomCrop', 'load them before')
def a_crop_before_the_labels(folder: Path) -> None:
    sample(folder, [LOAD, CROP, LABELS, dict(type='Pad', size=(48, 32)), PACK])


@REFUSALS.by(DataError, 'image.png', 'after RandomFlip', 'load them before')
def a_flip_before_the_labels(folder: Path) -> None:
    preprocess(sample(folder, [LOAD, dict(type='RandomFlip', prob=1.0), LABELS, PACK]), training=True)


@REFUSALS.by(DataError, 'image.png', 'CenterCrop', 'test pipeline', 'model.test_cfg.tiles')
def a_crop_in_a_test(folder: Path) -> None:
    preprocess(sample(folder, [LOAD, dict(type='CenterCrop', crop_size=(16, 16)), PACK]))


@REFUSALS.by(DataError, 'image.png', 'Resize after Pad', 'right before packing')
def a_resize_after_padding_in_a_test(folder: Path) -> None:
    preprocess(sample(folder, [LOAD, dict(type='Pad', size=(96, 96)), TWICE, PACK]))


@REFUSALS.by(DataError, 'strip.png', 'so narrow')
def a_strip_that_vanishes(folder: Path) -> None:
    cv2.imwrite(str(folder / 'strip.png'), np.zeros((900, 1, 3), np.uint8))
    pipeline = ImagePipeline.build([LOAD, dict(type='Resize', scale=(64, 64), keep_ratio=True), PACK])
    pipeline.prepare(pipeline.load(folder / 'strip.png'))


@REFUSALS.by(OptionError, 'gone/second', "'facade'", 'metainfo=dict(label_space=')
def a_pipeline_that_hangs_on_a_folder_that_is_away(folder: Path) -> None:
    parts = [
        dict(
            type='mmlmseg.FolderDataset',
            data_root=f'gone/{name}',
            pipeline=[LOAD, dict(type='Resize', scale=(s, s)), PACK],
        )
        for name, s in (('first', 32), ('second', 64))
    ]
    config = Config(dict(test_dataloader=dict(dataset=dict(datasets=parts))))
    trained = LabelSpaces([LabelSpace.create('first', ['sky']), LabelSpace.create('facade', ['wall'])])
    inference_pipeline(config, ['facade'], trained)
