"""Names in files of somebody else's that would lead out of their folders."""

from __future__ import annotations

import json
from pathlib import Path

from refusals import Refusals

from mmlmseg.datasets import FolderDataset
from mmlmseg.datasets.coco_annotations import file_of
from mmlmseg.datasets.folder import read_split
from mmlmseg.errors import DataError

REFUSALS = Refusals()
OUTSIDE = 'leads out of the folder; name samples by their path below images/'


def split(folder: Path, *names: str) -> Path:
    (folder / 'train.txt').write_text('\n'.join(names) + '\n')
    return folder / 'train.txt'


@REFUSALS.by(DataError, 'train.txt', "'../other/a'", OUTSIDE)
def a_sample_of_the_folder_above(folder: Path) -> None:
    read_split(split(folder, 'a', '../other/a'))


@REFUSALS.by(DataError, "'town/../../a'", OUTSIDE)
def a_sample_by_a_detour(folder: Path) -> None:
    read_split(split(folder, 'town/../../a'))


@REFUSALS.by(DataError, "'/etc/a'", OUTSIDE)
def a_sample_by_its_absolute_path(folder: Path) -> None:
    read_split(split(folder, '/etc/a'))


@REFUSALS.by(DataError, "'C:/data/a'", OUTSIDE)
def a_sample_on_another_drive(folder: Path) -> None:
    read_split(split(folder, 'C:/data/a'))


@REFUSALS.by(DataError, r"'..\\other\\a'", OUTSIDE)
def a_sample_as_windows_writes_it(folder: Path) -> None:
    read_split(split(folder, r'..\other\a'))


@REFUSALS.by(DataError, "'../a'", OUTSIDE)
def a_dataset_that_lists_one(folder: Path) -> None:
    for kind in ('images', 'labels'):
        (folder / kind).mkdir()
    (folder / 'classes.json').write_text(json.dumps(dict(classes=['sky'])))
    split(folder, '../a')
    FolderDataset(folder)


@REFUSALS.by(DataError, "'../../label.png' leads out of the folder; give the name of a file below it")
def a_file_name_in_coco_json(folder: Path) -> None:
    file_of(dict(file_name='../../label.png'))
