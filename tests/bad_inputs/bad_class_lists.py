"""Label spaces and class lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refusals import Refusals

from mmlmseg.datasets import FolderDataset, MultiDataset
from mmlmseg.errors import DataError, LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace

REFUSALS = Refusals()


def described(content: Any) -> Callable[[Path], None]:
    """Reads a ``classes.json`` of some content: text and bytes as they are, all else as JSON."""

    def read(folder: Path) -> None:
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        (folder / 'classes.json').write_bytes(text if isinstance(text, bytes) else text.encode())
        LabelSpace.from_json(folder)

    return read


@REFUSALS.by(LabelSpaceError, 'Traffic Light', 'traffic_light')
def two_classes_of_one_meaning(folder: Path) -> None:
    LabelSpace.create('streets', ['Traffic Light', 'traffic_light'])


FILES: dict[str, tuple[Any, tuple[str, ...]]] = {
    'classes_are_numbers': (dict(classes=[0, 1]), ('classes must be a list of names (text)', 'entry 0 is 0')),
    'a_class_is_null': (dict(classes=['road', None]), ('entry 1 is null',)),
    'classes_are_objects': (dict(classes=[dict(id=0, name='road')]), ('entry 0 is {"id": 0, "name": "road"}',)),
    'classes_are_one_text': (dict(classes='road, sky'), ('must be a list of names', '"road, sky"')),
    'things_say_yes_and_no': (dict(classes=['road'], things={'road': 0}), ('things must be a list of names',)),
    'things_are_indices': (dict(classes=['road'], things=[0]), ('things', 'entry 0 is 0')),
    'an_unknown_thing': (dict(classes=['road', 'car'], things=['cars']), ("'cars'", 'Did you mean: car?')),
    'synonyms_are_one_text': (dict(classes=['car'], synonyms={'car': 'auto'}), ("synonyms of 'car'", '"auto"')),
    'synonyms_are_a_list': (dict(classes=['car'], synonyms=[['car', 'auto']]), ('synonyms are [["car", "auto"]]',)),
    'a_misspelt_key': (dict(classes=['car'], thing=['car']), ("unknown key 'thing'", "write 'things'")),
    'a_key_of_configs': (dict(classes=['car'], thing_classes=['car']), ("key 'thing_classes'", "write 'things'")),
    'colours_with_alpha': (dict(classes=['car'], palette=[[1, 2, 3, 4]]), ('colour 0 is [1, 2, 3, 4]', '0 to 255')),
    'colours_as_fractions': (dict(classes=['car'], palette=[[0.5, 0, 1]]), ('colour 0', 'whole numbers from 0 to 255')),
    'a_colour_too_few': (dict(classes=['car', 'sky'], palette=[[1, 2, 3]]), ('1 colours for 2 classes',)),
    'a_name_that_leaves_the_folder': (dict(classes=['car'], name='../../x'), ("'../../x'", 'slashes')),
    'a_name_of_blanks': (dict(classes=['car'], name='  '), ('needs a name',)),
    'a_name_that_is_a_number': (dict(classes=['car'], name=5), ('needs a name', 'got 5')),
    'a_key_twice': ('{"classes": ["car"], "classes": ["sky"]}', ("key 'classes' stands twice",)),
    'another_encoding': ('{"classes": ["Straße"]}'.encode('latin-1'), ('not UTF-8', 'save it as UTF-8')),
    'brackets_without_end': ('{"classes": ' + '[' * 100000 + ']' * 100000 + '}', ('not valid JSON', 'too deep')),
}
for _name, (_content, _words) in FILES.items():
    _read = described(_content)
    _read.__name__ = _name
    REFUSALS.by(LabelSpaceError, 'classes.json: ', *_words)(_read)


@REFUSALS.by(DataError, 'classes.json: "ignore" is true', 'from 1')
def an_ignored_id_that_is_no_number(folder: Path) -> None:
    (folder / 'classes.json').write_text('{"classes": ["car"], "ignore": true}')
    FolderDataset(folder)


@REFUSALS.by(OptionError, "unknown key 'thing'", 'Did you mean: things?')
def a_misspelt_argument_of_a_config(folder: Path) -> None:
    LabelSpace.from_config(dict(dataset='CityscapesDataset', thing=['car']))


@REFUSALS.by(LabelSpaceError, 'its things are', 'car', 'the config says sky')
def things_against_those_of_a_dataset(folder: Path) -> None:
    LabelSpace.from_config(dict(dataset='mmlmseg.CityscapesPanopticDataset', things=['sky']))


@REFUSALS.by(LabelSpaceError, 'is_thing has 1 entries for 2 classes')
def a_record_of_a_space_that_does_not_fit(folder: Path) -> None:
    space = LabelSpace.create('s', ['sky', 'car']).to_dict()
    LabelSpace.from_config({**space, 'is_thing': [True]})


def folder_named(path: Path, name: str) -> str:
    """A folder dataset that holds no more than its classes."""
    (path / name).mkdir()
    (path / name / 'classes.json').write_text('{"classes": ["sky"]}')
    return str(path / name)


@REFUSALS.by(DataError, "a dataset is named 'mean'", 'the means over all datasets')
def a_dataset_named_as_the_means(folder: Path) -> None:
    MultiDataset([dict(type='mmlmseg.FolderDataset', data_root=folder_named(folder, 'mean'))], lazy_init=True)


@REFUSALS.by(LabelSpaceError, "the name 'city/a'", 'without slashes')
def a_dataset_whose_name_is_a_path(folder: Path) -> None:
    config = dict(type='mmlmseg.FolderDataset', data_root=folder_named(folder, 'city'))
    MultiDataset([config], names=['city/a'], lazy_init=True)


@REFUSALS.by(LabelSpaceError, "'../x'", 'slashes')
def a_label_space_of_a_config_whose_name_is_a_path(folder: Path) -> None:
    FolderDataset(folder_named(folder, 'city'), metainfo=dict(label_space='../x'), lazy_init=True)
