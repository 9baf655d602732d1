"""Results of many images as one annotation file, which annotation tools and ``mmlmseg.InstanceDataset`` read."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError, OptionError
from ..exchange.coco import CocoFile
from .results import Result


class CocoResults:
    """Collects results, all to one question, as objects in COCO's instance format: exact run lengths, none a crowd.

    Semantic results give an object for each class, panoptic ones one for each segment; what several label spaces say
    of a mask are several objects. Categories are named as :attr:`Result.classes` does.

    Args:
        root: The folder from which the names of images start.

    Example:
        >>> coco = CocoResults('photos')  # doctest: +SKIP
        >>> for result in inferencer.iter('photos', label_space='camvid11', task='panoptic'):  # doctest: +SKIP
        ...     coco.add(result)
        >>> coco.save('prelabels.json')  # doctest: +SKIP
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()
        self.file: CocoFile | None = None

    def add(self, result: Result) -> None:
        """Adds what was found in an image.

        Raises:
            OptionError: Where the image is an array, or lies elsewhere: annotation tools find it by its name.
        """
        if result.path is None or not result.path.resolve().is_relative_to(self.root):
            raise OptionError(f'{result.path or "an array"} is no file in {self.root}; annotation tools go by its name')
        if self.file is None:
            self.file = CocoFile(result.classes, [colour for space in result.spaces for colour in space.palette])
        self.file.add_image(result.path.resolve().relative_to(self.root), result.size)
        for label, code, score in result.objects():
            self.file.add_object(label, code, score=score)

    def save(self, path: str | Path) -> None:
        """Writes the annotation file.

        Raises:
            DataError: Where nothing was added.
        """
        if self.file is None:
            raise DataError(f'{path}: there is no result to write')
        self.file.save(path)
