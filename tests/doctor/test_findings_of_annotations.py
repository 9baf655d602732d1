"""What is wrong with files in COCO's formats is found, one annotation at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import square

from mmlmseg.doctor import Examination

Make, Look = Callable[..., Path], Callable[..., Examination]


def annotation(**keys: Any) -> dict[str, Any]:
    return dict(dict(image_id=1, category_id=7, segmentation=square(30, 10, 15), iscrowd=0), **keys)


def test_a_sound_file_has_no_findings(make_parts: Make, look: Look) -> None:
    seen = look(make_parts())
    assert seen.findings == ()
    assert [(one.source.name, one.source.split, len(one.samples)) for one in seen.examined] == [('parts', 'train', 2)]
    assert look(make_parts(name='more') / 'instances_train.json').findings == ()


ODD = {
    'no polygon': ([annotation(segmentation=[])], 'annotation', "annotations[2]: 'segmentation' is []"),
    'two points': ([annotation(segmentation=[[1, 2, 3, 4]])], 'annotation', 'three points or more'),
    'an unknown category': ([annotation(category_id=5)], 'annotation', 'category_id 5'),
    'an unknown image': ([annotation(image_id=99)], 'annotation', 'image 99 is not listed'),
    'a crowd flag of 2': ([annotation(iscrowd=2)], 'annotation', "'iscrowd' is 2"),
    'outside of the image': ([annotation(segmentation=square(500, 10, 15))], 'empty-object', "annotations[2], 'bolt'"),
    'drawn twice': (
        [annotation(segmentation=square(4, 4, 20.4))],
        'object-twice',
        "annotations[0] and annotations[2], 'bolt', share",
    ),
    'two classes of one object': (
        [annotation(segmentation=square(4, 4, 20), category_id=9)],
        'object-twice',
        "'bolt' and 'nut', share 100%",
    ),
    'a crowd of one polygon': ([annotation(iscrowd=1)] + [annotation()] * 9, 'crowds', 'drawn as one polygon'),
    'an id in two images': ([annotation(id=2)], 'annotation-id', 'the id 2 stands in 2 images'),
    'an id of two classes': ([annotation(id=1, category_id=9)], 'annotation', 'annotation 1 of image 1: others'),
    'a box elsewhere': ([annotation(bbox=[2, 30, 15, 10])], 'box', 'bbox is [2, 30, 15, 10], the polygons are in [30'),
    'the id 0': ([annotation(id=0)], 'annotation-id', 'the id 0'),
}


@pytest.mark.parametrize('way', ODD)
def test_odd_annotations_are_found(way: str, make_parts: Make, look: Look) -> None:
    annotations, code, words = ODD[way]
    cases = [case.what for one in look(make_parts(annotations)).findings if one.code == code for case in one.cases]
    assert any(words in case for case in cases), cases


def test_unusable_annotations_do_not_hide_the_others(make_parts: Make, look: Look) -> None:
    odd = [annotation(segmentation=[]), annotation(category_id=5), annotation(segmentation=square(500, 10, 15))]
    seen = look(make_parts(odd))
    assert [(one.code, len(one.cases)) for one in seen.findings] == [('annotation', 2), ('empty-object', 1)]
    assert seen.examined[0].counts[0].objects == 3


def test_many_crowds_are_doubted(make_parts: Make, look: Look) -> None:
    code = dict(size=[48, 64], counts=[0, 10, 48 * 64 - 10])
    found = look(make_parts([annotation(segmentation=code, iscrowd=1)] * 2)).findings
    assert '2 of 4 annotations are crowds' in next(one.what for one in found if one.code == 'crowds')


def test_a_missing_image_and_one_of_another_size(make_parts: Make, look: Look) -> None:
    root = make_parts()
    file = root / 'instances_train.json'
    content = json.loads(file.read_text())
    content['images'][0]['height'] = 50
    content['images'].append(dict(id=3, file_name='3.jpg', height=48, width=64))
    file.write_text(json.dumps(content))
    found = {one.code: one.cases[0].what for one in look(root).findings}
    assert '3.jpg: its image is missing' in found['missing-file']
    assert 'image 48x64, label 50x64' in found['size']


def test_a_damaged_file_is_a_finding(make_parts: Make, look: Look) -> None:
    root = make_parts()
    (root / 'instances_train.json').write_text('{"images": [')
    (found,) = look(root).findings
    assert found.code == 'dataset'
    assert 'not valid JSON' in found.what


def test_segments_of_classes_that_are_no_things(make_panoptic: Make, look: Look) -> None:
    assert look(make_panoptic([(1, 1, 0), (2, 1, 0)], isthing=1)).findings == ()
    (found,) = look(make_panoptic([(1, 1, 0), (2, 1, 0)], isthing=0)).findings
    assert (found.code, found.severity) == ('no-things', 'warning')
    assert "2 segments of 'car'" in found.cases[0].what


def test_maps_and_descriptions_that_contradict_each_other(make_panoptic: Make, look: Look) -> None:
    (found,) = look(make_panoptic([(1, 1, 0), (5, 1, 0)], isthing=1)).findings
    assert (found.code, found.severity) == ('segments', 'error')
    assert 'holds segment 2' in found.cases[0].what


def test_panoptic_files(shared_data: Path, look: Look) -> None:
    sample = shared_data / 'coco_panoptic_sample' / 'panoptic_examples.json'
    seen = look(sample)
    assert [one.code for one in seen.findings] == ['class-not-here']
    assert len(seen.examined[0].samples) == 2


def make_federated(root: Path, first: dict[str, Any], second: dict[str, Any]) -> Path:
    """Gives the two images of a file lists, and the file a category that nobody looked for."""
    file = root / 'instances_train.json'
    content = json.loads(file.read_text())
    content['categories'].append(dict(id=11, name='screw'))
    for image, lists in zip(content['images'], (first, second), strict=True):
        image.update(lists)
    file.write_text(json.dumps(content))
    return root


def test_of_federated_labels_only_classes_that_somebody_looked_for_are_missed(make_parts: Make, look: Look) -> None:
    root = make_federated(make_parts(), dict(neg_category_ids=[9]), dict(neg_category_ids=[]))
    assert look(root).findings == ()
    root = make_federated(make_parts(name='more'), dict(neg_category_ids=[11]), dict(neg_category_ids=[]))
    (missed,) = look(root).findings
    assert missed.code == 'class-without-pixel'
    assert [case.what for case in missed.cases] == ['screw']


def test_lists_that_contradict_annotations_are_all_named(make_parts: Make, look: Look) -> None:
    root = make_federated(
        make_parts(), dict(neg_category_ids=[7, 9]), dict(neg_category_ids=[11], not_exhaustive_category_ids=[11, 9])
    )
    seen = look(root)
    found = {one.code: [case.what for case in one.cases] for one in seen.findings}
    assert [len(found['class-list']), len(seen.examined[0].samples)] == [2, 2]
    assert "images[0]: 'neg_category_ids' says that there is no 'bolt' (7) in the image" in found['class-list'][0]
    assert "images[1]: 'neg_category_ids' says that there is no 'screw' (11)" in found['class-list'][1]
    assert 'dataset' not in found


def test_an_image_of_negatives_alone_is_meant(make_parts: Make, look: Look) -> None:
    root = make_federated(make_parts(), dict(neg_category_ids=[]), dict(neg_category_ids=[7]))
    file = root / 'instances_train.json'
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, 'annotations': content['annotations'][:1]}))
    assert look(root).findings == ()


def test_faults_in_lists_of_any_kind_leave_the_rest_readable(make_parts: Make, look: Look) -> None:
    root = make_federated(make_parts(), dict(neg_category_ids='bolt'), dict(not_exhaustive_category_ids=[5]))
    (found,) = [one for one in look(root).findings if one.code == 'class-list']
    words = ['is "bolt"; it must be a list', "has no 'neg_category_ids'", 'names 5, which is no category']
    assert all(word in case.what for word, case in zip(words, found.cases, strict=True))
