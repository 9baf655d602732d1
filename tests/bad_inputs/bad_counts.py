"""Files of what models found, and models that do not stand against each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from refusals import Refusals

from mmlmseg.errors import DataError, OptionError
from mmlmseg.gains.archive import read_counts, save_counts
from mmlmseg.gains.counts import CountedModel, ImageCounts
from mmlmseg.gains.differences import differences
from mmlmseg.gains.pairing import Pair, pairs_of
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.relations import NO_RELATIONS

REFUSALS = Refusals()
AREAS = [[[5, 6, 9], [3, 7, 4]], [[0, 0, 4], [9, 13, 9]]]  # of two images and two classes: right, found, true
AGAIN = 'count the model again with tools/analysis/transfer.py'


def model(areas: Any = AREAS) -> CountedModel:
    """One that was trained on streets, and found something in two images of them."""
    spaces = LabelSpaces([LabelSpace.create('street', ['sky', 'car'])])
    found = ImageCounts('street', 'street', ('sky', 'car'), ('a.png', 'b.png'), torch.tensor(areas))
    return CountedModel('m', spaces, NO_RELATIONS, 'digest', torch.eye(2), (found,))


def read_with(folder: Path, **changed: Any) -> CountedModel:
    """Reads counts some of whose arrays are others, or none; ``__`` stands for the slash in their names."""
    save_counts(folder / 'good.npz', model())
    with np.load(folder / 'good.npz') as content:
        arrays = dict(content)
    arrays |= {key.replace('__', '/'): value for key, value in changed.items()}
    np.savez(folder / 'counts.npz', **{key: value for key, value in arrays.items() if value is not None})
    return read_counts(folder / 'counts.npz')


def read_with_record(folder: Path, **changed: Any) -> CountedModel:
    """Reads counts whose record of the model says something else."""
    save_counts(folder / 'good.npz', model())
    with np.load(folder / 'good.npz') as content:
        record = json.loads(str(content['model']))
    return read_with(folder, model=np.array(json.dumps({**record, **changed})))


@REFUSALS.by(DataError, 'counts.npz', 'no such file', AGAIN)
def no_file(folder: Path) -> None:
    read_counts(folder / 'counts.npz')


@REFUSALS.by(DataError, 'counts.npz', 'holds no counts', 'damaged')
def a_text(folder: Path) -> None:
    (folder / 'counts.npz').write_text('no archive')
    read_counts(folder / 'counts.npz')


@REFUSALS.by(DataError, 'good.npz', 'damaged', AGAIN)
def half_a_file(folder: Path) -> None:
    save_counts(folder / 'good.npz', model())
    content = (folder / 'good.npz').read_bytes()
    (folder / 'good.npz').write_bytes(content[: len(content) // 2])
    read_counts(folder / 'good.npz')


@REFUSALS.by(DataError, 'good.npz', 'damaged', AGAIN)
def a_file_with_a_byte_changed(folder: Path) -> None:
    save_counts(folder / 'good.npz', model())
    content = bytearray((folder / 'good.npz').read_bytes())
    content[60] ^= 255
    (folder / 'good.npz').write_bytes(content)
    read_counts(folder / 'good.npz')


@REFUSALS.by(DataError, 'counts.npz', 'holds ["embeddings"]', 'not a .npz of counts')
def an_archive_of_something_else(folder: Path) -> None:
    np.savez(folder / 'counts.npz', embeddings=np.ones((3, 2)))
    read_counts(folder / 'counts.npz')


@REFUSALS.by(DataError, 'counts.npz', 'a single array, not a .npz')
def a_single_array(folder: Path) -> None:
    with (folder / 'counts.npz').open('wb') as file:
        np.save(file, np.ones(3))
    read_counts(folder / 'counts.npz')


@REFUSALS.by(DataError, 'counts.npz', 'damaged', 'Object arrays cannot be loaded')
def objects_that_would_run_code(folder: Path) -> None:
    read_with(folder, street__images=np.array(['a.png', None], dtype=object))


@REFUSALS.by(DataError, 'counts.npz', 'is of format 2, this version reads 1', AGAIN)
def a_later_format(folder: Path) -> None:
    read_with_record(folder, format=2)


@REFUSALS.by(DataError, 'counts.npz', 'no record of a model', AGAIN)
def an_earlier_format(folder: Path) -> None:
    read_with(folder, model=None, rows=None, street__label_space=np.array('street'))


@REFUSALS.by(DataError, 'counts.npz', 'record of the model is no JSON')
def a_record_that_is_none(folder: Path) -> None:
    read_with(folder, model=np.array('{'))


@REFUSALS.by(DataError, 'counts.npz', 'has label_spaces = null')
def a_record_without_label_spaces(folder: Path) -> None:
    read_with_record(folder, label_spaces=None)


@REFUSALS.by(DataError, 'counts.npz', 'its record of the model cannot be read', 'needs at least one label space')
def a_record_of_no_label_space(folder: Path) -> None:
    read_with_record(folder, label_spaces=[])


@REFUSALS.by(DataError, 'counts.npz', 'relations: ', "'inside_of'", 'Did you mean')
def relations_of_another_kind(folder: Path) -> None:
    read_with_record(folder, relations={'inside_of': []})


@REFUSALS.by(DataError, 'counts.npz', "no label space of the model has a class 'street:cart'", 'street:car')
def relations_of_an_unknown_class(folder: Path) -> None:
    read_with_record(folder, relations={'same': [['street:cart', 'street:sky']]})


@REFUSALS.by(DataError, 'counts.npz', 'holds no dataset')
def no_dataset(folder: Path) -> None:
    read_with_record(folder, datasets={})


@REFUSALS.by(DataError, 'counts.npz', 'farm: its areas, images, classes are missing')
def a_dataset_that_is_only_named(folder: Path) -> None:
    read_with_record(folder, datasets={'street': 'street', 'farm': 'street'})


@REFUSALS.by(DataError, 'counts.npz', 'street: is of label space "land", the model knows street')
def a_dataset_of_an_unknown_label_space(folder: Path) -> None:
    read_with_record(folder, datasets={'street': 'land'})


@REFUSALS.by(DataError, 'counts.npz', 'street: its classes are not those', "id 1: 'car' there, 'cow' here")
def classes_of_another_label_space(folder: Path) -> None:
    read_with(folder, street__classes=np.array(['sky', 'cow']))


@REFUSALS.by(DataError, 'counts.npz', 'street: its images are int64 (2,), not a list of names')
def images_that_are_numbers(folder: Path) -> None:
    read_with(folder, street__images=np.array([1, 2]))


@REFUSALS.by(DataError, 'counts.npz', 'street: holds no image')
def no_image(folder: Path) -> None:
    read_with(folder, street__images=np.array([], dtype='U5'), street__areas=np.zeros((0, 2, 3), np.int64))


@REFUSALS.by(DataError, 'counts.npz', 'text rows are float32 (3, 3)', '[2, width]')
def rows_of_more_classes(folder: Path) -> None:
    read_with(folder, rows=np.eye(3, dtype=np.float32))


@REFUSALS.by(DataError, 'counts.npz', 'text rows', 'finite')
def rows_that_are_no_numbers(folder: Path) -> None:
    read_with(folder, rows=np.full((2, 3), np.nan, dtype=np.float32))


AREAS_OF_NOTHING: dict[str, tuple[Any, tuple[str, ...]]] = {
    'areas_with_fractions': (np.array(AREAS, dtype=float), ('float64', 'int64 (2, 2, 3)')),
    'areas_of_fewer_images': (np.array(AREAS[:1]), ('int64 (1, 2, 3)', '2 images of 2 classes')),
    'areas_of_more_classes': (np.array(AREAS).repeat(2, 1), ('int64 (2, 4, 3)', '2 images of 2 classes')),
    'areas_in_another_order': (np.array(AREAS).transpose(0, 2, 1), ('int64 (2, 3, 2)', 'int64 (2, 2, 3)')),
    'areas_below_none': (
        np.array([AREAS[0], [[-1, 0, 4], [9, 13, 9]]]),
        ("b.png, class 'sky': -1 right, 0 found, 4 true", 'none is below 0'),
    ),
    'more_right_than_found': (
        np.array([[[7, 6, 9], [3, 7, 4]], AREAS[1]]),
        ("a.png, class 'sky': 7 right, 6 found", 'no more are right'),
    ),
    'more_right_than_true': (
        np.array([[[5, 6, 9], [5, 7, 4]], AREAS[1]]),
        ("a.png, class 'car': 5 right, 7 found, 4 true", 'no more are right'),
    ),
    'more_found_than_annotated': (
        np.array([AREAS[0], [[0, 5, 4], [9, 13, 9]]]),
        ('b.png: 18 pixels are found as some class, 13 are of one', 'both are the annotated pixels'),
    ),
}


def areas(value: Any) -> Callable[[Path], Any]:
    """Reads counts with such areas."""
    return lambda folder: read_with(folder, street__areas=value)


for _name, (_value, _words) in AREAS_OF_NOTHING.items():
    _read = areas(_value)
    _read.__name__ = _name
    REFUSALS.by(DataError, 'counts.npz: street: ', *_words, AGAIN)(_read)


@REFUSALS.by(OptionError, '--single, street: m and m found the same', 'give each once')
def a_training_as_two_seeds(folder: Path) -> None:
    pairs_of([model()], [model(), model()])


@REFUSALS.by(OptionError, '--joint: m (trained on street) and n (trained on street) are not built alike', 'one of them')
def two_models_as_two_seeds(folder: Path) -> None:
    pairs_of([model(), replace(model(), name='n', architecture='other')], [model()])


@REFUSALS.by(DataError, 'street: the truth of the models differs', 'count all on the same labels')
def two_truths(folder: Path) -> None:
    other = model([AREAS[0], [[0, 0, 3], [9, 13, 10]]])
    differences(Pair('street', model().datasets, other.datasets, ('m',), ('street',)))
