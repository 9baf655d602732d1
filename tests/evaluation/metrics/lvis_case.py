"""Writes lvis_case.json: drawn boxes in LVIS' format, predictions, and what lvis' own evaluation says of them.

Run it where lvis 0.5.3 can be imported; the tests read the file alone.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

FILE = Path(__file__).with_name('lvis_case.json')
SIZE = 140  # pixels, so that there are objects of LVIS' three sizes
CATEGORIES = {7: 'r', 2: 'c', 11: 'f', 5: 'r', 3: 'c', 20: 'f', 13: 'f'}
LIMITS = (300, 8)


def box(random: np.random.Generator) -> list[int]:
    width, height = random.integers(4, 130, 2)
    return [int(random.integers(0, SIZE - width)), int(random.integers(0, SIZE - height)), int(width), int(height)]


def polygon(x: int, y: int, width: int, height: int) -> list[list[int]]:
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def near(given: list[int], random: np.random.Generator) -> list[int]:
    x, y, width, height = given
    moved = np.clip([x + random.integers(-2, 3), y + random.integers(-2, 3)], 0, SIZE - 4)
    sides = np.minimum([width + random.integers(-2, 3), height + random.integers(-2, 3)], SIZE - moved)
    return [*moved.tolist(), *np.maximum(sides, 1).tolist()]


def draw() -> dict[str, Any]:
    random, ids = np.random.default_rng(3), np.array(list(CATEGORIES))
    images, annotations, predictions = [], [], []
    for image in range(1, 25):
        marked = set(random.choice(ids, 2).tolist()) if image % 6 else set()
        others = np.array(sorted(set(ids.tolist()) - marked))
        images.append(
            dict(
                id=image,
                coco_url=f'http://images.example.org/val2017/{image}.png',
                height=SIZE,
                width=SIZE,
                neg_category_ids=sorted(random.choice(others, 2, replace=False).tolist()),
                # The last one has no annotation here, as a few of LVIS.
                not_exhaustive_category_ids=[one for one in sorted(marked) if random.random() < 0.4],
            )
        )
        for category in sorted(marked):
            for _ in range(random.integers(1, 4)):
                given = box(random)
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=image,
                        category_id=category,
                        segmentation=polygon(*given),
                        area=given[2] * given[3],
                        bbox=given,
                    )
                )
                if random.random() < 0.8:
                    kind = category if random.random() < 0.8 else int(random.choice(ids))
                    predictions.append((image, kind, near(given, random), round(float(random.random()), 2)))
        for _ in range(random.integers(2, 9)):
            predictions.append((image, int(random.choice(ids)), box(random), round(float(random.random()), 2)))
        if (unmarked := others[~np.isin(others, images[-1]['neg_category_ids'])]).size and image % 5 == 0:
            images[-1]['not_exhaustive_category_ids'].append(int(unmarked[0]))
    categories = [dict(id=one, name=f'class_{one}', frequency=group) for one, group in CATEGORIES.items()]
    return dict(truth=dict(images=images, annotations=annotations, categories=categories), predictions=predictions)


def by_lvis(case: dict[str, Any], limit: int) -> dict[str, Any]:
    from lvis import LVIS, LVISEval, LVISResults

    np.float = float  # lvis is older than numpy 1.24
    path = FILE.with_suffix('.tmp')
    path.write_text(json.dumps(case['truth']))
    truth = LVIS(str(path))
    path.unlink()
    found = [
        dict(
            image_id=image,
            category_id=category,
            segmentation=coco.merge(coco.frPyObjects(polygon(*given), SIZE, SIZE)),
            score=score,
        )
        for image, category, given, score in copy.deepcopy(case['predictions'])
    ]
    run = LVISEval(truth, LVISResults(truth, found, max_dets=limit), 'segm')
    run.run()
    precision = run.eval['precision'][..., 0]  # [IoUs, recalls, K], categories in ascending order of their ids
    of_classes = dict(zip(run.params.cat_ids, precision.mean((0, 1)).tolist(), strict=True))
    return dict(scores=dict(run.get_results()), classes={str(one): score for one, score in of_classes.items()})


if __name__ == '__main__':
    drawn = draw()
    FILE.write_text(json.dumps({**drawn, 'lvis': {str(limit): by_lvis(drawn, limit) for limit in LIMITS}}))
