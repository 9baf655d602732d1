"""The comparison of datasets and model at the start of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import nn

from mmlmseg.datasets import MultiDataset
from mmlmseg.engine.hooks import CheckLabelSpacesHook, check_same_label_spaces
from mmlmseg.errors import CheckpointError, LabelSpaceError
from mmlmseg.label_space import LabelSpace, LabelSpaces

STREET = LabelSpace.create('street', ['sky', 'road', 'car'], things=['car'])
FACADE = LabelSpace.create('facade', ['wall', 'window'])


def datasets(*spaces: LabelSpace) -> Any:
    """What the hook reads of a MultiDataset."""
    made = MultiDataset.__new__(MultiDataset)
    made.names, made.spaces = [space.name for space in spaces], [(space,) for space in spaces]
    return made


def test_the_same_label_spaces_pass() -> None:
    check_same_label_spaces(LabelSpaces([STREET, FACADE]), datasets(FACADE))


@pytest.mark.parametrize(
    ('theirs', 'message'),
    [
        (
            LabelSpace.create('streets', ['sky']),
            "dataset 'streets': unknown label space 'streets'.*Did you mean: street.*Choose with --datasets",
        ),
        (
            LabelSpace.create('street', ['road', 'sky', 'car'], things=['car']),
            "dataset 'street': by label space 'street' it means other classes.*id 0: 'road' there, 'sky' here",
        ),
        (LabelSpace.create('street', ['sky', 'road']), '2 classes there, 3 here'),
        (
            LabelSpace.create('street', ['sky', 'road', 'car']),
            "things of its label space 'street' are none, those of the model car",
        ),
    ],
)
def test_other_label_spaces_are_refused(theirs: LabelSpace, message: str) -> None:
    with pytest.raises(LabelSpaceError, match=message):
        check_same_label_spaces(LabelSpaces([STREET, FACADE]), datasets(FACADE, theirs))


def loop(*spaces: LabelSpace) -> Any:
    return SimpleNamespace(dataloader=SimpleNamespace(dataset=datasets(*spaces)))


def test_a_training_compares_the_validation_too() -> None:
    """Below wrappers, and before the first step."""
    wrapped = SimpleNamespace(module=SimpleNamespace(label_spaces=LabelSpaces([STREET, FACADE])))
    other = LabelSpace.create('facade', ['window', 'wall'])
    loops = dict(train_loop=loop(STREET), val_loop=loop(FACADE), test_loop=loop(other))
    runner: Any = SimpleNamespace(model=wrapped, cfg=Config(), **loops)
    hook = CheckLabelSpacesHook()
    hook.before_train(runner)
    hook.before_val(runner)
    with pytest.raises(LabelSpaceError, match="dataset 'facade'"):
        hook.before_test(runner)
    runner.val_loop = loop(other)
    with pytest.raises(LabelSpaceError, match="dataset 'facade'"):
        hook.before_train(runner)
    runner.val_loop = None
    hook.before_train(runner)
    runner.train_loop.dataloader.dataset = SimpleNamespace(dataset=datasets(other))  # a wrapper around all datasets
    with pytest.raises(LabelSpaceError, match="dataset 'facade'"):
        hook.before_train(runner)


def test_weights_of_which_nothing_fits_are_refused() -> None:
    """Of models that do not check it themselves."""
    runner: Any = SimpleNamespace(model=nn.Linear(2, 2), logger=MMLogger.get_instance('test_hooks'))
    CheckLabelSpacesHook().after_load_checkpoint(runner, dict(state_dict=nn.Linear(2, 2).state_dict()))
    within = nn.ModuleDict(dict(backbone=nn.Linear(2, 2))).state_dict()
    with pytest.raises(CheckpointError, match=r"load_from: no tensor.*prefix='backbone.' 2 would fit"):
        CheckLabelSpacesHook().after_load_checkpoint(runner, dict(state_dict=within))


def test_options_of_parameters_that_there_are_not_are_said() -> None:
    keys = dict(paramwise_cfg=dict(custom_keys=dict(weight={}, backbon={})))
    runner: Any = SimpleNamespace(model=nn.Linear(2, 2), cfg=Config(dict(optim_wrapper=keys)))
    (said,) = CheckLabelSpacesHook()._unused_keys(runner)
    assert "'backbon' is in the name of no parameter" in said


def test_a_dataset_on_its_own_is_of_the_one_label_space() -> None:
    one = SimpleNamespace(metainfo=dict(classes=('window', 'wall')))
    with pytest.raises(LabelSpaceError, match=r"other classes than the label space 'facade' \(id 0: 'window' there"):
        check_same_label_spaces(LabelSpaces([FACADE]), one)
    check_same_label_spaces(LabelSpaces([FACADE]), SimpleNamespace(metainfo=dict(classes=('wall', 'window'))))
    check_same_label_spaces(LabelSpaces([FACADE]), SimpleNamespace())
