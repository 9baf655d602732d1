"""Layers of a picture, one a label space, each with what it says of every pixel and where that comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..apis.results import MaskSegmentation
from ..label_space import LabelSpace
from ..models.structures import Prediction
from ..palette import Colour
from ..segments import class_map
from ..visualization.drawing import shade_of
from .choices import Choices
from .session import Session

_PROVENANCE_SIDE = 256
"""The longer side, in pixels, of the maps of queries: as fine as the masks of a model are."""


@dataclass(frozen=True)
class Entry:
    """One mask of a layer."""

    name: str  # of its class
    label: int  # id of its class
    colour: Colour
    score: float
    share: float  # of the picture
    also: tuple[str, ...]  # the other classes that say it, as SPACE:CLASS


@dataclass(frozen=True)
class Layer:
    """What one label space says of a picture."""

    space: LabelSpace
    entries: tuple[Entry, ...]
    ids: NDArray[np.int32]  # [H, W]: the number of an entry from 1 on; 0 where the space says nothing
    scores: NDArray[np.float32]  # [H, W]: of the pixel, in [0, 1]
    queries: NDArray[np.int32]  # [h, w], at least as coarse: the query from which a pixel has its class, from 0; or -1


def layers(session: Session, choices: Choices, result: MaskSegmentation) -> list[Layer]:
    """The layers of a result of :func:`~.choices.found`, in the order of the label spaces."""
    return [_layer(session, choices, result, which) for which in range(len(session.spaces))]


def _layer(session: Session, choices: Choices, result: MaskSegmentation, which: int) -> Layer:
    spaces, said = session.spaces, result.found
    first = sum(space.num_classes for space in spaces[:which])
    space, classes = spaces[which], result.classes
    origins = said.origins or [(label,) for label in said.labels.tolist()]
    certain, areas = said.scores.tolist(), said.runs.areas().tolist()
    own = [(i, c - first) for i, all_ in enumerate(origins) for c in all_ if 0 <= c - first < space.num_classes]
    own.sort(key=lambda claim: certain[claim[0]])  # where two overlap the better one is on top
    ids = said.runs.take([i for i, _ in own]).painted().numpy()
    seen: Counter[int] = Counter()
    entries = []
    for i, label in own:
        also = tuple(classes[c] for c in origins[i] if c != label + first)
        colour = shade_of(space.palette[label], seen[label])
        entries.append(Entry(space.classes[label], label, colour, certain[i], areas[i] / ids.size, also))
        seen[label] += 1
    labels = class_map(ids, [entry.label for entry in entries], void=-1)
    if choices.show == 'classes':
        scores = np.where(ids > 0, session.class_maps[which].scores, 0).astype(np.float32)
    else:
        scores = np.array([0.0, *(entry.score for entry in entries)], np.float32)[ids]
    return Layer(space, tuple(entries), ids, scores, _queries(session, which, labels))


@torch.no_grad()
def _queries(session: Session, which: int, labels: NDArray[np.int64]) -> NDArray[np.int32]:
    """The query that adds most to the class of each pixel, on a coarse grid; -1 where there is none."""
    coarse = session.within(_PROVENANCE_SIDE)
    rows, columns = (np.arange(n) * most // n for n, most in zip(coarse.size, labels.shape, strict=True))
    asked = torch.from_numpy(labels[np.ix_(rows, columns)])  # [h, w]
    own = session.predictions[which]
    weights = own.classes[:, :-1].T  # [K, N]
    found = np.full(coarse.size, -1, np.int32)
    for strip, masks in coarse.view.maps(own.mask_logits, torch.float32).strips():
        part = asked[strip]
        best = (masks.sigmoid_() * weights[part.clamp(min=0)]).argmax(-1)
        found[strip] = torch.where(part >= 0, best, -1).numpy()
    return found


@dataclass(frozen=True)
class Said:
    """What a label space calls one pixel, and which query says so."""

    space: str
    name: str
    score: float  # of the class at the pixel, in [0, 1]
    query: int
    mask: float  # how probable it is that the pixel is in the query's mask
    certain: float  # how probable the class of the query is


@torch.no_grad()
def said_of_pixel(session: Session, row: int, column: int, most: int = 3) -> list[Said]:
    """What every label space calls a pixel, whatever is shown: its ``most`` best classes, the best first.

    Raises:
        IndexError: On a pixel outside of the picture.
    """
    if not (0 <= row < session.size[0] and 0 <= column < session.size[1]):
        raise IndexError(f'pixel ({row}, {column}) of a picture of {session.size}')
    return [said for own in session.predictions for said in _said(own, session, row, column, most)]


def _said(own: Prediction, session: Session, row: int, column: int, most: int) -> Sequence[Said]:
    at = session.view.maps(own.mask_logits, torch.float32).read(range(row, row + 1), range(column, column + 1))
    masks = at.flatten().sigmoid_()  # [N]
    parts = masks[:, None] * own.classes[:, :-1].float()  # [N, K]
    scores = parts.sum(0).clamp(max=1)
    values, labels = scores.topk(min(most, len(scores)))
    described = []
    for value, label in zip(values.tolist(), labels.tolist(), strict=True):
        query = int(parts[:, label].argmax())
        certain = float(own.classes[query, label])
        described.append(Said(own.space.name, own.space.classes[label], value, query, float(masks[query]), certain))
    return described
