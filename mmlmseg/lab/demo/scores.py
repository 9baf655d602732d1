"""The demo's numbers: mean IoU and pixel accuracy, of the model and of a guess that never looks at the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from ...evaluation.functional import ClassAreas, class_areas, iou_scores
from .data import image_label_pairs, read_labels

_GRID = (32, 24)  # width, height of the position prior


@dataclass(frozen=True)
class Score:
    """Mean IoU and pixel accuracy in percent."""

    mean_iou: float
    accuracy: float


def score(pairs: Iterable[tuple[np.ndarray, np.ndarray]], num_classes: int) -> Score:
    """Compares predictions with the truth.

    Args:
        pairs: Predicted and true label map [H, W] of each picture; true 255 does not count.
        num_classes: K.
    """
    areas = torch.zeros(3, num_classes, dtype=torch.long)
    for prediction, truth in pairs:
        areas += torch.stack(class_areas(torch.from_numpy(prediction), torch.from_numpy(truth), num_classes))
    scores = iou_scores(ClassAreas(*areas))
    return Score(100 * float(scores.means['mIoU']), 100 * float(scores.means['aAcc']))


def position_prior(folder: Path, num_classes: int) -> np.ndarray:
    """The most frequent class at each place of a folder's training pictures.

    Args:
        folder: A folder dataset.
        num_classes: K.

    Returns:
        Class ids on a grid, uint8 [24, 32].
    """
    counts = np.zeros((num_classes, _GRID[1], _GRID[0]), dtype=np.int64)
    for _, path in image_label_pairs(folder, 'train'):
        labels = cv2.resize(read_labels(folder, path), _GRID, interpolation=cv2.INTER_NEAREST)
        counts += labels == np.arange(num_classes)[:, None, None]
    return counts.argmax(axis=0).astype(np.uint8)


def prior_score(folder: Path, num_classes: int) -> Score:
    """How well the position prior does on a folder's validation pictures."""
    prior = position_prior(folder, num_classes)
    truths = (read_labels(folder, path) for _, path in image_label_pairs(folder, 'val'))
    guesses = ((cv2.resize(prior, t.shape[::-1], interpolation=cv2.INTER_NEAREST), t) for t in truths)
    return score(guesses, num_classes)
