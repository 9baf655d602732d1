"""What a model found in each image of a dataset: areas of each class, kept so that a comparison needs no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from ..apis.cross_space import CrossSpace
from ..errors import DataError
from ..evaluation.functional import ClassAreas, class_areas
from ..segments import ignore_index_of


@dataclass(frozen=True)
class ImageCounts:
    """The areas of K classes in n images.

    Attributes:
        dataset: Its name.
        label_space: The label space of its truth, in which it was predicted.
        classes: The K classes.
        images: The n files.
        areas: ``[n, K, 3]`` long: pixels that are of a class and found as it, found as it, and of it.
    """

    dataset: str
    label_space: str
    classes: tuple[str, ...]
    images: tuple[str, ...]
    areas: Tensor


@torch.no_grad()
def count_images(
    model: CrossSpace, dataset: str, track: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> ImageCounts:
    """Predicts the images of a test dataset in its own label space.

    Raises:
        DataError: Where an image has no truth.
    """
    space = model.space(dataset)
    names: list[str] = []
    areas: list[Tensor] = []
    for sample in model.predictions(dataset, track):
        if 'gt_sem_seg' not in sample:
            raise DataError(f'{dataset}: a sample has no gt_sem_seg; add LoadAnnotations to the test pipeline')
        found, label = (getattr(sample, key).data.cpu() for key in ('pred_sem_seg', 'gt_sem_seg'))
        own: ClassAreas = class_areas(found, label, space.num_classes, ignore_index_of(space.num_classes))
        areas.append(torch.stack([own.intersect, own.prediction, own.label], -1))
        names.append(Path(sample.img_path).name)
    return ImageCounts(dataset, space.name, space.classes, tuple(names), torch.stack(areas))


def save_counts(path: str | Path, counts: Iterable[ImageCounts]) -> None:
    """Writes the counts of several datasets as one ``.npz``."""
    arrays: dict[str, Any] = {}
    for own in counts:
        arrays[f'{own.dataset}/areas'] = own.areas.numpy()
        arrays[f'{own.dataset}/images'] = np.array(own.images)
        arrays[f'{own.dataset}/classes'] = np.array(own.classes)
        arrays[f'{own.dataset}/label_space'] = np.array(own.label_space)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def read_counts(path: str | Path) -> list[ImageCounts]:
    """Reads what :func:`save_counts` wrote.

    Raises:
        DataError: Where the file is missing, or another one.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            names = [key.removesuffix('/areas') for key in content.files if key.endswith('/areas')]
            return [
                ImageCounts(
                    name,
                    str(content[f'{name}/label_space']),
                    tuple(content[f'{name}/classes'].tolist()),
                    tuple(content[f'{name}/images'].tolist()),
                    torch.from_numpy(content[f'{name}/areas']),
                )
                for name in names
            ]
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(
            f'{path}: holds no counts of images, as tools/analysis/transfer.py saves them ({error})'
        ) from None
