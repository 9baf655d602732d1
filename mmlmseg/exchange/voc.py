"""Pascal VOC's layout, as its own download, labelme's scripts, CVAT and datumaro write it, as a folder dataset."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmseg.datasets import PascalVOCDataset
from numpy.typing import NDArray
from PIL import Image

from ..datasets.folder import IMAGE_SUFFIXES, files_by_name, read_split
from ..errors import DataError, errors_of
from ..label_space import LabelSpace
from ..palette import Colour
from ..segments import ignore_index_of
from .labels import Losses, shown_size, size_fault

_BACKGROUND = ('background', '_background_')
_VOID, _VOID_COLOUR, _BLACK = 255, (224, 224, 192), (0, 0, 0)


@dataclass
class Conversion:
    """What came of a folder.

    Attributes:
        splits: The number of images of each.
        objects: The number of objects of each class; empty without maps of objects.
        images: The number of images that hold a pixel of each class.
        losses: What could not be taken over.
    """

    splits: dict[str, int] = field(default_factory=dict)
    objects: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    losses: Losses = field(default_factory=Losses)


def convert_voc(source: Path, out: Path, things: Sequence[str] | None = None) -> Conversion:
    """Writes a folder for ``mmlmseg.FolderDataset`` from ``JPEGImages``, ``SegmentationClass``, ``SegmentationObject``
    (where there is one) and the lists ``ImageSets/Segmentation/*.txt``; without lists all images are ``train``.

    Classes come from ``labelmap.txt``, whose colours say what a pixel is, from ``class_names.txt``, or are those of
    Pascal VOC; there ids say it. 255 and its colour, the borders of objects, stay "not annotated". Images are linked,
    or copied where that is not possible.

    Args:
        source: The folder.
        out: A folder that is not there yet.
        things: The countable classes; by default all but the background where there are maps of objects.

    Raises:
        DataError: Where a folder is missing, ``out`` is there, or a map holds what no class is.
        LabelSpaceError: Where ``things`` names another class.
    """
    if out.exists():
        raise DataError(f'{out}: is there already; name a new folder')
    done = Conversion()
    classes, colours = _read_classes(source, done.losses)
    images = files_by_name(str(_folder(source, 'JPEGImages')), IMAGE_SUFFIXES)
    maps = files_by_name(str(_folder(source, 'SegmentationClass')), ('.png',))
    folder = source / 'SegmentationObject'
    objects = files_by_name(str(folder), ('.png',)) if folder.is_dir() else {}
    if things is None:
        things = [name for name in classes if name != 'background'] if objects else []
    space = LabelSpace.create('voc', classes, things=things)
    splits = _read_splits(source, images, maps, done.losses)
    for name in ('images', 'labels', *(['instances'] if objects else [])):
        (out / name).mkdir(parents=True)
    taken: set[str] = set()
    for name in dict.fromkeys(name for names in splits.values() for name in names):
        labels = _read_labels(Path(maps[name]), space, colours)
        if fault := size_fault(Path(images[name]), shown_size(Path(images[name])), (labels.shape[0], labels.shape[1])):
            done.losses.add(fault, images[name])
            continue
        taken.add(name)
        done.images.update(space.classes[label] for label in np.unique(labels) if label < space.num_classes)
        _link(Path(images[name]), out / 'images' / f'{name}{Path(images[name]).suffix}')
        _save(labels, out / 'labels' / f'{name}.png')
        if name in objects:
            instances = _read_objects(Path(objects[name]), name, labels, space, done)
            _save(instances, out / 'instances' / f'{name}.png')
        elif objects:
            done.losses.add('image without a map of objects, whose things are void', images[name])
            _save(np.zeros_like(labels, dtype=np.uint8), out / 'instances' / f'{name}.png')
    for split, names in splits.items():
        if kept := [name for name in names if name in taken]:
            (out / f'{split}.txt').write_text('\n'.join(kept) + '\n', encoding='utf-8')
            done.splits[split] = len(kept)
    if not taken:
        raise DataError(f'{source}: no image could be taken over. {" ".join(done.losses.lines())}')
    described = dict(classes=list(space.classes), things=list(space.things))
    if colours:
        described['palette'] = [list(colour) for colour in colours]
    (out / 'classes.json').write_text(json.dumps(described, ensure_ascii=False, indent=2), encoding='utf-8')
    return done


def _folder(source: Path, name: str) -> Path:
    if not (source / name).is_dir():
        raise DataError(f'{source}: has no {name}/; give the folder that holds JPEGImages/ and SegmentationClass/')
    return source / name


def _read_classes(source: Path, losses: Losses) -> tuple[list[str], list[Colour] | None]:
    """The class names in the order of their ids, and their colours where ``labelmap.txt`` gives them."""
    if (path := source / 'labelmap.txt').is_file():
        lines = [line for line in path.read_text(encoding='utf-8').splitlines() if line and not line.startswith('#')]
        fields = [line.split(':') for line in lines]
        try:
            colours = [_colour(own[1]) if own[1] else _own_colour(label) for label, own in enumerate(fields)]
        except (IndexError, ValueError):
            raise DataError(f'{path}: a line must be NAME:R,G,B:PARTS:ACTIONS, as CVAT and datumaro write it') from None
        if len(set(colours)) < len(colours):
            raise DataError(f'{path}: gives two classes one colour; correct it')
        names = ['background' if own[0] in _BACKGROUND else own[0] for own in fields]
        for name, colour in zip(names, colours):
            if colour == _BLACK and name != 'background':
                losses.add('class whose colour is black, which tools also write where nobody annotated', name)
        return names, colours
    if (path := source / 'class_names.txt').is_file():
        names = [line.strip() for line in path.read_text(encoding='utf-8').splitlines() if line.strip()]
        return ['background' if name in _BACKGROUND else name for name in names if name != '__ignore__'], None
    return list(PascalVOCDataset.METAINFO['classes']), None


def _colour(text: str) -> Colour:
    red, green, blue = map(int, text.split(','))
    return red, green, blue


def _own_colour(label: int) -> Colour:
    """The colour of Pascal VOC's own palette: the bits of the id go to red, green and blue in turn, highest first."""
    channels = [sum((label >> 3 * bit + channel & 1) << 7 - bit for bit in range(8)) for channel in range(3)]
    return channels[0], channels[1], channels[2]


def _read_splits(source: Path, images: dict[str, str], maps: dict[str, str], losses: Losses) -> dict[str, list[str]]:
    """The names of each split that have image and label map."""
    lists = sorted((source / 'ImageSets' / 'Segmentation').glob('*.txt'))
    splits = {path.stem: read_split(path) for path in lists} or {'train': sorted(maps)}
    kept: dict[str, list[str]] = {}
    reported: set[str] = set()
    for split, names in splits.items():
        kept[split] = [name for name in names if name in images and name in maps]
        for name in names:
            if name not in kept[split] and name not in reported:
                reported.add(name)
                what = 'image' if name not in images else 'label map'
                losses.add(f'sample of ImageSets/Segmentation without {what}', name)
    listed = {name for names in splits.values() for name in names}
    for name in images:
        if name not in listed:
            losses.add('image that no list names, or without a label map', images[name])
    return kept


def _read_picture(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f'{path}: cannot be read as an image ({error}); replace the file') from None
    return image


def _read_labels(path: Path, space: LabelSpace, colours: Sequence[Colour] | None) -> NDArray[np.integer]:
    """The class ids of a label map, [H, W]; where nobody annotated, as folders write it."""
    image, void = _read_picture(path), ignore_index_of(space.num_classes)
    with errors_of(path):
        if colours is not None and image.mode in ('P', 'RGB', 'RGBA'):
            codes = _codes(np.asarray(image.convert('RGB')))
            values, inverse = np.unique(codes, return_inverse=True)
            known = {_code(_VOID_COLOUR): void} | {_code(colour): label for label, colour in enumerate(colours)}
            if strange := [value for value in values.tolist() if value not in known]:
                red, green, blue = strange[0] >> 16, strange[0] >> 8 & 255, strange[0] & 255
                raise DataError(f'the colour {red},{green},{blue} is that of no class in labelmap.txt; add it there')
            table = np.array([known[value] for value in values.tolist()])
            labels = table[inverse].reshape(codes.shape)
        elif image.mode in ('P', 'L', '1'):
            labels = np.asarray(image).astype(np.int64)
            labels[labels == _VOID] = void
        else:
            raise DataError(f'is a picture of mode {image.mode}; colours need labelmap.txt, which says what they mean')
        used = np.unique(labels)
        if strange := [value for value in used.tolist() if value >= space.num_classes and value != void]:
            raise DataError(
                f'the id {strange[0]} is of none of the {space.num_classes} classes (0 to {space.num_classes - 1}, 255 '
                'is not annotated); names other than those of Pascal VOC stand in labelmap.txt or class_names.txt'
            )
    return labels.astype(np.uint8 if void == _VOID else np.uint16)


def _read_objects(
    path: Path, name: str, labels: NDArray[np.integer], space: LabelSpace, done: Conversion
) -> NDArray[np.integer]:
    """The map of objects, numbered from 1, [H, W]; each is of the class that most of its pixels have."""
    image = _read_picture(path)
    if image.mode in ('RGB', 'RGBA'):
        codes = _codes(np.asarray(image.convert('RGB')))
        codes[codes == _code(_VOID_COLOUR)] = 0
    elif image.mode in ('P', 'L', '1'):
        codes = np.asarray(image).astype(np.int64)
        codes[codes == _VOID] = 0
    else:
        raise DataError(f'{path}: is a picture of mode {image.mode}; a map of objects is one of a palette or RGB')
    if codes.shape != labels.shape:
        raise DataError(f'{path}: is of another size than its label map; write both from one image')
    codes[labels >= space.num_classes] = 0
    numbers = np.zeros(codes.shape, dtype=np.uint16)
    for number, code in enumerate(np.unique(codes[codes > 0]).tolist(), 1):
        mask = codes == code
        counts = np.bincount(labels[mask])
        if np.count_nonzero(counts) > 1:
            done.losses.add('object on pixels of several classes, of which one is kept', f'{name}, object {number}')
        numbers[mask & (labels == counts.argmax())] = number
        done.objects[space.classes[int(counts.argmax())]] += 1
    return numbers


def _codes(colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """One number for each colour, [H, W, 3] -> [H, W]."""
    return colours.astype(np.int64) @ np.array([65536, 256, 1])


def _code(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _save(values: NDArray[np.integer], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(file, target)
