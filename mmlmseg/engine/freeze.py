"""Training some parameters of a model, while all else stays as it is: those that are named, or all but those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ..errors import CheckpointError, LabelSpaceError, OptionError, did_you_mean
from ..models.head.adapters import served_alone
from ..registry import HOOKS
from .execution import unwrapped


class _Freezing(Hook):
    """Takes the wish for a gradient from some parameters during the steps of a training."""

    def __init__(self) -> None:
        self._frozen: list[nn.Parameter] = []

    def _freeze(self) -> None:
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

    def _refuse_waiting(self, runner: Runner) -> None:
        """Several processes are set up before anything is frozen, and would wait for gradients that never come."""
        if getattr(runner.model, 'find_unused_parameters', True) is False:
            raise OptionError(
                f'{type(self).__name__} freezes parameters whose gradients the other processes wait for: add '
                'find_unused_parameters = True to the config'
            )

    def _trainable(self, model: nn.Module, prefixes: Iterable[str], known: Iterable[str] = ()) -> dict[str, Any]:
        """The parameters that can be trained by name; an OptionError where a prefix matches none of them."""
        wanted = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        for prefix in prefixes:
            if not any(_begins(name, prefix) for name in wanted):
                near = did_you_mean(prefix, [*known, *wanted])
                raise OptionError(
                    f'{type(self).__name__}: no parameter that can be trained begins with {prefix!r}.{near}'
                )
        return wanted


@HOOKS.register_module()
class FreezePartsHook(_Freezing):
    """Keeps the named parts of a model as they are, such as a pretrained backbone, and trains all else.

    Their parameters want no gradient in a training step, and their modules are in evaluation mode: no dropout, norm
    layers use and keep their statistics. A run in several processes needs ``find_unused_parameters = True`` in its
    config, as they are set up before anything is frozen.

    Args:
        frozen: What the names of the parameters to keep begin with, up to a dot or the end, such as ``backbone`` or
            ``decode_head.pixel_features``.

    Raises:
        OptionError: Where a prefix matches no parameter, or nothing is left to train.
    """

    def __init__(self, frozen: Sequence[str]) -> None:
        super().__init__()
        self.frozen = _names(frozen, 'FreezePartsHook.frozen')
        self._modules: list[nn.Module] = []

    def before_train(self, runner: Runner) -> None:
        """Finds parameters and modules."""
        self._refuse_waiting(runner)
        model = unwrapped(runner.model)
        parts = [name for name, _ in model.named_modules() if name]
        wanted = self._trainable(model, self.frozen, parts)
        kept = [name for name in wanted if any(_begins(name, prefix) for prefix in self.frozen)]
        if len(kept) == len(wanted):
            raise OptionError(f'FreezePartsHook: {", ".join(self.frozen)} is all that can be trained; freeze less')
        self._frozen = [wanted[name] for name in kept]
        self._modules = [
            part for name, part in model.named_modules() if any(_begins(name, prefix) for prefix in self.frozen)
        ]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Freezes them; the loop has just set all modules to training mode."""
        self._freeze()
        for module in self._modules:
            module.training = False


@HOOKS.register_module()
class FreezeHook(_Freezing):
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
        OptionError: Where a prefix matches no parameter, or several processes were not told.
    """

    def __init__(self, trained: Sequence[str]) -> None:
        super().__init__()
        self.trained = _names(trained, 'FreezeHook.trained')
        self._has_weights = False
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
        self._refuse_waiting(runner)
        model = unwrapped(runner.model)
        alone = served_alone(model)
        wanted = self._trainable(model, self.trained, alone)
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
        self._freeze()


def _names(prefixes: Sequence[str], option: str) -> tuple[str, ...]:
    if isinstance(prefixes, str) or not prefixes:
        raise OptionError(f"{option} = {prefixes!r}: write a list of names of parts, such as ['backbone']")
    return tuple(prefixes)


def _begins(name: str, prefix: str) -> bool:
    return f'{name}.'.startswith(f'{prefix}.')
