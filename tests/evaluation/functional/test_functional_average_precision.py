"""Average precision against pycocotools, digit by digit, on many random datasets."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlmseg.evaluation.functional.average_precision import AREAS, match_masks, precisions
from mmlmseg.evaluation.functional.mask_areas import areas, packed, shared_areas

CLASSES = 3
SIZE = (120, 130)
Image = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def rectangles(random: np.random.Generator, number: int) -> np.ndarray:
    """Masks of all three ranges of area."""
    masks = np.zeros((number, *SIZE), dtype=bool)
    for mask in masks:
        y, x = random.integers(0, 100, 2)
        height, width = random.choice([4, 8, 32, 100], 2)
        mask[y : y + height, x : x + width] = True
    return masks


def random_image(random: np.random.Generator) -> Image:
    """True masks and crowds; predictions are these, moved a little, some twice, and some that are none."""
    true = rectangles(random, int(random.integers(0, 7)))
    labels, crowd = random.integers(0, CLASSES, len(true)), random.random(len(true)) < 0.2
    again = random.integers(0, len(true), 9) if len(true) else np.zeros(0, dtype=int)
    moved = [np.roll(true[i], random.integers(0, 3, 2), (0, 1)) for i in again]
    masks = np.concatenate([np.array(moved, dtype=bool).reshape(-1, *SIZE), rectangles(random, 3)])
    said = np.concatenate([labels[again], random.integers(0, CLASSES, 3)])
    scores = random.integers(0, 12, len(masks)) / 12  # some are equal
    return masks, said, scores, true, labels, crowd


def by_pycocotools(images: list[Image], most: int) -> np.ndarray:
    """Precision [A, K, I, R], -1 where there is no truth."""
    true, found = [], []
    for number, (masks, said, scores, truth, labels, crowd) in enumerate(images, 1):
        for mask, label, flag in zip(truth, labels, crowd):
            runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            about = dict(iscrowd=int(flag), area=int(mask.sum()), id=len(true) + 1)
            true.append(dict(image_id=number, category_id=int(label), segmentation=runs, **about))
        for mask, label, score in zip(masks, said, scores):
            runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            found.append(dict(image_id=number, category_id=int(label), score=float(score), segmentation=runs))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(
            info={},
            images=[dict(id=i, height=SIZE[0], width=SIZE[1]) for i in range(1, len(images) + 1)],
            categories=[dict(id=label, name=str(label)) for label in range(CLASSES)],
            annotations=true,
        )
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), 'segm')
        evaluation.params.maxDets = [most]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval['precision'][..., 0].transpose(3, 2, 0, 1)


@pytest.mark.parametrize('most', [100, 3])
@pytest.mark.parametrize('seed', range(12))
def test_equals_pycocotools(seed: int, most: int) -> None:
    random = np.random.default_rng(seed)
    images = [random_image(random) for _ in range(int(random.integers(1, 8)))]
    matched = []
    for masks, said, scores, true, labels, crowd in images:
        bits, true_bits = packed(torch.from_numpy(masks)), packed(torch.from_numpy(true))
        area, true_area, shared = areas(bits), areas(true_bits), shared_areas(bits, true_bits)
        iou = shared / (area[:, None] + np.where(crowd, 0, true_area - shared))
        matched.append(match_masks(iou, said, scores, area, labels, crowd, true_area, CLASSES, most))
    expected = by_pycocotools(images, most)
    np.testing.assert_allclose(np.nan_to_num(precisions(matched), nan=-1.0), expected, rtol=0, atol=1e-12)
    assert expected.shape[0] == len(AREAS)


def test_shared_areas_are_sums_of_pixels() -> None:
    rows, columns = torch.rand(3, 7, 11) < 0.5, torch.rand(4, 7, 11) < 0.5
    expected = (rows[:, None] & columns).flatten(2).sum(-1)
    assert shared_areas(packed(rows), packed(columns)).tolist() == expected.tolist()
    read = np.eye(3, 4, dtype=bool)
    assert shared_areas(packed(rows), packed(columns), read).tolist() == (expected * torch.from_numpy(read)).tolist()
    assert areas(packed(rows)).tolist() == rows.flatten(1).sum(1).tolist()
    assert packed(rows[:0]).shape == (0, 2)
