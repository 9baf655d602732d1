"""Checkpoints that are whole or not there, and of which the old go only after the new."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook as _CheckpointHook
from mmengine.runner import Runner

from ..errors import CheckpointError, OptionError, did_you_mean
from ..evaluation.keys import is_class_key
from ..evaluation.report import is_own_result, result_keys
from ..registry import HOOKS

WHOLE_FILES = 'whole_files'


@register_backend(WHOLE_FILES)
class WholeFilesBackend(LocalBackend):
    """mmengine's local files, each written beside its place first, so that its name never stands for a part of it."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Writes a file; a CheckpointError where the disk does not take it, and what was there before stays."""
        try:
            write_whole(filepath, obj)
        except OSError as error:
            raise CheckpointError(
                f'{filepath}: cannot be written ({error.strerror or error}); earlier checkpoints are as they were. '
                'Free space, then go on with --resume'
            ) from error


def write_whole(path: str | Path, content: bytes | memoryview) -> None:
    """Writes a file beside its place, makes sure that the disk has it, and moves it there in one step."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        with part.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class _RemovesLater:
    """A file backend that notes what is to be removed."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.noted: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.noted.append(path)

    rmtree = remove

    def remove_all_but(self, kept: set[Any]) -> None:
        """Removes what was noted, unless it has been written anew since."""
        for path in self.noted:
            if path in kept:
                continue
            if self._backend.isdir(path):
                self._backend.rmtree(path)
            elif self._backend.isfile(path):
                self._backend.remove(path)
        self.noted.clear()


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """mmengine's hook, which cannot lose what it has.

    mmengine (0.10) removes the previous checkpoint, and the previous best one, before it writes the next, and writes
    into the file of the final name: a full disk or a kill leaves the run without any. Here files are written whole,
    and old ones go when the new one is there. Arguments are those of mmengine's hook; ``save_best`` may be any result
    of the evaluation, also that of a class (``'camvid11/IoU.tree'``), of which the greater is the better one where
    ``rule`` does not say.

    Raises:
        CheckpointError: Where a checkpoint cannot be written.
        OptionError: Where the evaluation gives no such result as ``save_best``.
    """

    def _init_rule(self, rules: list[str | None], key_indicators: list[str]) -> None:
        rules = rules * len(key_indicators) if len(rules) == 1 else rules
        pairs = zip(rules, key_indicators, strict=True)
        own = ['greater' if rule is None and is_own_result(key) else rule for rule, key in pairs]
        super()._init_rule(own, key_indicators)

    def before_train(self, runner: Runner) -> None:
        """See mmengine's hook; files on this machine are written whole."""
        super().before_train(runner)
        self._check_save_best(runner)
        self._own_best()
        self._saved = -1
        if isinstance(self.file_backend, LocalBackend) and not self.backend_args and not self.file_client_args:
            self.backend_args: Mapping[str, Any] | None = dict(backend=WHOLE_FILES)
        self.file_backend: Any = _RemovesLater(self.file_backend)

    def save(self, runner: Runner, evaluating: bool = False) -> None:
        """Saves the state after the last step, unless it is; while ``evaluating``, that step is counted already."""
        step = runner.iter + (not evaluating)
        if self._saved != step:
            self._save_checkpoint_with_step(runner, step, meta=dict(epoch=runner.epoch, iter=step))

    def _own_best(self) -> None:
        """Keeps to the best checkpoints of this folder: to a copied one, those of the original do not belong."""
        if path := getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = os.path.join(self.out_dir, os.path.basename(path))
        for key, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[key] = path and os.path.join(self.out_dir, os.path.basename(path))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self._saved = meta['iter']
        if is_main_process():
            # Once more, whole: a kill while mmengine writes it leaves it empty.
            write_whole(Path(runner.work_dir, 'last_checkpoint'), str(self.last_ckpt).encode())
            self.file_backend.remove_all_but(self._current())

    def _check_save_best(self, runner: Runner) -> None:
        """Refuses results that the evaluation will not give; now that the data are read, those of classes are known."""
        evaluator = getattr(runner.val_loop, 'evaluator', None)  # a loop of one's own may score in another way
        known = None if evaluator is None else result_keys(evaluator)
        for key in self.save_best or []:
            if known is not None and key != 'auto' and key not in known:
                raise _no_such_result(key, known)

    def _save_best_checkpoint(self, runner: Runner, metrics: Mapping[str, Any]) -> None:
        for key in [key for key in self.save_best or [] if key != 'auto']:
            if key not in metrics:
                raise _no_such_result(key, metrics)
            if isinstance(value := metrics[key], float) and math.isnan(value):
                runner.logger.warning(f'save_best: {key} is no number (nan), so no checkpoint is the best by it')
        super()._save_best_checkpoint(runner, metrics)
        if self.save_best and is_main_process():
            self.file_backend.remove_all_but(self._current())

    def _current(self) -> set[Any]:
        best = {getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()}
        return {self.last_ckpt, *best}


def _no_such_result(key: str, known: Iterable[str]) -> OptionError:
    means = ', '.join(name for name in known if not is_class_key(name))
    return OptionError(
        f'default_hooks.checkpoint.save_best = {key!r}: the evaluation gives no such result.'
        f'{did_you_mean(key, known)} It gives {means or "none"}, and results of single classes'
    )
