"""Labels of labelme: a JSON file an image (https://github.com/wkentaro/labelme)."""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from ..errors import DataError, errors_of, read_json, written
from .coco import Segmentation, Size
from .labels import ImageFolder, LabelledImage, Labels, Losses, Shape, shown_size, size_fault
from .shapes import box, ellipse, numbers, pixels, polygon

_NOWHERE, _BACKGROUND = '__ignore__', '_background_'
"""labelme's own names of what counts nowhere, and of what is no object."""

_WITHOUT_AREA = ('line', 'linestrip', 'point', 'points')


def read_labelme(
    folder: Path, images: Path | None = None, classes: Sequence[str] | None = None, save_images: bool = False
) -> Labels:
    """Reads all JSON files below a folder.

    Shapes of one label and one ``group_id`` are parts of one object; later shapes lie on earlier ones; ``__ignore__``
    counts nowhere, ``_background_`` is no object, as in labelme's own scripts.

    Args:
        folder: With the JSON files.
        images: Where images are that do not lie where their JSON file says; by default ``folder``.
        classes: Names in the order of their ids; by default those that occur, in alphabetical order.
        save_images: Whether images that only their JSON file holds (``imageData``) are written where it says they are.

    Raises:
        DataError: Where there is no labelme file, one is damaged, or two are of one image.
    """
    pictures, losses = ImageFolder(images or folder), Losses()
    found: dict[Path, Path] = {}
    labelled: list[LabelledImage] = []
    for path in sorted(folder.rglob('*.json')):
        content = read_json(path, DataError, 'it must be a file of labelme')
        if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
            losses.add('JSON file without "shapes", which labelme did not write', path)
            continue
        with errors_of(path):
            file = _image_of(path, content, pictures, save_images)
        if file is None:
            held = ', which the JSON file holds: --save-images writes it' if content.get('imageData') else ''
            losses.add(f'image that is missing{held}', f'{content.get("imagePath")!r} of {path}')
            continue
        if file in found:
            raise DataError(f'{path}: is of the image {file}, as {found[file]} is; keep one of them')
        found[file] = path
        size = shown_size(file)
        told = (content.get('imageHeight') or size[0], content.get('imageWidth') or size[1])
        if fault := size_fault(file, size, told):
            losses.add(fault, path)
            continue
        with errors_of(path):
            labelled.append(LabelledImage(file, size, _read_shapes(path, content, size, losses)))
    if not found and not losses.places:
        raise DataError(f'{folder}: holds no JSON file of labelme')
    for file in pictures.unnamed(found):
        losses.add('image without a JSON file, which nobody labelled', file)
    names = {shape.label for image in labelled for shape in image.shapes if shape.label is not None}
    listed = sorted(names) if classes is None else [name for name in classes if name not in (_NOWHERE, _BACKGROUND)]
    return Labels(listed, labelled, losses)


def _image_of(path: Path, content: Mapping[str, Any], pictures: ImageFolder, save: bool) -> Path | None:
    """The file of the image; labelme on Windows writes backslashes, and a JSON file may have come from elsewhere."""
    named = content.get('imagePath')
    if not isinstance(named, str) or not named:
        raise DataError(f'"imagePath" is {written(named)}; it must be the name of the image')
    name = PureWindowsPath(named)
    beside = path.parent / name.as_posix()
    if beside.is_file():
        return beside.resolve()
    if (file := pictures.find(name.as_posix()) or pictures.find(name.name)) is not None:
        return file.resolve()
    if not save or not content.get('imageData'):
        return None
    target = path.parent / name.name
    target.write_bytes(_decoded(content['imageData'], 'imageData'))
    return target.resolve()


def _read_shapes(path: Path, content: Mapping[str, Any], size: Size, losses: Losses) -> list[Shape]:
    shapes: list[Shape] = []
    for place, shape in enumerate(content['shapes']):
        with errors_of(f'shapes[{place}]'):
            if not isinstance(shape, dict) or not isinstance(shape.get('label'), str):
                raise DataError(f'is {written(shape)}; a shape is an object with a "label"')
            kind, label = shape.get('shape_type') or 'polygon', shape['label'].strip()
            group, flags = shape.get('group_id'), shape.get('flags')
            if group is not None and not isinstance(group, (int, str)):
                raise DataError(f'"group_id" is {written(group)}; it must be a number')
            if kind in _WITHOUT_AREA:
                losses.add(f'{kind}, which covers no area', path)
            elif label == _BACKGROUND:
                losses.add(f'shape of {_BACKGROUND}, which is no object', path)
            else:
                covers = _covered(kind, shape, size)
                shapes.append(Shape(None if label == _NOWHERE else label, covers, group))
            if isinstance(flags, dict) and any(flags.values()):
                losses.add('flags of a shape, which no model is trained on', path)
    return shapes


def _covered(kind: str, shape: Mapping[str, Any], size: Size) -> Segmentation:
    points = shape.get('points')
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise DataError(f'"points" is {written(points)}; a list of [x, y] is needed')
    flat = numbers([value for point in points for value in point])
    if kind in ('polygon', 'oriented_rectangle', 'rotation') or (kind == 'rectangle' and len(points) == 4):
        return polygon(points)
    if kind not in ('rectangle', 'circle', 'mask'):
        raise DataError(f'a shape of the unknown kind {kind!r}; known: polygon, rectangle, circle, mask')
    if len(points) != 2:
        raise DataError(f'a {kind} has two points, not {len(points)}')
    left, top, right, bottom = flat
    if kind == 'rectangle':
        return box(left, top, right, bottom)
    if kind == 'circle':  # its centre, and a point of its border
        radius = math.hypot(right - left, bottom - top)
        return ellipse(left, top, radius, radius)
    try:
        with Image.open(io.BytesIO(_decoded(shape.get('mask'), 'mask'))) as image:
            mask = np.asarray(image).astype(bool)
    except (OSError, SyntaxError) as error:
        raise DataError(f'"mask" cannot be read as an image ({error})') from None
    if mask.shape != (int(bottom) - int(top) + 1, int(right) - int(left) + 1):
        raise DataError(f'its mask of {list(mask.shape)} pixels (height, width) does not fill its box {flat}')
    return pixels(mask, int(left), int(top), size)


def _decoded(text: Any, key: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise DataError(f'"{key}" is no image in base64 ({error})') from None
