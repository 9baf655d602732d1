from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmlmseg.datasets import FolderDataset
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.label_space import LabelSpace

MakeFolder = Callable[..., Path]


def test_reads_samples_and_label_space(make_folder: MakeFolder) -> None:
    root = make_folder('street', things=['car'], palette=[[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    dataset = FolderDataset(root, split='val')
    assert len(dataset) == 2
    info = dataset.get_data_info(1)
    assert (info['img_path'], info['seg_map_path']) == (
        str(root / 'images' / 'val_1.jpg'),
        str(root / 'labels' / 'val_1.png'),
    )
    metainfo = dataset.metainfo
    assert metainfo['label_space'] == 'street'
    assert metainfo['classes'] == ['road', 'sky', 'car']
    assert metainfo['is_thing'] == [False, False, True]
    assert metainfo['palette'][2] == [7, 8, 9]


def test_other_suffixes_and_subfolders(make_folder: MakeFolder) -> None:
    root = make_folder(train=1)
    for sub, suffix in (('images', '.PNG'), ('labels', '.png')):
        (root / sub / 'town').mkdir()
        cv2.imwrite(str(root / sub / 'town' / f'a.b{suffix}'), np.zeros((24, 32), np.uint8))
    (root / 'train.txt').write_text('town/a.b\n\ntrain_0\n')
    dataset = FolderDataset(root)
    assert [Path(dataset.get_data_info(i)['img_path']).name for i in range(2)] == ['a.b.PNG', 'train_0.jpg']


def test_a_folder_of_the_name_of_the_space_in_the_working_directory(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder('street')
    monkeypatch.chdir(root.parent)  # mmengine tries to open strings in metainfo as files
    assert FolderDataset('street').metainfo['label_space'] == 'street'


def test_an_ignored_id_beside_255(make_folder: MakeFolder) -> None:
    root = make_folder(train=1, ignore=9)
    cv2.imwrite(str(root / 'labels' / 'train_0.png'), np.full((24, 32), 9, np.uint8))
    pipeline = [dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')]
    assert (FolderDataset(root, pipeline=pipeline)[0]['gt_seg_map'] == 255).all()


def test_an_ignored_id_of_labels_that_start_at_1(make_folder: MakeFolder) -> None:
    root = make_folder(train=1, ignore=9)
    labels = np.full((24, 32), 9, np.uint8)
    labels[0, :4] = [0, 1, 3, 255]
    cv2.imwrite(str(root / 'labels' / 'train_0.png'), labels)
    pipeline = [dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')]
    loaded = FolderDataset(root, pipeline=pipeline, reduce_zero_label=True)[0]['gt_seg_map']
    assert loaded[0, :5].tolist() == [255, 0, 2, 255, 255]
    assert (loaded[1:] == 255).all()
    (root / 'classes.json').write_text('{"classes": ["road", "sky", "car"], "ignore": 3}')
    FolderDataset(root)
    with pytest.raises(DataError, match=r'"ignore" is 3; it must be an id from 4'):
        FolderDataset(root, reduce_zero_label=True)


def test_metainfo_renames_the_space_and_adds_to_it(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder('street')
    monkeypatch.chdir(root)
    dataset = FolderDataset(root, metainfo=dict(label_space='town', licence='train.txt'))
    assert dataset.space.name == dataset.metainfo['label_space'] == 'town'
    assert dataset.space.classes == ('road', 'sky', 'car')
    assert dataset.metainfo['licence'] == 'train.txt'  # no file to be read
    with pytest.raises(LabelSpaceError, match=r"classes\.json: metainfo=\{'classes': \.\.\.\} would contradict it"):
        FolderDataset(root, metainfo=dict(classes=['a']))


def test_things_of_the_config(make_folder: MakeFolder) -> None:
    root = make_folder('street')
    assert FolderDataset(root).metainfo['thing_classes'] == []
    dataset = FolderDataset(root, things=['car', 'sky'])
    assert dataset.space == LabelSpace.from_config(dict(path=root, things=['sky', 'car']))
    assert dataset.metainfo['is_thing'] == [False, True, True]
    assert dataset.get_data_info(0)['spaces'] == (dataset.space,)
    with pytest.raises(
        LabelSpaceError, match=r"classes\.json: .*things name the unknown class 'cra'.*Did you mean: car"
    ):
        FolderDataset(root, things=['cra'])
    (root / 'classes.json').write_text(json.dumps(dict(classes=['road', 'sky', 'car'], things=['car'])))
    assert FolderDataset(root, things=['car']).space.things == ('car',)
    with pytest.raises(
        LabelSpaceError, match=r'classes\.json: its things are car, but the config says sky; leave them'
    ):
        FolderDataset(root, things=['sky'])


def test_instances_are_looked_for_where_there_is_a_folder_of_them(make_folder: MakeFolder) -> None:
    root = make_folder(train=2, val=0)
    assert 'panoptic_path' not in FolderDataset(root).get_data_info(0)
    (root / 'instances').mkdir()
    cv2.imwrite(str(root / 'instances' / 'train_0.png'), np.zeros((24, 32), np.uint8))
    with pytest.raises(DataError, match=r"train\.txt: no instance map for 'train_1' in .*instances \(1 of 2 missing\)"):
        FolderDataset(root)
    cv2.imwrite(str(root / 'instances' / 'train_1.png'), np.zeros((24, 32), np.uint8))
    assert FolderDataset(root).get_data_info(1)['panoptic_path'] == str(root / 'instances' / 'train_1.png')


def test_lazy_init_reads_no_list(make_folder: MakeFolder) -> None:
    root = make_folder()
    (root / 'train.txt').unlink()
    dataset = FolderDataset(root, lazy_init=True)
    with pytest.raises(DataError, match='no such split file'):
        dataset.full_init()


def _remove(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


def _write(path: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / path).write_text(text) and None


@pytest.mark.parametrize(
    ('damage', 'error', 'message'),
    [
        (_remove('classes.json'), LabelSpaceError, r'classes\.json: no such file'),
        (_write('classes.json', '{"classes": ['), LabelSpaceError, r'classes\.json: not valid JSON'),
        (_write('classes.json', '{"names": []}'), LabelSpaceError, r'needs the key "classes"'),
        (_write('classes.json', '{"classes": []}'), LabelSpaceError, r'classes\.json.*no classes'),
        (_write('classes.json', '{"classes": ["a", "A"]}'), LabelSpaceError, r"'a' and 'A'"),
        (_write('classes.json', '{"classes": ["a", "b"], "ignore": 1}'), DataError, r'"ignore" is 1.*from 2'),
        (_remove('train.txt'), DataError, r'train\.txt: no such split file; splits found there: val'),
        (_write('train.txt', '\n'), DataError, r'train\.txt: names no sample'),
        (_write('train.txt', 'train_0\ntrain_1\ntrain_0\n'), DataError, r"lists 'train_0' more than once"),
        (_write('train.txt', 'train_0.jpg\n'), DataError, r"no image for 'train_0\.jpg'.*without suffix: 'train_0'"),
        (_write('train.txt', 'trian_0\n'), DataError, r"no image for 'trian_0'.*Did you mean: train_0"),
        (_remove('images/train_1.jpg'), DataError, r"no image for 'train_1' in .*images \(1 of 4 missing\)"),
        (_remove('labels/train_1.png'), DataError, r"no label for 'train_1' in .*labels"),
        (
            lambda root: (root / 'labels/train_1.png').rename(root / 'labels/train_1.JPG') and None,
            DataError,
            r"no label for 'train_1'.* There is train_1\.JPG, which smears ids .*; files here end in \.png, \.tif",
        ),
        (_write('images/train_1.png', ''), DataError, r"both the sample 'train_1'"),
    ],
)
def test_bad_folders(
    make_folder: MakeFolder, damage: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    root = make_folder()
    damage(root)
    with pytest.raises(error, match=message):
        FolderDataset(root)


@pytest.mark.parametrize('name', [r'town\train_0', r'town\train_0.jpg', 'town/train_0.jpg'])
def test_names_as_windows_writes_paths_are_put_right(make_folder: MakeFolder, name: str) -> None:
    root = make_folder()
    for folder, suffix in (('images', 'jpg'), ('labels', 'png')):
        (root / folder / 'town').mkdir()
        (root / folder / f'train_0.{suffix}').rename(root / folder / 'town' / f'train_0.{suffix}')
    (root / 'train.txt').write_text(f'{name}\n')
    with pytest.raises(DataError, match=r"with '/' and without suffix: 'town/train_0'"):
        FolderDataset(root)


def test_missing_folders(make_folder: MakeFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match='nowhere: no such folder'):
        FolderDataset(tmp_path / 'nowhere')
    root = make_folder()
    (root / 'labels').rename(root / 'annotations')
    with pytest.raises(DataError, match='labels: no such folder'):
        FolderDataset(root)
