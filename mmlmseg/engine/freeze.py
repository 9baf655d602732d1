"""Training some parameters of a trained model, while all else stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ..errors import CheckpointError, LabelSpaceError, OptionError, did_you_mean
from ..models.head.adapters import served_alone
from ..registry import HOOKS
from .execution import unwrapped


@HOOKS.register_module()
class FreezeHook(Hook):
    """Trains the named parameters only, such as those of a label space that ``tools/add_label_space.py`` added.

    No other parameter wants a gradient in a training step, and all modules are in evaluation mode: no dropout, norm
    layers use and keep their statistics, text rows stay. A run in several processes needs
    ``find_unused_parameters = True`` in its config, as they are set up before anything is frozen.

    Args:
        trained: What the names of the parameters to train begin with, up to a dot or the end, such as
            ``decode_head.queries.own.4``.

    Raises:
        CheckpointError: Where the run neither loads nor resumes a trained model.
        LabelSpaceError: On a sample in training of label spaces that none of these parameters serves.
        OptionError: Where a prefix matches no parameter.
    """

    def __init__(self, trained: Sequence[str]) -> None:
        self.trained = tuple(trained)
        self._has_weights = False
        self._frozen: list[nn.Parameter] = []
        self._learning: set[str] | None = None  # None where something that all label spaces share is trained

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Knows from now on that the model is a trained one."""
        self._has_weights = True

    def before_train(self, runner: Runner) -> None:
        """Finds the parameters."""
        if not self._has_weights:
            raise CheckpointError(
                f'FreezeHook trains {", ".join(self.trained)} of a model that holds no trained weights, and nothing '
                'else: set load_from to a checkpoint with all label spaces, as tools/add_label_space.py writes it'
            )
        model = unwrapped(runner.model)
        wanted = {name: p for name, p in model.named_parameters() if p.requires_grad}
        alone = served_alone(model)
        for prefix in self.trained:
            if not any(_begins(name, prefix) for name in wanted):
                near = did_you_mean(prefix, [*alone, *wanted])
                raise OptionError(f'FreezeHook: no parameter that can be trained begins with {prefix!r}.{near}')
        learned = [name for name in wanted if any(_begins(name, prefix) for prefix in self.trained)]
        self._frozen = [parameter for name, parameter in wanted.items() if name not in learned]
        spaces = [[space for prefix, space in alone.items() if _begins(name, prefix)] for name in learned]
        self._learning = {space for own in spaces for space in own} if all(spaces) else None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Freezes what is not trained; the loop has just set all modules to training mode."""
        for sample in data_batch['data_samples']:
            asked = sample.metainfo.get('label_spaces', ())
            if self._learning is not None and asked and self._learning.isdisjoint(asked):
                raise LabelSpaceError(
                    f'{sample.metainfo.get("img_path", "a sample")} is labelled in {", ".join(map(repr, asked))}, '
                    f'whose parameters are frozen; only {", ".join(sorted(self._learning))} are trained: name no other '
                    'datasets in train_dataloader'
                )
        unwrapped(runner.model).eval()
        for parameter in self._frozen:
            parameter.requires_grad_(False)

    def before_val(self, runner: Runner) -> None:
        """Unfreezes: torch's matmul rounds otherwise where a weight wants no gradient, and results shall be those of
        the trained model to the bit."""
        for parameter in self._frozen:
            parameter.requires_grad_(True)

    def after_train(self, runner: Runner) -> None:
        """Leaves the model as it was."""
        self.before_val(runner)


def _begins(name: str, prefix: str) -> bool:
    return f'{name}.'.startswith(f'{prefix}.')
