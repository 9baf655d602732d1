"""What was read from an annotation tool, whichever it is: images, their objects, and what could not be taken over."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
from PIL import Image, UnidentifiedImageError

from ..datasets.files import exif_orientation
from ..datasets.folder import IMAGE_SUFFIXES, named_files
from ..errors import DataError, LabelSpaceError, did_you_mean
from ..label_space import LabelSpace
from ..palette import Colour
from .coco import CocoFile, Segmentation, Size, common_folder
from .shapes import joined


class Shape(NamedTuple):
    """A shape that somebody drew."""

    label: str | None  # the name of its class; None: what it covers counts nowhere
    covers: Segmentation
    group: Hashable = None  # shapes of one class and one group are parts of one object
    layer: int = 0  # those of a higher layer are on top, within a layer the later ones


class LabelledImage(NamedTuple):
    """An image and all that is drawn in it."""

    file: Path
    size: Size  # (H, W), as viewers show it
    shapes: list[Shape]


@dataclass
class Losses:
    """What could not be taken over: where each kind of it stands."""

    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, where: object) -> None:
        """Notes one case, e.g. ``add('line, which covers no area', 'a.json')``."""
        self.places.setdefault(what, []).append(str(where))

    def lines(self) -> Iterator[str]:
        """A line for each kind: how often, what, and where first."""
        for what, places in self.places.items():
            yield f'{len(places)} x {what} (first: {places[0]})'


@dataclass
class Labels:
    """All that was read.

    Attributes:
        classes: Names, in the order of their ids.
        images: With their shapes; of an image that nobody labelled there are none.
        losses: What could not be taken over.
        palette: A colour of each class, where the tool has some.
    """

    classes: Sequence[str]
    images: list[LabelledImage]
    losses: Losses
    palette: Sequence[Colour] | None = None

    def to_coco(self, root: Path) -> tuple[CocoFile, Path]:
        """The annotation file, and the folder that its image names start from: ``root``, or one above all images.

        Objects of an image stand in the order in which they cover each other, the one on top last.

        Raises:
            DataError: Where there is no image, or no class.
            LabelSpaceError: Where the classes cannot be told apart, or a shape is of none of them.
        """
        if not self.images:
            raise DataError(f'no image is left to write. {" ".join(self.losses.lines())}')
        if not self.classes:
            raise DataError(f'no shape covers an area of a class. {" ".join(self.losses.lines())}')
        classes = LabelSpace.create('labels', self.classes).classes
        root = root.resolve()
        files = [image.file.resolve() for image in self.images]
        if not all(file.is_relative_to(root) for file in files):
            root = common_folder(files)
        written = CocoFile(classes, self.palette)
        for file, image in zip(files, self.images, strict=True):
            written.add_image(file.relative_to(root), image.size)
            for label, parts in _objects(image.shapes):
                if not (drawn := [part for part in parts if _has_outline(part)]):
                    self.losses.add('polygon of less than three points', f'{label}, {image.file}')
                    continue
                covers = joined(drawn, image.size)
                # A crowd counts nowhere for the scores of its class alone, so that there is one for each.
                own = range(len(classes)) if label is None else [_place(label, classes, image.file)]
                if not all(written.add_object(one, covers, crowd=label is None) for one in own):
                    self.losses.add('object that covers no pixel', f'{label}, {image.file}')
        return written, root


def _objects(shapes: Sequence[Shape]) -> Iterator[tuple[str | None, list[Segmentation]]]:
    """Class and parts of each object, from the bottom up."""
    groups: dict[Hashable, list[Shape]] = {}
    for place, shape in enumerate(shapes):
        key = (place,) if shape.group is None or shape.label is None else (shape.label, shape.group)
        groups.setdefault(key, []).append(shape)
    for parts in sorted(groups.values(), key=lambda own: max(part.layer for part in own)):
        yield parts[0].label, [part.covers for part in parts]


def _has_outline(part: Segmentation) -> bool:
    return not isinstance(part, list) or all(len(ring) >= 6 for ring in part)


def _place(label: str, classes: Sequence[str], where: Path) -> int:
    if label.strip() not in classes:
        raise LabelSpaceError(
            f'{where}: {label!r} is no class of the list ({", ".join(classes[:10])}).{did_you_mean(label, classes)}'
        )
    return classes.index(label.strip())


def shown_size(file: Path) -> Size:
    """(H, W) of an image as viewers show it, and as it is trained on: turned as its EXIF data say."""
    try:
        with Image.open(file) as image:
            width, height = image.size
    except UnidentifiedImageError as error:  # Pillow knows no TIFF of three channels of 16 bits
        decoded = cv2.imread(str(file), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if decoded is None:
            raise DataError(f'{file}: cannot be read as an image ({error}); replace the file') from None
        height, width = decoded.shape[:2]
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f'{file}: cannot be read as an image ({error}); replace the file') from None
    return (width, height) if exif_orientation(str(file)) > 4 else (height, width)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without blanks around them."""
    try:
        return [line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: cannot be read as text in UTF-8 ({error}); save it so') from None


def size_fault(file: Path, size: Size, labelled: Size) -> str | None:
    """What is wrong where labels are of an image of another size; None where nothing is."""
    if labelled == size:
        return None
    if labelled == size[::-1] and exif_orientation(str(file)) > 4:
        return 'image whose labels are of the picture as stored, not as its EXIF orientation shows it; label it anew'
    return 'image of another size than that which was labelled'


class ImageFolder:
    """The images below a folder, found by what label files call them.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(f'{root}: no such folder; it must hold the images (--images names another)')
        self.root = root
        self.files = sorted(Path(path) for _, path in named_files(str(root), IMAGE_SUFFIXES))
        self._named: set[Path] = set()
        self._by_stem: dict[str, list[Path]] = {}
        for file in self.files:
            self._by_stem.setdefault(file.relative_to(root).with_suffix('').as_posix(), []).append(file)

    def find(self, name: str, *folders: str) -> Path | None:
        """The file of a name, which may lack its suffix (as frames of videos do), directly or in some sub-folders."""
        known = (self.root / folder / name for folder in ('', *folders))
        alike = (self._by_stem.get(Path(folder, name).as_posix(), []) for folder in ('', *folders))
        file = next((path for path in known if path.is_file()), next((own[0] for own in alike if len(own) == 1), None))
        if file is not None:
            self._named.add(file.resolve())
        return file

    def unnamed(self, others: Collection[Path] = ()) -> list[Path]:
        """The images that nobody asked for, and that are none of some others."""
        return [file for file in self.files if file.resolve() not in self._named and file.resolve() not in others]
