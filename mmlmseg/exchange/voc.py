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
from ..errors import DataError
from ..label_space import LabelSpace
from ..palette import Colour
from .labels import Losses, read_lines, shown_size, size_fault
from .voc_maps import read_labels, read_objects

_BACKGROUND = ('background', '_background_')
_BLACK = (0, 0, 0)


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
    out.mkdir(parents=True)
    try:
        return _convert(source, out, things)
    except BaseException:
        shutil.rmtree(out)
        raise


@dataclass(frozen=True)
class _Files:
    """The files of a folder by the names of samples; no ``objects`` where it has no maps of these."""

    images: dict[str, str]
    maps: dict[str, str]
    objects: dict[str, str]

    @classmethod
    def below(cls, source: Path) -> _Files:
        folder = source / 'SegmentationObject'
        return cls(
            files_by_name(str(_folder(source, 'JPEGImages')), IMAGE_SUFFIXES),
            files_by_name(str(_folder(source, 'SegmentationClass')), ('.png',)),
            files_by_name(str(folder), ('.png',)) if folder.is_dir() else {},
        )


def _convert(source: Path, out: Path, things: Sequence[str] | None) -> Conversion:
    files, done = _Files.below(source), Conversion()
    classes, colours = _read_classes(source, done.losses)
    if things is None:
        things = [name for name in classes if name != 'background'] if files.objects else []
    space = LabelSpace.create('voc', classes, things=things)
    splits = _read_splits(source, files, done.losses)
    names = dict.fromkeys(name for own in splits.values() for name in own)
    taken = {name for name in names if _take(name, files, out, space, colours, done)}
    if not taken:
        raise DataError(f'{source}: no image could be taken over. {" ".join(done.losses.lines())}')
    for split, own in splits.items():
        if kept := [name for name in own if name in taken]:
            (out / f'{split}.txt').write_text('\n'.join(kept) + '\n', encoding='utf-8')
            done.splits[split] = len(kept)
    described = dict(classes=list(space.classes), things=list(space.things))
    palette = dict(palette=[list(colour) for colour in colours]) if colours else {}
    (out / 'classes.json').write_text(json.dumps({**described, **palette}, ensure_ascii=False, indent=2), 'utf-8')
    return done


def _take(
    name: str, files: _Files, out: Path, space: LabelSpace, colours: Sequence[Colour] | None, done: Conversion
) -> bool:
    """Takes a sample over; false where its image is of another size than its labels."""
    image = Path(files.images[name])
    labels = read_labels(Path(files.maps[name]), space, colours)
    if fault := size_fault(image, shown_size(image), (labels.shape[0], labels.shape[1])):
        done.losses.add(fault, image)
        return False
    done.images.update(space.classes[label] for label in np.unique(labels) if label < space.num_classes)
    _link(image, out / 'images' / f'{name}{image.suffix}')
    _save(labels, out / 'labels' / f'{name}.png')
    if name in files.objects:
        instances, classes, mixed = read_objects(Path(files.objects[name]), labels, space)
        done.objects.update(space.classes[label] for label in classes)
        for number in mixed:
            done.losses.add('object on pixels of several classes, of which one is kept', f'{name}, object {number}')
        _save(instances, out / 'instances' / f'{name}.png')
    elif files.objects:
        done.losses.add('image without a map of objects, whose things are void', image)
        _save(np.zeros_like(labels, dtype=np.uint8), out / 'instances' / f'{name}.png')
    return True


def _folder(source: Path, name: str) -> Path:
    if not (source / name).is_dir():
        raise DataError(f'{source}: has no {name}/; give the folder that holds JPEGImages/ and SegmentationClass/')
    return source / name


def _read_classes(source: Path, losses: Losses) -> tuple[list[str], list[Colour] | None]:
    """The class names in the order of their ids, and their colours where ``labelmap.txt`` gives them."""
    if (path := source / 'labelmap.txt').is_file():
        fields = [line.split(':') for line in read_lines(path) if line and not line.startswith('#')]
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
        names = [name for name in read_lines(path) if name not in ('', '__ignore__')]
        return ['background' if name in _BACKGROUND else name for name in names], None
    return list(PascalVOCDataset.METAINFO['classes']), None


def _colour(text: str) -> Colour:
    red, green, blue = map(int, text.split(','))
    return red, green, blue


def _own_colour(label: int) -> Colour:
    """The colour of Pascal VOC's own palette: the bits of the id go to red, green and blue in turn, highest first."""
    channels = [sum((label >> 3 * bit + channel & 1) << 7 - bit for bit in range(8)) for channel in range(3)]
    return channels[0], channels[1], channels[2]


def _read_splits(source: Path, files: _Files, losses: Losses) -> dict[str, list[str]]:
    """The names of each split that have image and label map."""
    lists = sorted((source / 'ImageSets' / 'Segmentation').glob('*.txt'))
    splits = {path.stem: read_split(path) for path in lists} or {'train': sorted(files.maps)}
    kept: dict[str, list[str]] = {}
    reported: set[str] = set()
    for split, names in splits.items():
        kept[split] = [name for name in names if name in files.images and name in files.maps]
        for name in names:
            if name not in kept[split] and name not in reported:
                reported.add(name)
                what = 'image' if name not in files.images else 'label map'
                losses.add(f'sample of ImageSets/Segmentation without {what}', name)
    listed = {name for names in splits.values() for name in names}
    for name in files.images:
        if name not in listed:
            losses.add('image that no list names, or without a label map', files.images[name])
    return kept


def _save(values: NDArray[np.integer], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(file, target)
