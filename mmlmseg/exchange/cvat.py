"""Labels of CVAT: "CVAT for images 1.1", the XML file of a task, a job or a project (https://docs.cvat.ai)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..errors import DataError, errors_of
from ..palette import Colour
from .coco import Segmentation, Size
from .labels import ImageFolder, LabelledImage, Labels, Losses, Shape, shown_size, size_fault
from .shapes import box, ellipse, numbers, pixels, polygon

_WITHOUT_AREA = ('polyline', 'points', 'cuboid', 'skeleton', 'tag')
_GREY: Colour = (128, 128, 128)  # of a label without a colour among some that have one


def read_cvat(files: Sequence[Path], images: Path) -> Labels:
    """Reads the XML files of one project, or of the tasks and jobs of one.

    Shapes of one label and one group are parts of one object. Objects stand in the order of ``z_order``. Shapes that
    are ``outside`` are not there; ``occluded`` says nothing of pixels.

    Args:
        files: The XML files; their labels are joined by name.
        images: The folder from which image names start, as CVAT exports it (``images/``).

    Raises:
        DataError: Where a file is no such export or damaged, or an image stands in two of them with shapes.
    """
    pictures, losses = ImageFolder(images), Losses()
    colours: dict[str, Colour | None] = {}
    labelled: dict[Path, LabelledImage] = {}
    for path in files:
        root = _read_xml(path)
        with errors_of(path):
            colours |= {name: colour for name, colour in _read_labels(root) if name not in colours}
            for entry in root.iter('image'):
                name = _text(entry, 'name')
                with errors_of(f'image {name!r}'):
                    image = _read_image(entry, name, pictures, losses)
                if image is None:
                    continue
                if (other := labelled.get(image.file)) is not None and other.shapes and image.shapes:
                    raise DataError(
                        f'image {name!r} has shapes at two places (as frames that two jobs share); keep one'
                    )
                if other is None or image.shapes:
                    labelled[image.file] = image
    if not labelled and not losses.places:
        raise DataError(f'{files[0]}: lists no image')
    for file in pictures.unnamed():
        losses.add('image that the export does not name', file)
    known = [colour for colour in colours.values() if colour is not None]
    palette = [colour or _GREY for colour in colours.values()] if known else None
    return Labels(list(colours), list(labelled.values()), losses, palette)


def _read_xml(path: Path) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f'{path}: cannot be read as XML ({error})') from None
    if root.tag != 'annotations' or root.find('meta') is None:
        raise DataError(f'{path}: is no export of CVAT; choose "CVAT for images 1.1" there')
    if root.find('track') is not None:
        raise DataError(f'{path}: holds tracks of "CVAT for video"; export the task as "CVAT for images 1.1"')
    return root


def _read_labels(root: ElementTree.Element) -> Iterator[tuple[str, Colour | None]]:
    """The labels of task, job or project that can cover an area, with their colours."""
    for label in root.iterfind('meta/*/labels/label'):
        if label.findtext('type') in _WITHOUT_AREA or label.findtext('parent'):  # a part of a skeleton
            continue
        if not (name := (label.findtext('name') or '').strip()):
            raise DataError('a label in its "meta" has no name')
        colour = (label.findtext('color') or '').strip().removeprefix('#')
        try:
            red, green, blue = bytes.fromhex(colour)
        except ValueError:
            yield name, None
        else:
            yield name, (red, green, blue)


def _read_image(entry: ElementTree.Element, name: str, pictures: ImageFolder, losses: Losses) -> LabelledImage | None:
    if (file := pictures.find(name, entry.get('subset') or '')) is None:
        losses.add(f'image that is missing in {pictures.root}', name)
        return None
    size = shown_size(file)
    labelled = (_whole(entry, 'height'), _whole(entry, 'width'))
    if fault := size_fault(file, size, labelled):
        losses.add(fault, name)
        return None
    shapes: list[Shape] = []
    for shape in entry:
        if shape.tag in _WITHOUT_AREA:
            losses.add(f'{shape.tag}, which covers no area', name)
        elif shape.get('outside') == '1':
            losses.add('shape that is outside of its image (outside="1")', name)
        else:
            if shape.find('attribute') is not None:
                losses.add('shape whose attributes are left out, as no model is trained on them', name)
            covers = _covered(shape, size)
            group = shape.get('group_id')
            layer = _whole(shape, 'z_order') if 'z_order' in shape.attrib else 0
            shapes.append(Shape(_text(shape, 'label').strip(), covers, None if group == '0' else group, layer))
    return LabelledImage(file, size, shapes)


def _covered(shape: ElementTree.Element, size: Size) -> Segmentation:
    rotation = _number(shape, 'rotation') if 'rotation' in shape.attrib else 0.0
    if shape.tag == 'polygon':
        return polygon(_points(_text(shape, 'points')))
    if shape.tag == 'box':
        left, top, right, bottom = (_number(shape, key) for key in ('xtl', 'ytl', 'xbr', 'ybr'))
        return box(left, top, right, bottom, rotation)
    if shape.tag == 'ellipse':
        x, y, rx, ry = (_number(shape, key) for key in ('cx', 'cy', 'rx', 'ry'))
        return ellipse(x, y, rx, ry, rotation)
    if shape.tag == 'mask':
        left, top, width, height = (_whole(shape, key) for key in ('left', 'top', 'width', 'height'))
        return pixels(_decode(_text(shape, 'rle'), width, height), left, top, size)
    raise DataError(f'holds a shape of the unknown kind <{shape.tag}>; known: polygon, box, ellipse, mask')


def _points(text: str) -> list[tuple[float, float]]:
    """Points as CVAT writes them: ``x,y;x,y;...``."""
    try:
        return [(float(x), float(y)) for x, y in (point.split(',') for point in text.split(';'))]
    except ValueError:
        raise DataError(f'"points" of a <polygon> are {text[:60]!r}; points are written x,y;x,y;x,y') from None


def _decode(rle: str, width: int, height: int) -> np.ndarray:
    """CVAT's own run lengths: row after row within the box, what is outside of the object first."""
    try:
        counts = [int(count) for count in rle.split(',')]
    except ValueError as error:
        raise DataError(f'a mask whose "rle" holds no numbers: {error}') from None
    if min(counts) < 0 or sum(counts) != width * height:
        raise DataError(f'a mask whose run lengths have the sum {sum(counts)}, not that of its box, {width} x {height}')
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)


def _text(entry: ElementTree.Element, key: str) -> str:
    if not (value := entry.get(key)):
        raise DataError(f'a <{entry.tag}> has no "{key}"')
    return value


def _number(entry: ElementTree.Element, key: str) -> float:
    text = _text(entry, key)
    try:
        value = float(text)
    except ValueError:
        raise DataError(f'"{key}" of a <{entry.tag}> is {text!r}; it must be a number') from None
    return numbers([value])[0]


def _whole(entry: ElementTree.Element, key: str) -> int:
    if (value := _number(entry, key)) != int(value):
        raise DataError(f'"{key}" of a <{entry.tag}> is {entry.get(key)!r}; it must be a whole number')
    return int(value)
