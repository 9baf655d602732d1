"""What the doctor cannot look at at all; what is wrong with data is a finding, see tests/doctor/."""

from __future__ import annotations

from pathlib import Path

from refusals import Refusals

from mmlmseg.doctor import sources_of
from mmlmseg.errors import OptionError

REFUSALS = Refusals()


def config(folder: Path, text: str) -> None:
    (folder / 'config.py').write_text(text)
    sources_of([str(folder / 'config.py')])


@REFUSALS.by(OptionError, 'nowhere', 'no such file or folder', 'give a config, or the folder of a dataset')
def no_such_target(folder: Path) -> None:
    sources_of(['nowhere'])


@REFUSALS.by(OptionError, 'other', 'no such file or folder')
def one_of_several_targets_is_missing(folder: Path) -> None:
    (folder / 'streets').mkdir()
    sources_of([str(folder / 'streets'), str(folder / 'other')])


@REFUSALS.by(OptionError, 'config.py', 'names no dataset', 'train_dataloader')
def a_config_without_data(folder: Path) -> None:
    config(folder, 'model = dict()')


@REFUSALS.by(OptionError, 'config.py', "train_dataloader has no 'dataset'")
def a_loader_without_a_dataset(folder: Path) -> None:
    config(folder, 'train_dataloader = dict(batch_size=2)')


@REFUSALS.by(OptionError, 'config.py', 'train_dataloader', 'must be a dict')
def a_loader_that_is_none(folder: Path) -> None:
    config(folder, 'train_dataloader = ["streets"]')


@REFUSALS.by(OptionError, 'config.py', 'datasets', '2 names for 1 datasets')
def names_that_do_not_fit(folder: Path) -> None:
    config(folder, 'train_dataloader = dict(dataset=dict(datasets=[dict(type="x")], names=["a", "b"]))')


@REFUSALS.by(OptionError, 'config.py, line 1')
def a_config_with_a_fault(folder: Path) -> None:
    config(folder, 'train_dataloader = 1 / 0')


@REFUSALS.by(OptionError, 'notes.txt', 'is no config file, which ends in .py')
def a_file_of_another_kind(folder: Path) -> None:
    (folder / 'notes.txt').write_text('streets')
    sources_of([str(folder / 'notes.txt')])


@REFUSALS.by(OptionError, 'captions.json', 'names no dataset')
def a_json_file_of_something_else(folder: Path) -> None:
    (folder / 'captions.json').write_text('{"info": {}}')
    sources_of([str(folder / 'captions.json')])


@REFUSALS.by(OptionError, 'broken_base.py', '_base_')
def a_config_whose_base_is_missing(folder: Path) -> None:
    (folder / 'broken_base.py').write_text('_base_ = "missing.py"')
    sources_of([str(folder / 'broken_base.py')])
