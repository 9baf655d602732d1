from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmlmseg.datasets.coco_annotations import annotated_images, match_categories, read_annotations
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.label_space import LabelSpace

SPACE = LabelSpace.create(
    'street', ['car', 'road, route', 'traffic-light', 'sky'], synonyms=dict(car=['auto']), things=['car']
)


def categories(*names: str) -> list[dict[str, Any]]:
    return [dict(id=10 - i, name=name, isthing=int(name in ('car', 'auto'))) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ('names', 'labels'),
    [
        (['car', 'road, route', 'traffic-light', 'sky'], [0, 1, 2, 3]),
        (['sky', 'traffic light', 'road', 'car'], [3, 2, 1, 0]),  # stuff first
        (['Sky-other-merged', 'car', 'Road_', 'traffic_light'], [3, 0, 1, 2]),  # mixed, other spelling
        (['route', 'auto', 'sky', 'traffic light'], [1, 0, 3, 2]),  # synonyms, of the name and of the space
        (['avenue, route', 'sky', 'auto', 'traffic light'], [1, 3, 0, 2]),
    ],
)
def test_categories_match_by_name(names: list[str], labels: list[int]) -> None:
    assert match_categories(categories(*names), SPACE) == {10 - i: label for i, label in enumerate(labels)}


def test_main_names_go_before_synonyms() -> None:
    space = LabelSpace.create('x', ['blind, screen', 'screen', 'screen door, screen'])
    names = ['screen', 'screen door', 'blind, screen']
    assert list(match_categories(categories(*names), space).values()) == [1, 2, 0]


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['car', 'road', 'trafic light', 'sky'], r"1 of 4 categories are no class .*'street': trafic light\. Did you"),
        (['car', 'road', 'sky'], r'1 of 4 classes .* are no category: traffic-light\.'),
        (['car', 'road', 'traffic light', 'sky', 'tram'], r'1 of 5 categories are no class .*: tram\.'),
        (['car', 'road', 'traffic light', 'Sky', 'sky'], r"'Sky' and 'sky' both mean"),
    ],
)
def test_categories_without_counterpart(names: list[str], message: str) -> None:
    with pytest.raises(LabelSpaceError, match=message):
        match_categories(categories(*names), SPACE)


def test_bad_categories() -> None:
    good = categories('car', 'road', 'traffic light', 'sky')
    with pytest.raises(LabelSpaceError, match=r"'sky' is a thing \(isthing\), but stuff in the label space 'street'"):
        match_categories([*good[:3], {**good[3], 'isthing': 1}], SPACE)
    with pytest.raises(LabelSpaceError, match=r"'car' is stuff \(isthing\), but a thing in"):
        match_categories([{**good[0], 'isthing': 0}, *good[1:]], SPACE)
    with pytest.raises(LabelSpaceError, match='several categories have the id 10'):
        match_categories([*good[:3], {**good[3], 'id': 10}], SPACE)
    with pytest.raises(LabelSpaceError, match=r'needs "id", "name" and "isthing"; is this a panoptic file'):
        match_categories([dict(id=1, name='car')], SPACE)


def test_images_with_their_segments(make_coco: Callable[..., Path]) -> None:
    content = read_annotations(make_coco() / 'panoptic.json')
    found = annotated_images(content, {2: 0, 7: 1, 9: 2, 30: 3})
    assert [image.image_id for image in found] == [100, 101, 102]
    assert [image.image for image in found] == ['0.jpg', '1.jpg', '2.jpg']
    assert [image.png for image in found] == ['0.png', '1.png', '2.png']
    first = next(a for a in content['annotations'] if a['image_id'] == 100)['segments_info'][0]
    assert found[0].segments[0] == (first['id'], {2: 0, 7: 1, 9: 2, 30: 3}[first['category_id']], first['iscrowd'] == 1)


def _segment(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content['annotations'][0]['segments_info'][0].update(changes)


def _double_segment(content: dict[str, Any]) -> None:
    segments = content['annotations'][0]['segments_info']
    segments.append(copy.deepcopy(segments[0]))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (_segment(category_id=77), r'image 2\.jpg, segment \d+: its category_id 77 is no category'),
        (_segment(id=0), r'image 2\.jpg: segment id 0 is no number of 1\.\.16777215'),
        (_segment(id=256**3), r'segment id 16777216 is no number'),
        (_segment(id='7'), r"segment id '7' is no number"),
        (_double_segment, r'image 2\.jpg: two segments have the id \d+'),
        (lambda c: c['annotations'][0]['segments_info'][0].pop('category_id'), r"has no 'category_id'"),
        (lambda c: c['images'][1].pop('file_name'), r"has no 'file_name'"),
        (lambda c: c['images'].append(dict(id=5, file_name='x.jpg')), r'image 5 \(x\.jpg\) has no annotation'),
        (lambda c: c['images'].append(c['images'][0]), r'image 100 \(0\.jpg\) has no annotation, or is listed twice'),
        (lambda c: c['images'].pop(), r'1 annotations are of images that the file does not list.* image 102'),
        (lambda c: c['annotations'].append(dict(c['annotations'][1])), r'image 101 is annotated twice'),
    ],
)
def test_bad_annotations(make_coco: Callable[..., Path], damage: Callable[[dict], Any], message: str) -> None:
    content = read_annotations(make_coco() / 'panoptic.json')
    damage(content)
    with pytest.raises(DataError, match=message):
        annotated_images(content, {2: 0, 7: 1, 9: 2, 30: 3})


def test_bad_files(tmp_path: Path) -> None:
    file = tmp_path / 'a.json'
    with pytest.raises(DataError, match=r'a\.json: no such file; ann_file must be'):
        read_annotations(file)
    file.write_text('{"images": [')
    with pytest.raises(DataError, match=r'a\.json: not valid JSON'):
        read_annotations(file)
    for content in ([], dict(images=[], annotations=[])):
        file.write_text(json.dumps(content))
        with pytest.raises(DataError, match=r"a\.json: has no list '(images|categories)'"):
            read_annotations(file)
    file.write_text(json.dumps(dict(images=[], annotations=[dict(image_id=1, bbox=[])], categories=[])))
    with pytest.raises(DataError, match=r'without "segments_info"; take panoptic_\*\.json'):
        read_annotations(file)
