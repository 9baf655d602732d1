"""Labels of YOLO for segmentation: a text file an image, and a data.yaml (https://docs.ultralytics.com/datasets/segment)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..datasets.folder import IMAGE_SUFFIXES, named_files
from ..errors import DataError, errors_of, written
from .labels import LabelledImage, Labels, Losses, Shape, read_lines, shown_size
from .shapes import numbers

SPLITS = ('train', 'val', 'test')
_OUTSIDE = 1.01  # what ultralytics still takes for rounding


def read_yolo(description: Path) -> dict[str, Labels]:
    """Reads the splits of a data.yaml.

    An image without a text file shows no object. Parts that ultralytics joins by bridges of no width stay one polygon,
    whose pixels are those of the parts.

    Args:
        description: The data.yaml: ``names``, and for each split a folder of images, a list of files, or several.

    Raises:
        DataError: Where it, an image folder or a label file is missing or ill-formed; a label that is a box alone.
    """
    content = _read_yaml(description)
    with errors_of(description):
        names = _names(content.get('names'))
        if 'kpt_shape' in content:
            raise DataError('describes key points (kpt_shape), which cover no area; export labels for segmentation')
        root = _root(description, content.get('path'))
        splits = {split: content[split] for split in SPLITS if content.get(split)} or _usual_folders(root)
        if not splits:
            raise DataError(f'names no split, {", ".join(SPLITS)}, and {root} has no folder such as train/images')
        files = {split: _images_of(said, root) for split, said in splits.items()}
    read = {split: _read_split(own, names) for split, own in files.items()}
    claimed = {label_file(file) for own in files.values() for file in own}
    for labels, own in zip(read.values(), files.values(), strict=True):
        for folder in sorted({label_file(file).parent for file in own}):
            for stray in sorted(set(folder.glob('*.txt')) - claimed):
                if stray.name != 'classes.txt':  # of some tools, with the names
                    labels.losses.add('label file without an image', stray)
    return read


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f'{path}: cannot be read as YAML ({" ".join(str(error).split())})') from None
    if not isinstance(content, dict):
        raise DataError(f'{path}: holds {written(content)}; a data.yaml has the keys names and train, val, test')
    return content


def _names(said: Any) -> list[str]:
    """Class names, a list or a mapping from ids, which may not leave one out."""
    if isinstance(said, Mapping):
        ids = [int(key) if str(key).isdigit() else -1 for key in said]
        if sorted(ids) != list(range(len(ids))):
            raise DataError(f'the ids of "names" are {written(list(said))}; they must be 0 to {len(ids) - 1}')
        said = [name for _, name in sorted(zip(ids, said.values()))]
    if not isinstance(said, list) or not said:
        raise DataError(f'"names" is {written(said)}; list the class names in the order of their ids')
    return [str(name) for name in said]


def _root(description: Path, said: Any) -> Path:
    """What the paths of the splits start from: by ``path``, which is often of another machine, or the file's folder."""
    beside = description.resolve().parent
    own = beside / str(said or '')
    return own if own.is_dir() else beside


def _usual_folders(root: Path) -> dict[str, str]:
    """The splits that lie where they mostly do: some tools write ``names`` alone."""
    tried = {split: [split, *(['valid'] if split == 'val' else [])] for split in SPLITS}
    places = {
        split: [f'{a}/{b}' for one in own for a, b in ((one, 'images'), ('images', one))]
        for split, own in tried.items()
    }
    found = {split: [place for place in own if (root / place).is_dir()] for split, own in places.items()}
    return {split: own[0] for split, own in found.items() if own}


def _images_of(said: Any, root: Path) -> list[Path]:
    files: list[Path] = []
    for one in said if isinstance(said, list) else [said]:
        tried = [root / str(one)]
        if str(one).startswith('../'):  # as Roboflow writes it, for a folder that is beside the file
            tried.append(root / str(one)[3:])
        if (place := next((path for path in tried if path.exists()), None)) is None:
            raise DataError(f'{one!r} is no folder or file: there is no {tried[0]}; correct "path" or the split')
        listed = (
            _listed(place, root)
            if place.is_file()
            else sorted(Path(path) for _, path in named_files(str(place), IMAGE_SUFFIXES))
        )
        if not listed:
            raise DataError(f'{place}: holds no image ({", ".join(IMAGE_SUFFIXES)})')
        files += listed
    return list(dict.fromkeys(Path(os.path.abspath(file)) for file in files))


def _listed(path: Path, root: Path) -> list[Path]:
    """The images that a text file lists, from its own folder or from the root on."""
    files = []
    for name in filter(None, read_lines(path)):
        file = next((folder / name for folder in (path.parent, root) if (folder / name).is_file()), None)
        if file is None:
            raise DataError(f'{path.name} lists {name!r}, which is neither in {path.parent} nor in {root}')
        files.append(file)
    return files


def label_file(image: Path) -> Path:
    """Where the labels of an image are: the last folder called ``images`` is ``labels`` instead.

    Example:
        >>> label_file(Path('a/images/train/1.jpg')).as_posix()
        'a/labels/train/1.txt'
    """
    parts = list(image.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == 'images':
            parts[place] = 'labels'
            break
    return Path(*parts).with_suffix('.txt')


def _read_split(files: list[Path], names: list[str]) -> Labels:
    losses = Losses()
    images = []
    for file in files:
        size, labels = shown_size(file), label_file(file)
        shapes: list[Shape] = []
        if labels.is_file():
            seen: set[str] = set()
            for number, line in enumerate(read_lines(labels), 1):
                if not line:
                    continue
                if line in seen:
                    losses.add('line that stands twice in its file', f'{labels}, line {number}')
                    continue
                seen.add(line)
                with errors_of(f'{labels}, line {number}'):
                    shapes.append(_read_line(line.split(), size, names))
        images.append(LabelledImage(file, size, shapes))
    if not any(image.shapes for image in images):
        looked = label_file(files[0])
        raise DataError(f'{looked.parent}: no image has a label file with an object; the first would be {looked}')
    return Labels(names, images, losses)


def _read_line(words: list[str], size: tuple[int, int], names: list[str]) -> Shape:
    try:
        number, *coordinates = map(float, words)
    except ValueError as error:
        raise DataError(f'holds no numbers ({error}); a line is CLASS x y x y x y ...') from None
    if not number.is_integer() or not 0 <= number < len(names):
        raise DataError(f'the class {words[0]} is none of the {len(names)} in "names", 0 to {len(names) - 1}')
    if len(coordinates) in (4, 5):
        raise DataError('holds a box, without an outline; export labels for segmentation, not for detection')
    if len(coordinates) < 6 or len(coordinates) % 2:
        raise DataError(f'holds {len(coordinates)} numbers behind the class; a polygon has x y of three points or more')
    numbers(coordinates)
    if min(coordinates) < 1 - _OUTSIDE or max(coordinates) > _OUTSIDE:
        worst = max(coordinates, key=lambda value: abs(value - 0.5))
        raise DataError(f'the coordinate {worst:g} is not between 0 and 1; they are shares of width and height')
    height, width = size
    scaled = [min(max(value, 0.0), 1.0) * (height if place % 2 else width) for place, value in enumerate(coordinates)]
    return Shape(names[int(number)], [numbers(scaled)])
