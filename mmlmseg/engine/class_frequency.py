"""Tells a model how often the classes of its training data occur, where the weights of its classes go by that."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets import MultiDataset
from ..datasets.presence import frequencies_by_space
from ..errors import OptionError
from ..registry import HOOKS
from .hooks import joined_dataset, model_of


@HOOKS.register_module()
class ClassFrequencyHook(Hook):
    """Counts classes before the first step, for ``class_weights`` of the head by frequency.

    :class:`mmlmseg.engine.ResumableTrainLoop` brings it; a run with another loop lists it in ``custom_hooks``.
    """

    def before_train(self, runner: Runner) -> None:
        """Counts, where the model asks for it.

        Raises:
            OptionError: Where the training data are no :class:`MultiDataset`.
        """
        head = getattr(model_of(runner), 'decode_head', None)
        weights = getattr(head, 'class_weights', None)
        if not weights or not weights.uncounted:
            return
        dataset = joined_dataset(runner.train_loop.dataloader.dataset)
        if not isinstance(dataset, MultiDataset):
            raise OptionError(
                'class_weights by frequency count the classes of a mmlmseg.MultiDataset, and the training has a '
                f"{type(dataset).__name__}: put it into one, dict(type='mmlmseg.MultiDataset', datasets=[...])"
            )
        weights.count(frequencies_by_space(dataset))
