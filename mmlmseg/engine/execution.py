"""How parts of a model run while it trains: compiled, or with activations that are made again instead of kept.

Stand-ins for two options of mmengine's runner, ``compile`` and ``activation_checkpointing``, which the scripts in
``tools/`` turn into these hooks. mmengine compiles the whole step, matching and optimiser included, and checkpoints
with reentrant autograd, under which a part whose inputs want no gradient learns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from ..errors import OptionError, did_you_mean
from ..registry import HOOKS

_COMPILED = ('backbone', 'neck', 'decode_head.pixel_features.pixel_decoder', 'decode_head.decoder')


@HOOKS.register_module()
class CompileHook(Hook):
    """Runs the parts that are tensors only by ``torch.compile``: backbone, neck, pixel decoder and decoder.

    Text, matching and the optimiser stay as they are. So does evaluation, whose images have sizes of their own: its
    numbers are those of the same weights without the hook, to the bit.

    Args:
        options: Of :func:`torch.compile`, such as ``backend`` or ``mode``.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self._compiled: dict[nn.Module, Callable[..., Any]] = {}

    def before_train(self, runner: Runner) -> None:
        """Compiles the parts, each at its first call and for each kind of input."""
        named = unwrapped(runner.model).named_modules()
        parts = [part for name, part in named if name in _COMPILED and 'forward' not in vars(part)]
        self._compiled = {part: torch.compile(part.forward, **self.options) for part in parts}
        self.after_val(runner)

    def after_val(self, runner: Runner) -> None:
        """Goes on with the compiled parts."""
        for part, compiled in self._compiled.items():
            part.forward = compiled

    def before_val(self, runner: Runner) -> None:
        """Evaluates without them."""
        for part in self._compiled:
            del part.forward  # uncovers the method of the class

    def after_train(self, runner: Runner) -> None:
        """Leaves the model as it was."""
        self.before_val(runner)


@HOOKS.register_module()
class ActivationCheckpointingHook(Hook):
    """Keeps of some parts only their inputs, and runs them once more in the backward pass: less memory, more time.

    Weights, dropout and the statistics of batch norm are those of a training without it, to rounding at most. A part
    that is checkpointed is not compiled.

    Args:
        modules: Names of modules, such as ``backbone.layer3`` or ``decode_head.decoder``.

    Raises:
        OptionError: Where the model has no module of that name.
    """

    priority = 'HIGH'  # before CompileHook, which finds the parts as they run

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = [modules] if isinstance(modules, str) else list(modules)
        self._parts: list[nn.Module] = []

    def before_train(self, runner: Runner) -> None:
        """Checkpoints the parts."""
        known = dict(unwrapped(runner.model).named_modules())
        for name in self.modules:
            if name not in known or not name:
                raise OptionError(
                    f'activation_checkpointing: the model has no module {name!r}.{did_you_mean(name, known)}'
                )
        self._parts = [known[name] for name in self.modules]
        for part in self._parts:
            part.forward = torch.compiler.disable(_checkpointed(part))

    def after_train(self, runner: Runner) -> None:
        """Leaves the model as it was."""
        for part in self._parts:
            del part.forward


def _checkpointed(part: nn.Module) -> Callable[..., Any]:
    forward = part.forward

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _kept_statistics(part)  # of the first run, and of the second

    def run(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    return run


@contextmanager
def _kept_statistics(part: nn.Module) -> Iterator[None]:
    """Batch norms in training still normalise by their batch, but do not count it a second time."""
    norms = [m for m in part.modules() if isinstance(m, _BatchNorm) and m.training and m.track_running_stats]
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    for module in norms:
        module.momentum, module.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for module, (momentum, counted) in zip(norms, before):
            module.momentum, module.num_batches_tracked = momentum, counted


def unwrapped(model: Any) -> nn.Module:
    """The model of a runner without what several processes put around it."""
    return model.module if is_model_wrapper(model) else model
