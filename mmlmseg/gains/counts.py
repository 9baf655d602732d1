"""What a model found in each image of its test datasets, kept so that a comparison needs no model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor

from ..apis.cross_space import CrossSpace
from ..errors import DataError
from ..evaluation.functional import class_areas
from ..label_space import LabelSpaces
from ..relations import NO_RELATIONS, Relations
from ..segments import ignore_index_of

Track = Callable[[Iterable[Any], str], Iterable[Any]]
"""Shows how far the batches of a dataset of a name are."""


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


@dataclass(frozen=True)
class CountedModel:
    """A model, and what it found.

    Attributes:
        name: For people: its config and its checkpoint.
        spaces: The label spaces that it was trained on.
        relations: What was declared of their classes.
        architecture: What its config builds, as a digest; seeds of one model have the same.
        rows: ``[K, C]``: the text rows of all classes of its label spaces, one space after the other, of unit norm;
            None where it reads no text.
        datasets: What it found in each of its test datasets.
    """

    name: str
    spaces: LabelSpaces
    relations: Relations
    architecture: str
    rows: Tensor | None
    datasets: tuple[ImageCounts, ...]

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The names of its label spaces."""
        return self.spaces.names


def count_model(
    model: CrossSpace, name: str, images: int | None = None, track: Track = lambda batches, name: batches
) -> CountedModel:
    """Predicts the test datasets of a model, each in its own label space.

    Args:
        model: The model and its datasets.
        name: What it is called in a report.
        images: So many images of each dataset, evenly spaced; by default all.
        track: Shows how far it is.

    Raises:
        DataError: Where an image has no truth.
        LabelSpaceError: Where the model does not know the label space of a dataset, or means other classes by it.
    """
    head = getattr(model.inferencer.model, 'decode_head', None)
    return CountedModel(
        name,
        model.inferencer.label_spaces,
        getattr(head, 'relations', NO_RELATIONS),
        _architecture(model.config),
        _text_rows(head, model.inferencer.label_spaces),
        tuple(_count_images(model, dataset, images, track) for dataset in model.datasets),
    )


@torch.no_grad()
def _count_images(model: CrossSpace, dataset: str, images: int | None, track: Track) -> ImageCounts:
    space = model.inferencer.label_spaces.get(model.space(dataset).name)  # of the same classes, or refused there
    names: list[str] = []
    areas: list[Tensor] = []
    for sample in model.predictions(dataset, images, lambda batches: track(batches, dataset)):
        if 'gt_sem_seg' not in sample:
            raise DataError(f'{dataset}: a sample has no gt_sem_seg; add LoadAnnotations to the test pipeline')
        found, label = (getattr(sample, key).data.cpu() for key in ('pred_sem_seg', 'gt_sem_seg'))
        own = class_areas(found, label, space.num_classes, ignore_index_of(space.num_classes))
        areas.append(torch.stack([own.intersect, own.prediction, own.label], -1))
        names.append(Path(sample.img_path).name)
    return ImageCounts(dataset, space.name, space.classes, tuple(names), torch.stack(areas))


@torch.no_grad()
def _text_rows(head: Any, spaces: LabelSpaces) -> Tensor | None:
    text = getattr(head, 'text', None)
    if text is None:
        return None
    rows = text.categories(spaces.names).rows  # [S, K_max + 1, C]
    own = torch.cat([rows[place, : space.num_classes] for place, space in enumerate(spaces)])
    return F.normalize(own.float(), dim=-1).cpu()


def _architecture(config: Config) -> str:
    """A digest of what a config builds, whatever the label spaces and where weights started from."""
    told = json.dumps(_without(config.model.to_dict(), ('label_spaces', 'init_cfg', 'test_cfg')), default=repr)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _without(value: Any, keys: tuple[str, ...]) -> Any:
    """Nested dicts in the order of their keys, without some of these."""
    if isinstance(value, dict):
        return {key: _without(value[key], keys) for key in sorted(value) if key not in keys}
    return [_without(one, keys) for one in value] if isinstance(value, (list, tuple)) else value
