"""Weights of classes, repeat factors of images, and what they are counted from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from bad_configs import STEPS, check, loader
from bad_options import HEAD
from mmengine.registry import DefaultScope
from PIL import Image
from refusals import Refusals

from mmlmseg.class_weights import ClassWeights
from mmlmseg.datasets import MultiDataset, PerImageSampler
from mmlmseg.datasets.presence_file import write_presence
from mmlmseg.errors import DataError, OptionError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.criterion import PointCriterion
from mmlmseg.registry import MODELS

REFUSALS = Refusals()

SPACES = LabelSpaces([LabelSpace.create('street', ['sky', 'car']), LabelSpace.create('facade', ['wall', 'window'])])


def weights(spec: Any) -> None:
    ClassWeights(spec, SPACES)


def sampler(**options: Any) -> None:
    own = dict(type='mmlmseg.PerImageSampler', **options)
    check(train_dataloader={**loader(), 'sampler': own})


def streets(folder: Path, ids: int = 1, ignore: int = 255, **more: Any) -> MultiDataset:
    """Two classes, on an image of one pixel of each of some ids."""
    root = folder / 'streets'
    for part in ('images', 'labels'):
        (root / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((1, ids, 3), np.uint8)).save(root / 'images' / 'a.png')
    Image.fromarray(np.arange(ids, dtype=np.uint8)[None]).save(root / 'labels' / 'a.png')
    (root / 'train.txt').write_text('a')
    (root / 'classes.json').write_text(json.dumps(dict(classes=['sky', 'car'], ignore=ignore)))
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MultiDataset([dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=STEPS)], **more)


@REFUSALS.by(OptionError, 'PointCriterion', 'class_weight', 'decode_head.class_weights = dict(SPACE=[...])')
def class_weights_as_mmseg_writes_them(folder: Path) -> None:
    PointCriterion(class_weight=[1.0, 5.0])


@REFUSALS.by(OptionError, 'mmlmseg.SetCriterion', "'class_weights'", 'Did you mean: class_weight')
def class_weights_of_the_criterion(folder: Path) -> None:
    MODELS.build({**HEAD, 'criterion': dict(type='mmlmseg.SetCriterion', class_weights=dict(a=[1, 2]))})


@REFUSALS.by(OptionError, 'class_weights = [1.0, 5.0]', 'dict(street=...)')
def a_list_without_a_label_space(folder: Path) -> None:
    weights([1.0, 5.0])


@REFUSALS.by(OptionError, "unknown label space 'streets'", 'street, facade', 'Did you mean: street?')
def weights_of_an_unknown_space(folder: Path) -> None:
    weights(dict(streets=[1.0, 5.0]))


@REFUSALS.by(OptionError, "class_weights of 'facade'", "unknown class 'windows'", 'Did you mean: window?')
def a_weight_of_an_unknown_class(folder: Path) -> None:
    weights(dict(facade=dict(windows=5.0)))


@REFUSALS.by(OptionError, "class_weights of 'street'", '3 numbers for 2 classes')
def too_many_weights_of_classes(folder: Path) -> None:
    weights(dict(street=[1.0, 5.0, 1.0]))


@REFUSALS.by(OptionError, "class_weights of 'street'", "'car' weighs -1", 'not negative')
def a_negative_weight_of_a_class(folder: Path) -> None:
    weights(dict(street=[1.0, -1]))


@REFUSALS.by(OptionError, "'car' weighs inf", 'finite')
def an_infinite_weight_of_a_class(folder: Path) -> None:
    weights(dict(street=dict(car=float('inf'))))


@REFUSALS.by(OptionError, "'sky' weighs 'much'", 'a finite number')
def a_word_for_the_weight_of_a_class(folder: Path) -> None:
    weights(dict(street=dict(sky='much')))


@REFUSALS.by(OptionError, "class_weights of 'street' = 5.0", 'by class name')
def one_weight_for_all_classes(folder: Path) -> None:
    weights(dict(street=5.0))


@REFUSALS.by(OptionError, "by 'frequencies'", 'Did you mean: frequency?')
def weights_by_something_unknown(folder: Path) -> None:
    weights(dict(by='frequencies'))


@REFUSALS.by(OptionError, "class_weights of 'facade'", "'pow'", 'Did you mean: power')
def a_misspelt_key_of_a_frequency(folder: Path) -> None:
    weights(dict(facade=dict(by='frequency', pow=0.5)))


@REFUSALS.by(OptionError, 'cap = 0.5', 'from 1 on')
def a_cap_below_one(folder: Path) -> None:
    weights(dict(by='frequency', cap=0.5))


@REFUSALS.by(OptionError, 'power = -1', 'from 0 on')
def rare_classes_that_weigh_less(folder: Path) -> None:
    weights(dict(by='frequency', power=-1))


@REFUSALS.by(OptionError, 'model.decode_head', "unknown label space 'stret'", 'Did you mean: streets?')
def weights_of_a_space_that_no_dataset_has(folder: Path) -> None:
    backbone = dict(type='mmseg.ResNet', depth=18)
    head = {key: value for key, value in HEAD.items() if key != 'label_spaces'} | dict(class_weights=dict(stret=[1]))
    check(model=dict(type='mmlmseg.MultiSpaceSegmentor', backbone=backbone, decode_head=head))


@REFUSALS.by(OptionError, 'train_dataloader.sampler', "unknown dataset 'stret'", 'streets', 'Did you mean: streets?')
def images_of_an_unknown_dataset_repeated(folder: Path) -> None:
    sampler(repeat=dict(stret=0.01))


@REFUSALS.by(DataError, 'train_dataloader.sampler', "unknown dataset 'stret'", 'Did you mean: streets?')
def an_unknown_dataset_drawn_more_often(folder: Path) -> None:
    sampler(ratio=dict(stret=2))


@REFUSALS.by(OptionError, "repeat = 5 for dataset 'streets'", 'from 0 to 1')
def a_number_of_repetitions_for_a_share(folder: Path) -> None:
    sampler(repeat=5)


@REFUSALS.by(OptionError, "repeat = 'lvis'", 'such as 0.01')
def a_word_for_a_share(folder: Path) -> None:
    sampler(repeat='lvis')


@REFUSALS.by(OptionError, 'repeat', 'mmlmseg.MultiDataset', 'list')
def images_of_another_dataset_repeated(folder: Path) -> None:
    PerImageSampler(['a', 'b'], repeat=0.1)


@REFUSALS.by(DataError, 'class_presence', 'counts.json does not exist', 'class_frequencies.py')
def a_file_of_counts_that_is_not_there(folder: Path) -> None:
    joined = dict(loader()['dataset'], class_presence='counts.json')
    check(train_dataloader={**loader(), 'dataset': joined})


@REFUSALS.by(DataError, 'sample 0: image', 'a.png', 'label id 2', 'outside the label space')
def labels_outside_of_the_space_as_they_are_counted(folder: Path) -> None:
    PerImageSampler(streets(folder, ids=3), repeat=0.5)


@REFUSALS.by(DataError, 'counts.json', "knows nothing of dataset 'streets'", 'only of towns', 'count again')
def counts_of_another_dataset(folder: Path) -> None:
    write_presence(streets(folder, names=['towns']), 'counts.json')
    PerImageSampler(streets(folder, class_presence='counts.json'), repeat=0.5)


@REFUSALS.by(DataError, 'counts.json', "other samples of dataset 'streets'", 'ignore', 'count again')
def counts_of_ids_read_another_way(folder: Path) -> None:
    write_presence(streets(folder), 'counts.json')
    PerImageSampler(streets(folder, ignore=2, class_presence='counts.json'), repeat=0.5)


@REFUSALS.by(DataError, 'counts.json', "was not counted on the 2 images of dataset 'streets'", 'count again')
def counts_of_fewer_images(folder: Path) -> None:
    write_presence(streets(folder), 'counts.json')
    twice = streets(folder, class_presence='counts.json')
    twice.sizes = [2]
    PerImageSampler(twice, repeat=0.5)


@REFUSALS.by(DataError, 'counts.json', 'other samples', 'before they were changed', 'count again')
def counts_of_labels_that_were_changed(folder: Path) -> None:
    write_presence(streets(folder, ids=1), 'counts.json')
    PerImageSampler(streets(folder, ids=2, class_presence='counts.json'), repeat=0.5)


@REFUSALS.by(DataError, "dataset 'streets'", 'get_cat_ids', 'sampler=dict(repeat=...)')
def images_repeated_as_mmdet_writes_it(folder: Path) -> None:
    (own,) = streets(folder).datasets
    part = dict(type='mmlmseg.FolderDataset', data_root=own.data_root, pipeline=[])
    MultiDataset([dict(type='ClassBalancedDataset', oversample_thr=0.01, dataset=part)])


@REFUSALS.by(DataError, 'counts.json', 'other classes', 'count again')
def counts_of_other_classes(folder: Path) -> None:
    write_presence(streets(folder), 'counts.json')
    content = json.loads(Path('counts.json').read_text())
    content['streets']['classes'] = ['car', 'sky']
    Path('counts.json').write_text(json.dumps(content))
    PerImageSampler(streets(folder, class_presence='counts.json'), repeat=0.5)


@REFUSALS.by(DataError, 'counts.json', 'image 0 holds [7]', 'below 2')
def counts_of_a_class_that_there_is_not(folder: Path) -> None:
    write_presence(streets(folder), 'counts.json')
    content = json.loads(Path('counts.json').read_text())
    content['streets']['images'] = [[7]]
    Path('counts.json').write_text(json.dumps(content))
    PerImageSampler(streets(folder, class_presence='counts.json'), repeat=0.5)
