from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmlmseg.errors import LabelSpaceError
from mmlmseg.label_space import LabelSpace, LabelSpaces


def test_shown_names_stay_as_written() -> None:
    space = LabelSpace.create('s', ['Road, Route', 'wall-stuff'], synonyms={'wall-stuff': ['brickwork']})
    assert space.classes == ('Road, Route', 'wall-stuff')
    assert space.names == ('road', 'wall')
    assert space.synonyms == (('route',), ('brickwork',))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(classes=[]), 'has no classes'),
        (dict(classes='sky, road'), 'must be a list'),
        (dict(classes=['wall', 'Wall-other']), "'wall' and 'Wall-other' both mean 'wall'"),
        (dict(classes=['traffic light', 'Traffic-light']), "'Traffic-light' both mean 'traffic light'"),
        (dict(classes=['wall'], things=['wal']), 'Did you mean: wall'),
        (dict(classes=['wall'], synonyms={'door': ['gate']}), "unknown class 'door'"),
        (dict(classes=['wall'], palette=[(0, 0, 0), (1, 1, 1)]), '2 colours for 1 classes'),
    ],
)
def test_bad_spaces_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(LabelSpaceError, match=message):
        LabelSpace.create('s', **arguments)


def test_spaces_share_one_vocabulary(spaces: list[LabelSpace]) -> None:
    both = LabelSpaces(spaces)
    assert both.names == ('street', 'facade')
    assert both.max_classes == 5
    assert both.vocabulary == ('sky', 'building', 'tree', 'road', 'car', 'wall', 'window')
    assert both.get('street').is_thing == (False, False, False, False, True)


def test_spaces_survive_a_checkpoint(spaces: list[LabelSpace]) -> None:
    both = LabelSpaces(spaces)
    data = json.loads(json.dumps(both.to_list()))
    assert list(LabelSpaces.from_config(data)) == list(both)


def test_unknown_and_double_names(spaces: list[LabelSpace]) -> None:
    with pytest.raises(LabelSpaceError, match=r'knows street, facade\. Did you mean: street'):
        LabelSpaces(spaces).get('streets')
    with pytest.raises(LabelSpaceError, match='two label spaces are named street'):
        LabelSpaces([spaces[0], spaces[0]])
    with pytest.raises(LabelSpaceError, match='at least one'):
        LabelSpaces([])


def test_reading_classes_json(tmp_path) -> None:
    folder = tmp_path / 'camvid'
    folder.mkdir()
    with pytest.raises(LabelSpaceError, match='no such file'):
        LabelSpace.from_json(folder)
    file = folder / 'classes.json'
    file.write_text('{"classes": ["sky",')
    with pytest.raises(LabelSpaceError, match=r'classes\.json: not valid JSON'):
        LabelSpace.from_json(folder)
    file.write_text('["sky"]')
    with pytest.raises(LabelSpaceError, match='needs the key "classes"'):
        LabelSpace.from_json(folder)
    file.write_text(json.dumps(dict(classes=['sky', 'car'], things=['car'], ignore=255, note='mine')))
    assert LabelSpace.from_json(folder) == LabelSpace.create('camvid', ['sky', 'car'], things=['car'])
    file.write_bytes(b'\xef\xbb\xbf' + file.read_bytes().replace(b', ', b',\r\n'))  # as some editors on Windows save it
    assert LabelSpace.from_json(folder).classes == ('sky', 'car')
    file.write_text(json.dumps(dict(classes=['sky', 'Sky'])))
    with pytest.raises(LabelSpaceError, match=r"classes\.json: .*both mean 'sky'"):
        LabelSpace.from_json(folder)


def test_a_config_gives_a_file_other_synonyms(tmp_path: Path) -> None:
    file = tmp_path / 'classes.json'
    file.write_text(json.dumps(dict(name='s', classes=['sky', 'car'], synonyms={'car': ['auto']}, things=['car'])))
    given = LabelSpace.from_config(dict(path=str(tmp_path), synonyms={'sky': ['Skies']}))
    assert given == LabelSpace.create('s', ['sky', 'car'], synonyms={'sky': ['skies']}, things=['car'])
    assert LabelSpace.from_config(dict(path=str(tmp_path))).synonyms == ((), ('auto',))
    with pytest.raises(LabelSpaceError, match=r"classes\.json: .*synonyms name the unknown class 'cart'.*car"):
        LabelSpace.from_config(dict(path=str(tmp_path), synonyms={'cart': ['auto']}))


def test_reading_with_a_name_and_things_of_the_config(tmp_path) -> None:
    file = tmp_path / 'classes.json'
    file.write_text(json.dumps(dict(classes=['sky', 'car', 'person'])))
    wanted = LabelSpace.create('street', ['sky', 'car', 'person'], things=['person', 'car'])
    assert LabelSpace.from_config(dict(path=tmp_path, name='street', things=['person', 'car'])) == wanted
    assert wanted.things == ('car', 'person')
    for things in ([], ['car']):
        file.write_text(json.dumps(dict(classes=['sky', 'car'], things=things)))
        assert LabelSpace.from_json(file, things=['car']).things == ('car',)
    for things in ([], ['sky'], ['car', 'sky']):
        with pytest.raises(LabelSpaceError, match=r'classes\.json: its things are car, but the config says'):
            LabelSpace.from_json(file, things=things)


def test_reading_the_categories_of_an_annotation_file(tmp_path) -> None:
    file = tmp_path / 'panoptic_val.json'
    categories = [
        dict(id=9, name='sky-other-merged', isthing=0, color=[1, 2, 3]),
        dict(id=4, name=' car', isthing=1, color=[4, 5, 6]),
    ]
    file.write_text(json.dumps(dict(images=[], annotations=[], categories=categories)))
    wanted = LabelSpace.create('x', ['sky-other-merged', 'car'], things=['car'], palette=[(1, 2, 3), (4, 5, 6)])
    assert LabelSpace.from_config(dict(path=file, name='x')) == wanted == LabelSpace.from_categories('x', categories)
    with pytest.raises(LabelSpaceError, match='its things are car, but the config says sky'):
        LabelSpace.from_json(file, things=['sky-other-merged'])
    del categories[0]['color'], categories[1]['isthing']
    file.write_text(json.dumps(dict(categories=categories)))
    with pytest.raises(
        LabelSpaceError,
        match=r'panoptic_val\.json: categories\[1\]: the category .* car.*needs id, name, isthing; .*a panoptic file',
    ):
        LabelSpace.from_json(file)


def test_metainfo_and_back(spaces: list[LabelSpace]) -> None:
    metainfo = spaces[0].to_metainfo()
    assert json.loads(json.dumps(metainfo)) == metainfo
    assert LabelSpace.from_metainfo('street', metainfo) == spaces[0]
    assert metainfo['is_thing'] == [False, False, False, False, True]


def test_a_registered_dataset_is_told_more() -> None:
    spec = dict(dataset='CityscapesDataset', name='street', things=['car', 'person'], synonyms={'car': ['automobile']})
    space = LabelSpace.from_config(spec)
    assert (space.name, space.things, space.synonyms[13]) == ('street', ('person', 'car'), ('automobile',))
    own = LabelSpace.from_config(dict(dataset='mmlmseg.CityscapesPanopticDataset'))
    assert LabelSpace.from_dataset('mmlmseg.CityscapesPanopticDataset', things=list(own.things)) == own
    assert LabelSpace.from_dataset('mmdet.CocoDataset', things=['person']).things == ('person',)


def test_what_a_class_of_datasets_says_of_more_classes_counts_as_far_as_it_fits() -> None:
    metainfo = dict(classes=['sky', 'car'], thing_classes=['car', 'bus'], palette=[[0, 0, 0]])
    assert LabelSpace.from_metainfo('s', metainfo) == LabelSpace.create('s', ['sky', 'car'], things=['car'])
    with pytest.raises(LabelSpaceError, match="things name the unknown class 'bus'"):
        LabelSpace.from_metainfo('s', metainfo, given=['thing_classes'])
    with pytest.raises(LabelSpaceError, match='1 colours for 2 classes'):
        LabelSpace.from_metainfo('s', metainfo, given=['palette'])


def test_reading_registered_datasets() -> None:
    space = LabelSpace.from_config(dict(dataset='CityscapesDataset'))
    assert (space.name, space.num_classes, space.palette[0]) == ('cityscapes', 19, (128, 64, 128))
    with pytest.raises(LabelSpaceError, match='Did you mean: .*CityscapesDataset'):
        LabelSpace.from_dataset('CityscapeDataset')
    with pytest.raises(LabelSpaceError, match='a label space is the path'):
        LabelSpace.from_config(dict(name='x'))
