"""Ending a training on request, with everything saved."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
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
        if self._asked_anywhere():
            self._end(runner, runner.iter + 1)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Ends during an evaluation, which a resumed run does first.

        Several processes finish it: they have different numbers of batches, so they cannot agree in between.
        """
        if self._asked and get_world_size() == 1:
            self._end(runner, runner.iter, evaluating=True)

    def _end(self, runner: Runner, step: int, evaluating: bool = False) -> None:
        self.after_train(runner)
        hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        for hook in hooks:
            hook.save(runner, evaluating)
        saved = f'saved {hooks[0].last_ckpt}, go on with --resume' if hooks else 'no CheckpointHook, nothing is saved'
        runner.logger.warning(f'asked to end {"while evaluating" if evaluating else "after"} iteration {step}: {saved}')
        barrier()  # the first process to end takes the others down, also the one that is writing
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
