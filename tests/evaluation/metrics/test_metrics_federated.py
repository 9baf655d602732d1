"""Average precision where images are labelled for some classes only: that of lvis."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mmlmseg.datasets import MultiDataset
from mmlmseg.errors import DataError
from mmlmseg.evaluation.functional.average_precision import IOUS, precisions
from mmlmseg.evaluation.metrics import InstanceAP
from mmlmseg.federated import FEDERATED
from mmlmseg.segments import MaskSet

KEYS = dict(AP='AP', AP50='AP50', AP75='AP75', AP_s='APs', AP_m='APm', AP_l='APl', AP_r='APr', AP_c='APc', AP_f='APf')
CASE = json.loads(Path(__file__).with_name('lvis_case.json').read_text())  # by lvis_case.py
CATEGORIES = [category['id'] for category in CASE['truth']['categories']]
SIZE = CASE['truth']['images'][0]['height']


@pytest.fixture(scope='module')
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The samples of the case with their predictions, and what is known of their dataset."""
    root = tmp_path_factory.mktemp('lvis')
    (root / 'val.json').write_text(json.dumps(CASE['truth']))
    (root / 'val2017').mkdir()
    for image in CASE['truth']['images']:
        cv2.imwrite(str(root / f'val2017/{image["id"]}.png'), np.zeros((SIZE, SIZE, 3), np.uint8))
    dataset = MultiDataset(
        [
            dict(
                type='mmlmseg.InstanceDataset',
                ann_file='val.json',
                data_root=str(root),
                metainfo=dict(label_space='lvis'),
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='mmlmseg.LoadSegments'),
                    dict(type='mmlmseg.PackSegments'),
                ],
            )
        ]
    )
    labels = {category: label for label, category in enumerate(CATEGORIES)}
    samples = []
    for i in range(len(dataset)):
        sample = dataset[i]['data_samples'].to_dict()
        found = [own for own in CASE['predictions'] if own[0] == sample['image_id']]
        masks = np.stack([box_mask(*box) for _, _, box, _ in found])
        sample['pred_instances'] = MaskSet(
            torch.from_numpy(masks),
            torch.tensor([labels[category] for _, category, _, _ in found]),
            scores=torch.tensor([score for *_, score in found], dtype=torch.double),
        )
        samples.append(sample)
    return samples, dataset.metainfo['datasets']['lvis']


def box_mask(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[y : y + height, x : x + width] = True
    return mask


def metric(meta: dict[str, Any], max_dets: int | None) -> InstanceAP:
    made = InstanceAP(max_dets=max_dets, prefix='lvis')
    made.dataset_meta = meta
    return made


def searched_for_all(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in sample.items() if key != FEDERATED} for sample in samples]


@pytest.mark.parametrize('max_dets', [None, 8])
def test_numbers_are_those_of_lvis(
    evaluated: tuple[list[dict[str, Any]], dict[str, Any]], max_dets: int | None
) -> None:
    samples, meta = evaluated
    made = metric(meta, max_dets)
    made.process({}, samples)
    theirs = CASE['lvis'][str(max_dets or 300)]
    found = precisions(made.results)  # [A, K, IoUs, recalls]
    np.testing.assert_allclose(found[0].mean((1, 2)), [theirs['classes'][str(one)] for one in CATEGORIES], atol=1e-9)
    ours = dict(
        AP=found[0],
        AP50=found[0, :, IOUS == 0.5],
        AP75=found[0, :, np.isclose(IOUS, 0.75)],
        **{f'AP_{group}': found[0, np.array(meta['frequency']) == group] for group in 'rcf'},
        **{f'AP_{size}': found[1 + i] for i, size in enumerate('sml')},
    )
    for key, precision in ours.items():
        assert np.nanmean(precision) == pytest.approx(theirs['scores'][KEYS[key]], abs=1e-9), key
    scores = made.evaluate(len(samples))
    for key, name in KEYS.items():
        assert scores[f'lvis/{key}'] == pytest.approx(100 * theirs['scores'][name], abs=0.0051)
    assert list(scores) == made.all_keys()


def test_lists_matter_and_so_does_the_limit(evaluated: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    samples, meta = evaluated

    def score(known: dict[str, Any], max_dets: int | None = None) -> float:
        made = metric(known, max_dets)
        made.process({}, samples if FEDERATED in known else searched_for_all(samples))
        return made.evaluate(len(samples))['lvis/AP']

    plain = {key: value for key, value in meta.items() if key != FEDERATED}
    assert len({score(meta), score(meta, 8), score(plain)}) == 3


def test_what_is_no_list_knows_no_frequency(evaluated: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    samples, meta = evaluated
    made = metric({key: meta[key] for key in ('classes', 'is_thing')}, None)
    made.process({}, searched_for_all(samples))
    assert not {'AP_r', 'AP_c', 'AP_f'} & made.evaluate(len(samples)).keys()
    assert 'lvis/AP_r' not in made.all_keys()
    assert made.max_dets == 100


def test_a_frequency_without_objects_has_no_number(evaluated: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    samples, meta = evaluated
    made = metric({**meta, 'frequency': ['c' if group == 'r' else group for group in meta['frequency']]}, None)
    made.process({}, samples)
    assert math.isnan(made.evaluate(len(samples))['lvis/AP_r'])
    assert 'lvis: AP_r: no number, the truth has no objects of this frequency' in made.notes


def test_published_numbers_are_told_from_ours(evaluated: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    meta = evaluated[1]
    kinds = {key: metric(meta, None).definition(f'lvis/{key}').kind for key in KEYS}
    assert {key for key, kind in kinds.items() if kind == 'ours'} == {'AP_s', 'AP_m', 'AP_l'}
    assert metric(meta, None).definition('lvis/AP').text.endswith('300 predictions of an image at most, as lvis')
    assert metric(meta, 100).definition('lvis/AP').kind == 'ours'
    plain = {key: value for key, value in meta.items() if key != FEDERATED}
    assert metric(plain, None).definition('lvis/AP').kind == 'comparable'
    assert metric(plain, None).definition('lvis/AP_r').kind == 'ours'


def test_a_sample_has_to_say_what_was_looked_for(evaluated: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    samples, meta = evaluated
    with pytest.raises(DataError, match=r'val2017/1\.png: .*labelled for some classes .* mmlmseg\.PackSegments'):
        metric(meta, None).process({}, searched_for_all(samples))
    plain = {key: value for key, value in meta.items() if key != FEDERATED}
    with pytest.raises(DataError, match=r'val2017/1\.png: .*its dataset does not say so'):
        metric(plain, None).process({}, samples)
