"""A training on a file in LVIS' layout, and its AP: the whole way, with the runner of every other training."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmlmseg.models.head import QueryHead

SIZE = 64
COLOURS = {3: (255, 40, 40), 8: (40, 255, 40), 5: (40, 40, 255), 12: (230, 230, 40)}
FREQUENCIES = {3: 'f', 8: 'c', 5: 'f', 12: 'r'}
NAMES = {3: 'alligator', 8: 'bow_(weapon)', 5: 'bow_(decorative_ribbons)', 12: 'aerosol_can'}


def write_lvis(root: Path, number: int) -> None:
    """Two coloured squares an image; of each image one other class was looked for and not found."""
    random = np.random.default_rng(0)
    images, annotations = [], []
    (root / 'train2017').mkdir()
    for i in range(1, number + 1):
        picture = random.integers(0, 60, (SIZE, SIZE, 3), dtype=np.uint8)
        first, second, absent = random.permutation(list(COLOURS))[:3].tolist()
        for x, category in ((4, first), (36, second)):
            picture[20:44, x : x + 24] = COLOURS[category]
            ring = [x, 20, x + 24, 20, x + 24, 44, x, 44]
            own = dict(id=len(annotations) + 1, image_id=i, category_id=category, segmentation=[ring], area=576)
            annotations.append({**own, 'bbox': [x, 20, 24, 24]})
        cv2.imwrite(str(root / f'train2017/{i:012}.png'), picture)
        url = f'http://images.example.org/train2017/{i:012}.png'
        lists = dict(neg_category_ids=[absent], not_exhaustive_category_ids=[first] if i % 3 == 0 else [])
        images.append(dict(id=i, coco_url=url, height=SIZE, width=SIZE, **lists))
    categories = [
        dict(id=one, name=NAMES[one], synonyms=[NAMES[one], f'box_{one}'], frequency=FREQUENCIES[one])
        for one in sorted(COLOURS)
    ]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / 'lvis_v1_train.json').write_text(json.dumps(content))


@pytest.mark.slow
@pytest.mark.parametrize('criterion', ['SetCriterion', 'PointCriterion'])
def test_a_file_of_lvis_trains_and_is_scored(
    model_config: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, criterion: str
) -> None:
    write_lvis(tmp_path, 6)
    dataset = dict(
        type='mmlmseg.MultiDataset',
        datasets=[
            dict(
                type='mmlmseg.InstanceDataset',
                ann_file='lvis_v1_train.json',
                data_root=str(tmp_path),
                metainfo=dict(label_space='lvis'),
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='mmlmseg.LoadSegments'),
                    dict(type='mmlmseg.RandomFlip', prob=0.5),
                    dict(type='mmlmseg.PackSegments'),
                ],
            )
        ],
    )
    tested = json.loads(json.dumps(dataset))
    del tested['datasets'][0]['pipeline'][2]
    points = dict(num_points=64) if criterion == 'PointCriterion' else {}
    model = model_config(
        [dict(path=str(tmp_path / 'lvis_v1_train.json'), name='lvis')],
        in_channels=[16, 32, 64, 128],
        things_only=True,
        drop_absent=0.2,
        criterion=dict(type=f'mmlmseg.{criterion}', **points),
    )
    model['backbone'].update(base_channels=16, stem_channels=16)
    model['test_cfg'] = dict(tasks=['instance'], instance=dict(max_per_image=300))
    seen: list[torch.Tensor] = []
    learned = QueryHead.categories_to_learn

    def note(self: QueryHead, *args: Any) -> Any:
        found = learned(self, *args)
        seen.append(found.valid)
        return found

    monkeypatch.setattr(QueryHead, 'categories_to_learn', note)
    runner = Runner(
        model=model,
        work_dir=str(tmp_path / 'run'),
        train_dataloader=dict(
            batch_size=2, num_workers=0, sampler=dict(type='mmlmseg.PerImageSampler', repeat=0.5), dataset=dataset
        ),
        val_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
            dataset=tested,
        ),
        train_cfg=dict(type='mmlmseg.ResumableTrainLoop', max_iters=20, val_interval=20),
        val_cfg=dict(),
        val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.InstanceAP')),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        default_hooks=dict(checkpoint=dict(type='mmlmseg.CheckpointHook', save_best='lvis/AP_f', interval=20)),
        randomness=dict(seed=0),
        default_scope='mmseg',
        experiment_name=f'federated_{criterion}',
        log_level='WARNING',
    )
    runner.train()
    valid = torch.cat(seen)
    assert valid.shape == (40, 5)
    assert ((valid[:, :-1].sum(1) == 3) | (valid[:, :-1].sum(1) == 2)).all()  # with drop_absent
    scores = runner.val_loop.run()
    assert {f'lvis/{key}' for key in ('AP', 'AP50', 'AP_r', 'AP_c', 'AP_f')} <= scores.keys()
    assert not any(math.isnan(scores[f'lvis/{key}']) for key in ('AP', 'AP_r', 'AP_c', 'AP_f'))
