"""Hooks of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..checkpoint import difference
from ..config_checks import cautions, check_config
from ..datasets import MultiDataset
from ..errors import LabelSpaceError
from ..label_space import LabelSpaces
from ..models.pretrained import Fit
from ..registry import HOOKS


@HOOKS.register_module()
class CheckLabelSpacesHook(Hook):
    """Makes sure, before the first step, that the datasets of a run and its model mean the same by their label spaces.

    Samples carry names of label spaces only, so this is the one place where the two are compared. What else can be
    known of the config of a training is checked with it, for runs that no script of ``tools/`` has started, and whether
    weights that are loaded fit the model.
    """

    def before_train(self, runner: Runner) -> None:
        """Compares the datasets of the training and, so that nobody waits for it, those of the validation."""
        check_config(runner.cfg)
        for caution in [*cautions(runner.cfg), *self._unused_keys(runner)]:
            runner.logger.warning(caution)
        self._check(runner, runner.train_loop.dataloader.dataset)
        if runner.val_loop is not None:
            self._check(runner, runner.val_loop.dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Compares the datasets of a validation."""
        self._check(runner, runner.val_loop.dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Compares the datasets of a test."""
        self._check(runner, runner.test_loop.dataloader.dataset)

    def after_load_checkpoint(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        """Logs how much of a checkpoint fits; refuses one of which nothing does."""
        model = model_of(runner)
        if hasattr(model, 'label_spaces'):  # then it refuses itself what does not fit as a whole
            return
        fit = Fit.of(model, {key.removeprefix('module.'): value for key, value in checkpoint['state_dict'].items()})
        fit.require('load_from', 'the checkpoint')
        runner.logger.info(f'load_from: {fit}')

    def _unused_keys(self, runner: Runner) -> list[str]:
        """The ``custom_keys`` of the optimiser that are part of no parameter's name."""
        own = (runner.cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}
        names = [name for name, _ in runner.model.named_parameters()] if own.get('custom_keys') else []
        return [
            f'optim_wrapper.paramwise_cfg.custom_keys: {key!r} is in the name of no parameter, so it changes nothing'
            for key in own.get('custom_keys') or {}
            if not any(key in name for name in names)
        ]

    def _check(self, runner: Runner, dataset: Any) -> None:
        model = model_of(runner)
        if hasattr(model, 'label_spaces'):
            check_same_label_spaces(model.label_spaces, joined_dataset(dataset))


def model_of(runner: Runner) -> Any:
    """The model below DDP and test-time augmentation."""
    model: Any = runner.model
    while not hasattr(model, 'label_spaces') and hasattr(model, 'module'):
        model = model.module
    return model


def joined_dataset(dataset: Any) -> Any:
    """The :class:`MultiDataset` below wrappers; any other dataset as it is innermost."""
    while not isinstance(dataset, MultiDataset) and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    return dataset


def check_same_label_spaces(known: LabelSpaces, dataset: Any) -> None:
    """Makes sure that a model knows all label spaces of a :class:`MultiDataset`, with the same classes and things.

    Any other dataset is that of a model of one label space, whose classes are compared.
    """
    if not isinstance(dataset, MultiDataset):
        classes = getattr(dataset, 'metainfo', {}).get('classes')
        if classes and len(known) == 1 and (what := difference(classes, known[0].classes)):
            raise LabelSpaceError(f'the dataset has other classes than the label space {known[0].name!r} ({what})')
        return
    for name, spaces in zip(dataset.names, dataset.spaces, strict=True):
        for theirs in spaces:
            try:
                own = known.get(theirs.name)
            except LabelSpaceError as error:
                raise LabelSpaceError(
                    f'dataset {name!r}: {error} Choose with --datasets those it knows, or mend the label_spaces of the '
                    'config'
                ) from None
            if what := difference(theirs.classes, own.classes):
                raise LabelSpaceError(
                    f'dataset {name!r}: by label space {own.name!r} it means other classes than the model ({what}); '
                    'build both from the same classes.json or dataset type, or leave label_spaces out of the config'
                )
            if theirs.is_thing != own.is_thing:
                raise LabelSpaceError(
                    f'dataset {name!r}: the things of its label space {own.name!r} are '
                    f'{", ".join(theirs.things) or "none"}, those of the model {", ".join(own.things) or "none"}; name '
                    'the same in both, or leave label_spaces out of the config'
                )
