"""Ending a training on request, with everything saved."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .checkpoint_hook import CheckpointHook

STATUS = 75
"""The exit status of a training that was asked to end and can be resumed: EX_TEMPFAIL of sysexits.h."""

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM or SIGUSR1 (Slurm before its limit or a preemption, ``docker stop``): a checkpoint, then the end.

    The step that runs is finished first, by all processes, also where one alone was asked. The exit status is
    :data:`STATUS`. A second signal ends the process at once. Ctrl-C does as ever: it ends without a checkpoint.
    """

    priority = 'LOWEST'  # behind CheckpointHook, which may save the same step

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Listens."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in _SIGNALS}

    def after_train(self, runner: Runner) -> None:
        """Listens no more."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Saves and ends, if any process was asked to."""
        if not self._asked_anywhere():
            return
        self.after_train(runner)
        hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        for hook in hooks:
            hook.save(runner)
        saved = f'saved {hooks[0].last_ckpt}, go on with --resume' if hooks else 'no CheckpointHook, nothing is saved'
        runner.logger.warning(f'asked to end after iteration {runner.iter + 1}: {saved}')
        sys.exit(STATUS)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Ends at once during an evaluation, whose step is saved; a resumed run evaluates it first."""
        if not self._asked_anywhere():
            return
        self.after_train(runner)
        for hook in (hook for hook in runner.hooks if isinstance(hook, CheckpointHook)):
            hook.save(runner, evaluating=True)
        runner.logger.warning(f'asked to end while evaluating iteration {runner.iter}: go on with --resume')
        sys.exit(STATUS)

    def _ask(self, number: int, frame: Any) -> None:
        self._asked = True
        signal.signal(number, self._before[number] or signal.SIG_DFL)

    def _asked_anywhere(self) -> bool:
        if get_world_size() == 1:
            return self._asked
        asked = torch.tensor(float(self._asked))
        all_reduce(asked, 'max')
        return bool(asked)
