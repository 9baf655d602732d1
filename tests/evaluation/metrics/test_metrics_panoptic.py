"""PanopticQuality against loops over pixels, before and after its predictions went through files; then
PanopticInstanceQuality in several label spaces, and beside PanopticQuality in one."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from mmlmseg.datasets import PanopticDataset
from mmlmseg.errors import DataError
from mmlmseg.evaluation import MultiDatasetEvaluator, PanopticInstanceQuality, PanopticQuality
from mmlmseg.evaluation.keys import is_class_key
from mmlmseg.evaluation.metrics.panoptic import write_index, write_segments
from mmlmseg.panoptic_png import read_panoptic_png
from mmlmseg.registry import METRICS
from mmlmseg.segments import MaskSet, SegmentMap

META = dict(classes=['sky', 'car', 'road', 'person', 'gull'], is_thing=[False, True, False, True, True])
K = 5
GROUPS = {'': [0, 1, 2, 3, 4], '_th': [1, 3, 4], '_st': [0, 2]}


def _expected(tallies: Sequence[Any], groups: dict[str, list[int]]) -> dict[str, float]:
    results = {}
    for suffix, classes in groups.items():
        scores = np.array([s for s in (tallies[k].scores() for k in classes) if s is not None])
        results |= {f'{key}{suffix}': 100 * mean for key, mean in zip(('PQ', 'SQ', 'RQ'), scores.mean(0))}
    return results


def _evaluate(
    samples: Sequence[SegDataSample], meta: dict = META, kind: str = 'PanopticQuality', **options: Any
) -> dict[str, float]:
    metric = METRICS.build(dict(type=f'mmlmseg.{kind}', **options))
    metric.dataset_meta = meta
    for sample in samples:
        metric.process(None, [sample.to_dict()])
    return _means(metric.evaluate(len(samples)))


def _means(results: dict[str, float]) -> dict[str, float]:
    """Without the results of single classes."""
    return {key: value for key, value in results.items() if not is_class_key(key)}


@pytest.fixture
def cases(random_case: Callable) -> list[Any]:
    random = np.random.default_rng(0)
    return [random_case(random, K, size=(12, 10 + index)) for index in range(12)]


@pytest.fixture
def samples(cases: list[Any], sample_of: Callable) -> list[SegDataSample]:
    return [sample_of(case, f'im{index}') for index, case in enumerate(cases)]


def test_equals_loops(cases: list[Any], samples: list[SegDataSample], count_by_loops: Callable) -> None:
    results = _evaluate(samples)
    assert results == pytest.approx(_expected(count_by_loops(cases, K), GROUPS), abs=0.0051)
    assert list(results) == [f'{key}{suffix}' for suffix in GROUPS for key in ('PQ', 'SQ', 'RQ')]
    assert all(type(value) is float and value == round(value, 2) for value in results.values())


@pytest.mark.parametrize(('kind', 'key'), [('PanopticQuality', 'PQ'), ('PanopticInstanceQuality', 'PIQ')])
def test_each_class_is_a_result(
    cases: list[Any], samples: list[SegDataSample], count_by_loops: Callable, kind: str, key: str
) -> None:
    metric = METRICS.build(dict(type=f'mmlmseg.{kind}', prefix='a'))
    metric.dataset_meta = dict(META, classes=['sky', 'car', 'road', 'person', 'gull', 'dry/ice'], is_thing=[True] * 6)
    metric.process(None, [sample.to_dict() for sample in samples])
    results = metric.evaluate(len(samples))
    expected = {
        f'a/{key}.{name}': 100 * scores[0]
        for name, scores in zip(META['classes'], (tally.scores() for tally in count_by_loops(cases, K)))
    }
    expected[f'a/{key}.dry_ice'] = np.nan
    found = {key: value for key, value in results.items() if is_class_key(key)}
    assert found == pytest.approx(expected, abs=0.0051, nan_ok=True)
    assert next(iter(results)) == f'a/{key}'  # what save_best='auto' takes
    assert metric.notes == ['a: 1 of 6 classes have no segments in the truth: dry/ice (1) without a score, in no mean']
    assert {metric.definition(key).kind for key in results} == {'comparable' if key == 'PQ' else 'ours'}


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


def test_semantic_truth_is_enough_without_things(
    cases: list[Any], make_case: type, sample_of: Callable, count_by_loops: Callable
) -> None:
    stuff = dict(META, is_thing=[False] * K)
    samples, panoptic = [], []
    for case in cases:
        label = np.array([255, *case.truth_labels], dtype=np.uint8)[case.truth]
        sample = sample_of(case)
        del sample.gt_segments
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(label)[None])
        samples.append(sample)
        segments = np.where(label == 255, 0, label.astype(np.int32) + 1)
        panoptic.append(make_case(case.prediction, case.prediction_labels, segments, list(range(K)), [False] * K))
    expected = _expected(count_by_loops(panoptic, K), {'': GROUPS[''], '_st': GROUPS['']})
    assert _evaluate(samples, stuff) == pytest.approx(expected, abs=0.0051)

    with pytest.raises(DataError, match=r'images/x\.jpg: has no gt_segments.*LoadSegments'):
        _evaluate(samples[:1])
    samples[0].gt_sem_seg.data[0, 0, 0] = 17
    with pytest.raises(DataError, match=r'images/x\.jpg: label id 17 is outside 0\.\.4'):
        _evaluate(samples[:1], stuff)
    del samples[0].gt_sem_seg
    with pytest.raises(DataError, match=r'has no gt_segments'):
        _evaluate(samples[:1], stuff)


def test_what_does_not_fit_names_the_file(samples: list[SegDataSample]) -> None:
    samples[0].gt_segments.ids[0, 0, 0] = 99
    with pytest.raises(DataError, match=r'images/im0\.jpg: true segment id 99 is outside'):
        _evaluate(samples[:1])
    del samples[1].pred_segments
    with pytest.raises(DataError, match=r'images/im1\.jpg: has no pred_segments'):
        _evaluate(samples[1:2])
    two_spaces = dict(META, groups=[0, 0, 0, 1, 1])
    with pytest.raises(DataError, match=r'pred_segments is a map of 1 label spaces, but .* classes are of 2'):
        _evaluate(samples[2:], two_spaces)
    mixed = samples[2].clone()
    mixed.pred_segments = mixed.pred_segments.to_masks()
    for meta in (META, two_spaces):
        with pytest.raises(DataError, match=r'images/im2\.jpg: .*several label spaces.*PanopticInstanceQuality'):
            _evaluate([mixed], meta)
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
    tmp_path: Path,
    cases: list[Any],
    make_case: type,
    sample_of: Callable,
    count_by_loops: Callable,
    ids: list[int] | None,
) -> None:
    cases[0].prediction[:] = 0
    cases[0].prediction_labels.append(1)  # a segment without pixels
    numbered = dict(image_id=4711) if ids else {}
    samples = [sample_of(case, f'im{index}', **(numbered if index == 3 else {})) for index, case in enumerate(cases)]
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
    results = _means(ranks[0].evaluate(len(samples)))
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


def test_several_datasets(
    tmp_path: Path, random_case: Callable, make_case: type, sample_of: Callable, count_by_loops: Callable
) -> None:
    random = np.random.default_rng(1)
    metas = dict(street=META, wall=dict(classes=['wall', 'door'], is_thing=[False, False]))
    cases = {name: [random_case(random, len(meta['classes'])) for _ in range(6)] for name, meta in metas.items()}
    samples = [sample_of(case, f'im{index}', dataset=name) for name in metas for index, case in enumerate(cases[name])]
    evaluator = MultiDatasetEvaluator(dict(type='mmlmseg.PanopticQuality', out_dir=str(tmp_path)))
    evaluator.dataset_meta = dict(datasets={name: dict(meta, size=6) for name, meta in metas.items()})
    for start in range(6):
        evaluator.process(samples[start::6])
    results = evaluator.evaluate(12)

    street = _expected(count_by_loops(cases['street'], K), GROUPS)
    wall = _expected(count_by_loops(cases['wall'], 2), {'': [0, 1], '_st': [0, 1]})
    for name, scores in (('street', street), ('wall', wall)):
        own = {key.removeprefix(f'{name}/'): value for key, value in results.items() if key.startswith(f'{name}/')}
        assert _means(own) == pytest.approx(scores, abs=0.0051)
        _, read = _read_back(tmp_path / name, cases[name], make_case, range(K))
        assert [case.prediction.tolist() for case in read] == [case.prediction.tolist() for case in cases[name]]
    assert results['mean/PQ'] == pytest.approx((results['street/PQ'] + results['wall/PQ']) / 2, abs=1e-4)
    assert 'mean/PQ_st' in results
    assert 'mean/PQ_th' not in results


SEGMENTS = np.array([[0, 1, 1], [3, 3, 3]], dtype=np.int32)


def test_an_image_and_its_entry(tmp_path: Path) -> None:
    folder = tmp_path / 'street' / 'panoptic'
    image, entry = write_segments(folder, 'images/a.b.jpg', None, SEGMENTS, [7, 8, 7])
    assert image == dict(id='a.b', file_name='a.b.jpg', height=2, width=3)
    assert entry == dict(
        image_id='a.b',
        file_name='a.b.png',
        segments_info=[
            dict(id=1, category_id=7, area=2, iscrowd=0),
            dict(id=3, category_id=7, area=3, iscrowd=0),  # 2 has no pixel
        ],
    )
    assert np.array_equal(read_panoptic_png(folder / 'a.b.png'), SEGMENTS)
    image, entry = write_segments(folder, 'a.jpg', 0, SEGMENTS, [7, 8, 7])
    assert image['id'] == entry['image_id'] == 0


def test_what_was_predicted_can_be_read_as_truth(tmp_path: Path) -> None:
    (tmp_path / 'images').mkdir()
    Image.new('RGB', (3, 2)).save(tmp_path / 'images' / 'a.png')
    metric = PanopticQuality(out_dir=str(tmp_path / 'out'), prefix='yard')
    metric.dataset_meta = dict(classes=['road', 'car'], is_thing=[False, True])
    found = SegmentMap(torch.tensor([[[1, 1, 2], [0, 1, 2]]], dtype=torch.int32), torch.tensor([0, 1]))
    found = replace(found, scores=torch.ones(2))
    metric.process(None, [dict(img_path=str(tmp_path / 'images' / 'a.png'), pred_segments=found, gt_segments=found)])
    metric.compute_metrics(metric.results)
    dataset = PanopticDataset(
        ann_file='out/yard/panoptic.json',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='out/yard/panoptic'),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')],
    )
    truth = dataset[0]['data_samples'].gt_segments
    assert truth.ids.tolist() == found.ids.tolist()
    assert truth.labels.tolist() == [0, 1]


def test_the_json_lies_where_panopticapi_looks_for_it(tmp_path: Path) -> None:
    image = dict(id=5, file_name='a.jpg', height=2, width=3)
    annotation = dict(image_id=5, file_name='a.png', segments_info=[])
    categories = [dict(id=0, name='sky', isthing=0)]
    write_index(tmp_path / 'panoptic', {'x/a.jpg': (image, annotation)}, categories)
    content = json.loads((tmp_path / 'panoptic.json').read_text())
    assert content == dict(images=[image], annotations=[annotation], categories=categories)


@pytest.mark.parametrize(('key', 'value'), [('file_name', "'a.png'"), ('image_id', '5')])
def test_images_of_one_name_are_an_error(tmp_path: Path, key: str, value: str) -> None:
    first = dict(image_id=5, file_name='a.png', segments_info=[])
    second = {**dict(image_id=6, file_name='b.png', segments_info=[]), key: first[key]}
    with pytest.raises(DataError, match=rf'x/a\.jpg and y/a\.jpg both have the {key} {value}'):
        write_index(tmp_path / 'panoptic', {'x/a.jpg': ({}, first), 'y/a.jpg': ({}, second)}, [])
    assert not (tmp_path / 'panoptic.json').exists()


MIXED = dict(classes=['street:person', 'street:sky', 'body:face'], is_thing=[True, False, True], groups=[0, 0, 1])
PLAIN = dict(classes=['sky', 'car', 'road', 'person'], is_thing=[False, True, False, True])
PIQ_KEYS = ['PIQ', 'PIQ_SQ', 'PIQ_RQ']


def _piq(*samples: SegDataSample, meta: dict = MIXED, **options: Any) -> dict[str, float]:
    return _evaluate(samples, meta, 'PanopticInstanceQuality', **options)


def _mixed_sample() -> SegDataSample:
    """Persons and sky of one space, a face of another, which says nothing of the right half."""
    sample = SegDataSample(metainfo=dict(img_path='images/a.jpg'))
    ids = torch.tensor([[[1, 1, 1, 1, 2, 2, 2, 2]], [[3, 3, 0, 0, 0, 0, 0, 0]]], dtype=torch.int32)
    sample.gt_segments = SegmentMap(ids, torch.tensor([0, 1, 2]), crowd=torch.zeros(3).bool())
    words = ('11100000', '11110000', '00001111', '11000000', '00001100')
    sample.pred_segments = MaskSet(
        torch.tensor([[[int(c) for c in word]] for word in words]).bool(),
        torch.tensor([0, 0, 1, 2, 2]),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5]),
    )
    return sample


def test_several_label_spaces_by_hand() -> None:
    # person: the surer of two fits with 3/4, the other is wrong; the second face lies where its space is void.
    person, sky, face = (75 / 1.5, 75, 100 / 1.5), (100,) * 3, (100,) * 3
    expected = {}
    for suffix, classes in {'': (person, sky, face), '_th': (person, face), '_st': (sky,)}.items():
        expected |= {f'{key}{suffix}': float(np.mean(column)) for key, column in zip(PIQ_KEYS, zip(*classes))}
    results = _piq(_mixed_sample())
    assert results == pytest.approx(expected, abs=0.0051)
    assert list(results) == list(expected)
    optimal = _piq(_mixed_sample(), matching='optimal')  # the better of the two persons
    assert optimal['PIQ'] == pytest.approx((100 / 1.5 + 200) / 3, abs=0.0051)


def test_a_mask_of_several_origins_is_a_prediction_of_each() -> None:
    sample = _mixed_sample()
    said = sample.pred_segments
    said.labels[3] = 0  # the first face is said to be a person, too
    sample.pred_segments = replace(said, origins=[(0,), (0,), (1,), (0, 2), (2,)])
    results, apart = _piq(sample), _mixed_sample()
    masks, scores = said.masks[[0, 1, 2, 3, 3, 4]], said.scores[[0, 1, 2, 3, 3, 4]]
    apart.pred_segments = MaskSet(masks, torch.tensor([0, 0, 1, 0, 2, 2]), scores=scores)
    assert results == _piq(apart)
    assert results['PIQ_th'] < _piq(_mixed_sample())['PIQ_th']


def test_counts_add_up_over_images_and_can_be_drawn_again() -> None:
    metric = PanopticInstanceQuality()
    metric.dataset_meta = MIXED
    nothing = _mixed_sample()
    found = nothing.pred_segments
    nothing.pred_segments = MaskSet(found.masks[:0], found.labels[:0], scores=found.scores[:0])
    metric.process(None, [_mixed_sample().to_dict(), nothing.to_dict()])
    results = metric.evaluate(2)
    assert metric.per_image is not None
    assert metric.per_image.shape == (2, 4, 3)
    assert results['PIQ'] == pytest.approx(100 * (0.75 / 2 + 1 / 1.5 + 1 / 1.5) / 3, abs=0.0051)
    assert metric.headline(metric.per_image.sum(0)) == results['PIQ'] == results[metric.headline_key]
    assert metric.headline(metric.per_image[0]) == _piq(_mixed_sample())['PIQ']
    assert metric.headline(metric.per_image[1]) == 0


@pytest.fixture
def plain_samples(random_case: Callable, sample_of: Callable) -> list[SegDataSample]:
    random = np.random.default_rng(0)
    cases = [random_case(random, 4, size=(12, 10 + index)) for index in range(12)]
    return [sample_of(case, f'im{index}', 0.5, dataset='street') for index, case in enumerate(cases)]


@pytest.mark.parametrize('matching', ['greedy', 'optimal'])
def test_beside_panoptic_quality_it_gives_the_same(plain_samples: list[SegDataSample], matching: str) -> None:
    metrics = [dict(type='mmlmseg.PanopticQuality'), dict(type='mmlmseg.PanopticInstanceQuality', matching=matching)]
    evaluator = MultiDatasetEvaluator(metrics)
    evaluator.dataset_meta = dict(datasets=dict(street=dict(PLAIN, size=12)))
    evaluator.process(plain_samples)
    results = evaluator.evaluate(12)
    for suffix in ('', '_th', '_st'):
        for key, other in zip(PIQ_KEYS, ('PQ', 'SQ', 'RQ')):
            assert results[f'street/{key}{suffix}'] == results[f'street/{other}{suffix}'] > 0


def test_semantic_truth_is_enough_for_both_without_things(plain_samples: list[SegDataSample]) -> None:
    stuff = dict(PLAIN, is_thing=[False] * 4)
    for sample in plain_samples:
        truth = sample.gt_segments
        sample.gt_sem_seg = PixelData(data=torch.tensor([255, *truth.labels.tolist()])[truth.ids.long()])
        del sample.gt_segments
    assert list(_piq(*plain_samples, meta=stuff).values()) == list(_evaluate(plain_samples, stuff).values())


def test_maps_and_masks_of_one_space_are_scored_alike(plain_samples: list[SegDataSample]) -> None:
    one_space = dict(PLAIN, groups=[0] * 4)
    as_maps = _piq(*plain_samples, meta=one_space)
    assert as_maps['PIQ'] > 0
    assert _piq(*plain_samples, meta=PLAIN) == as_maps  # what tells no groups has one
    maps = [sample.pred_segments for sample in plain_samples]
    for sample, found in zip(plain_samples, maps):
        sample.pred_segments = found.to_masks()
    assert _piq(*plain_samples, meta=one_space) == as_maps
    for sample, found in zip(plain_samples, maps):
        sample.pred_segments = replace(found.to_masks(), labels=(found.labels + 1) % 4)
    assert _piq(*plain_samples, meta=one_space)['PIQ'] < as_maps['PIQ'] / 2
    for sample in plain_samples:
        everything = sample.gt_segments.to_masks()
        sample.pred_segments = replace(everything, crowd=None, scores=torch.ones(len(everything.labels)))
    assert _piq(*plain_samples, meta=one_space)['PIQ'] == 100


def test_what_does_not_fit_masks_names_the_file(plain_samples: list[SegDataSample]) -> None:
    sample = _mixed_sample()
    with pytest.raises(DataError, match=r'groups of dataset_meta has 1 entries, not one for each class'):
        _piq(sample, meta=dict(MIXED, groups=[0]))
    for one_space in (dict(MIXED, groups=[0] * 3), {key: MIXED[key] for key in ('classes', 'is_thing')}):
        with pytest.raises(DataError, match=r'images/a\.jpg: gt_segments is a map of 2 .* classes are of 1'):
            _piq(sample, meta=one_space)
    truth, found = sample.gt_segments, sample.pred_segments
    sample.gt_segments = replace(truth, ids=truth.ids.flip(0))
    with pytest.raises(DataError, match=r'images/a\.jpg: true mask 1 of class 1 covers 4 pixels that are void'):
        _piq(sample)
    sample.gt_segments = truth.to_masks()
    with pytest.raises(DataError, match=r'images/a\.jpg: gt_segments must be a SegmentMap.*has no truth'):
        _piq(sample)
    sample.gt_segments = truth
    sample.pred_segments = plain_samples[0].pred_segments
    with pytest.raises(DataError, match=r'pred_segments is a map of 1 label spaces, but .* classes are of 2.*ask the'):
        _piq(sample)
    sample.pred_segments = replace(found, scores=None)
    with pytest.raises(DataError, match=r'images/a\.jpg: predicted segments: have no scores'):
        _piq(sample)
    sample.pred_segments = found
    sample.gt_segments = plain_samples[0].gt_segments
    with pytest.raises(DataError, match=r'images/a\.jpg: gt_segments is a map of 1 label spaces'):
        _piq(sample)
    del sample.gt_segments
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 1, 8, dtype=torch.long))
    for meta in (dict(MIXED, is_thing=[False] * 3), dict(MIXED, groups=[0, 0, 0])):
        with pytest.raises(DataError, match=r'images/a\.jpg: has no gt_segments.*LoadSegments'):
            _piq(sample, meta=meta)
    del sample.pred_segments
    with pytest.raises(DataError, match=r"images/a\.jpg: has no pred_segments.*tasks=\['panoptic'\]"):
        _piq(sample)
    plain_samples[0].pred_segments.ids[0, 0, 0] = 99
    with pytest.raises(DataError, match=r'images/im0\.jpg: predicted segments: segment ids 0 to 99'):
        _piq(plain_samples[0], meta=PLAIN)
    with pytest.raises(ValueError, match=r'matching must be'):
        PanopticInstanceQuality(matching='best')
