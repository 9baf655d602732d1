"""PanopticQuality against loops over pixels, before and after its predictions went through files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.errors import DataError
from mmlmseg.evaluation import MultiDatasetEvaluator, PanopticQuality
from mmlmseg.registry import METRICS
from mmlmseg.segments import read_panoptic_png

META = dict(classes=['sky', 'car', 'road', 'person', 'gull'], is_thing=[False, True, False, True, True])
K = 5
GROUPS = {'': [0, 1, 2, 3, 4], '_th': [1, 3, 4], '_st': [0, 2]}


def _pixel_data(ids: np.ndarray, **metainfo: Any) -> PixelData:
    data = PixelData(data=torch.from_numpy(ids)[None])
    data.set_metainfo(metainfo)
    return data


def _sample(case: Any, name: str, **metainfo: Any) -> SegDataSample:
    sample = SegDataSample(metainfo=dict(img_path=f'images/{name}.jpg', **metainfo))
    sample.gt_panoptic_seg = _pixel_data(case.truth, labels=case.truth_labels, crowd=case.crowd)
    scores = [0.9] * len(case.prediction_labels)
    sample.pred_panoptic_seg = _pixel_data(case.prediction, labels=case.prediction_labels, scores=scores)
    return sample


def _expected(tallies: Sequence[Any], groups: dict[str, list[int]]) -> dict[str, float]:
    results = {}
    for suffix, classes in groups.items():
        scores = np.array([s for s in (tallies[k].scores() for k in classes) if s is not None])
        results |= {f'{key}{suffix}': 100 * mean for key, mean in zip(('PQ', 'SQ', 'RQ'), scores.mean(0))}
    return results


def _evaluate(samples: Sequence[SegDataSample], meta: dict = META, **options: Any) -> dict[str, float]:
    metric = METRICS.build(dict(type='mmlmseg.PanopticQuality', **options))
    metric.dataset_meta = meta
    for sample in samples:
        metric.process(None, [sample.to_dict()])
    return metric.evaluate(len(samples))


@pytest.fixture
def cases(random_case: Callable) -> list[Any]:
    random = np.random.default_rng(0)
    return [random_case(random, K, size=(12, 10 + index)) for index in range(12)]


@pytest.fixture
def samples(cases: list[Any]) -> list[SegDataSample]:
    return [_sample(case, f'im{index}') for index, case in enumerate(cases)]


def test_equals_loops(cases: list[Any], samples: list[SegDataSample], count_by_loops: Callable) -> None:
    results = _evaluate(samples)
    assert results == pytest.approx(_expected(count_by_loops(cases, K), GROUPS), abs=0.0051)
    assert list(results) == [f'{key}{suffix}' for suffix in GROUPS for key in ('PQ', 'SQ', 'RQ')]
    assert all(type(value) is float and value == round(value, 2) for value in results.values())


def test_headline_of_the_summed_images_is_the_reported_score(samples: list[SegDataSample]) -> None:
    metric = PanopticQuality()
    metric.dataset_meta = META
    assert metric.per_image is None
    metric.process(None, [sample.to_dict() for sample in samples])
    reported = metric.evaluate(len(samples))['PQ']
    assert metric.per_image is not None
    assert metric.per_image.shape == (len(samples), 4, K)
    assert metric.headline(metric.per_image.sum(0)) == reported
    alone = [_evaluate([sample])['PQ'] for sample in samples]
    assert [metric.headline(counts) for counts in metric.per_image] == alone
    assert len(set(alone)) > 1


@pytest.mark.parametrize(('thing', 'suffixes'), [(True, ['', '_th']), (False, ['', '_st'])])
def test_groups_without_classes_have_no_keys(samples: list[SegDataSample], thing: bool, suffixes: list[str]) -> None:
    results = _evaluate(samples, dict(META, is_thing=[thing] * K))
    assert list(results) == [f'{key}{suffix}' for suffix in suffixes for key in ('PQ', 'SQ', 'RQ')]
    assert results['PQ'] == results[f'PQ{suffixes[1]}'] == _evaluate(samples)['PQ']


def test_semantic_truth_is_enough_without_things(cases: list[Any], make_case: type, count_by_loops: Callable) -> None:
    stuff = dict(META, is_thing=[False] * K)
    samples, panoptic = [], []
    for case in cases:
        label = np.array([255, *case.truth_labels], dtype=np.uint8)[case.truth]
        sample = _sample(case, 'x')
        del sample.gt_panoptic_seg
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(label)[None])
        samples.append(sample)
        segments = np.where(label == 255, 0, label.astype(np.int32) + 1)
        panoptic.append(make_case(case.prediction, case.prediction_labels, segments, list(range(K)), [False] * K))
    expected = _expected(count_by_loops(panoptic, K), {'': GROUPS[''], '_st': GROUPS['']})
    assert _evaluate(samples, stuff) == pytest.approx(expected, abs=0.0051)

    with pytest.raises(DataError, match=r'images/x\.jpg: has no gt_panoptic_seg.*LoadPanopticAnnotations'):
        _evaluate(samples[:1])
    samples[0].gt_sem_seg.data[0, 0, 0] = 17
    with pytest.raises(DataError, match=r'images/x\.jpg: label id 17 is outside 0\.\.4'):
        _evaluate(samples[:1], stuff)
    del samples[0].gt_sem_seg
    with pytest.raises(DataError, match=r'has no gt_panoptic_seg'):
        _evaluate(samples[:1], stuff)


def test_what_does_not_fit_names_the_file(samples: list[SegDataSample]) -> None:
    samples[0].gt_panoptic_seg.data[0, 0, 0] = 99
    with pytest.raises(DataError, match=r'images/im0\.jpg: true segment id 99 is outside'):
        _evaluate(samples[:1])
    del samples[1].pred_panoptic_seg
    with pytest.raises(DataError, match=r'images/im1\.jpg: has no pred_panoptic_seg'):
        _evaluate(samples[1:2])
    with pytest.raises(DataError, match=r'does not know the is_thing'):
        _evaluate(samples[2:], dict(classes=META['classes']))
    with pytest.raises(DataError, match=r'is_thing of dataset_meta has 1 entries'):
        _evaluate(samples[2:], dict(META, is_thing=[True]))


def _read_back(folder: Path, cases: Sequence[Any], make_case: type, ids: Sequence[int]) -> tuple[dict, list[Any]]:
    """The json, and the cases with their predictions as the files have them, in any order."""
    content = json.loads((folder / 'panoptic.json').read_text())
    read = []
    for annotation in content['annotations']:
        case = cases[int(annotation['file_name'].removeprefix('im').removesuffix('.png'))]
        segments = read_panoptic_png(folder / 'panoptic' / annotation['file_name'])
        known = {segment['id']: segment for segment in annotation['segments_info']}
        shown, areas = np.unique(segments[segments > 0], return_counts=True)
        assert {key: segment['area'] for key, segment in known.items()} == dict(zip(shown.tolist(), areas.tolist()))
        labels = [ids.index(known[i]['category_id']) if i in known else 0 for i in range(1, segments.max() + 1)]
        read.append(make_case(segments, labels, case.truth, case.truth_labels, case.crowd))
    return content, read


@pytest.mark.parametrize('ids', [None, [7, 200, 3, 1, 92]])
def test_files_say_the_same(
    tmp_path: Path, cases: list[Any], make_case: type, count_by_loops: Callable, ids: list[int] | None
) -> None:
    cases[0].prediction[:] = 0
    cases[0].prediction_labels.append(1)  # a segment without pixels
    numbered = dict(image_id=4711) if ids else {}
    samples = [_sample(case, f'im{index}', **(numbered if index == 3 else {})) for index, case in enumerate(cases)]
    results = _evaluate(samples, dict(META, category_ids=ids) if ids else META, out_dir=str(tmp_path / 'new' / 'out'))
    content, read = _read_back(tmp_path / 'new' / 'out', cases, make_case, ids or range(K))
    assert [category['id'] for category in content['categories']] == list(ids or range(K))
    assert [category['name'] for category in content['categories']] == META['classes']
    assert [category['isthing'] for category in content['categories']] == [0, 1, 0, 1, 1]
    images = [annotation['image_id'] for annotation in content['annotations']]
    assert images == [4711 if ids and index == 3 else f'im{index}' for index in range(len(cases))]
    assert content['annotations'][0]['segments_info'] == []
    assert results == pytest.approx(_expected(count_by_loops(read, K), GROUPS), abs=0.0051)


def test_ranks_share_a_folder(
    tmp_path: Path, cases: list[Any], samples: list[SegDataSample], make_case: type, count_by_loops: Callable
) -> None:
    ranks = [PanopticQuality(out_dir=str(tmp_path), prefix='street') for _ in range(2)]
    for rank, metric in enumerate(ranks):
        metric.dataset_meta = META
        metric.process(None, [sample.to_dict() for sample in samples[rank::2]])
    ranks[0].results += pickle.loads(pickle.dumps(ranks[1].results))  # as they come from another rank
    results = ranks[0].evaluate(len(samples))
    assert results == {f'street/{key}': value for key, value in _evaluate(samples).items()}
    _, read = _read_back(tmp_path / 'street', cases, make_case, range(K))
    assert len(read) == len(cases)
    assert len(list((tmp_path / 'street' / 'panoptic').iterdir())) == len(cases)


def test_repeats_are_written_once(tmp_path: Path, samples: list[SegDataSample]) -> None:
    _evaluate([*samples[:2], samples[0]], out_dir=str(tmp_path))
    content = json.loads((tmp_path / 'panoptic.json').read_text())
    assert [annotation['image_id'] for annotation in content['annotations']] == ['im0', 'im1']


def test_what_files_cannot_hold_is_an_error(tmp_path: Path, samples: list[SegDataSample]) -> None:
    options = dict(out_dir=str(tmp_path))
    samples[1].set_metainfo(dict(img_path='other/im0.png'))
    with pytest.raises(DataError, match=r'images/im0\.jpg and other/im0\.png both have the file_name'):
        _evaluate(samples[:2], **options)
    with pytest.raises(DataError, match=r'category_ids of dataset_meta must be 5 different ids'):
        _evaluate(samples[4:5], dict(META, category_ids=[1, 2, 3, 4, 4]), **options)
    samples[5].set_metainfo(dict(img_path=''))
    with pytest.raises(DataError, match=r'has no img_path'):
        _evaluate(samples[5:6], **options)


def test_several_datasets(tmp_path: Path, random_case: Callable, make_case: type, count_by_loops: Callable) -> None:
    random = np.random.default_rng(1)
    metas = dict(street=META, wall=dict(classes=['wall', 'door'], is_thing=[False, False]))
    cases = {name: [random_case(random, len(meta['classes'])) for _ in range(6)] for name, meta in metas.items()}
    samples = [_sample(case, f'im{index}', dataset=name) for name in metas for index, case in enumerate(cases[name])]
    evaluator = MultiDatasetEvaluator(dict(type='mmlmseg.PanopticQuality', out_dir=str(tmp_path)))
    evaluator.dataset_meta = dict(datasets={name: dict(meta, size=6) for name, meta in metas.items()})
    for start in range(6):
        evaluator.process(samples[start::6])
    results = evaluator.evaluate(12)

    street = _expected(count_by_loops(cases['street'], K), GROUPS)
    wall = _expected(count_by_loops(cases['wall'], 2), {'': [0, 1], '_st': [0, 1]})
    for name, scores in (('street', street), ('wall', wall)):
        found = {key.removeprefix(f'{name}/'): value for key, value in results.items() if key.startswith(f'{name}/')}
        assert found == pytest.approx(scores, abs=0.0051)
        _, read = _read_back(tmp_path / name, cases[name], make_case, range(K))
        assert [case.prediction.tolist() for case in read] == [case.prediction.tolist() for case in cases[name]]
    assert results['mean/PQ'] == pytest.approx((results['street/PQ'] + results['wall/PQ']) / 2, abs=1e-4)
    assert 'mean/PQ_st' in results
    assert 'mean/PQ_th' not in results
