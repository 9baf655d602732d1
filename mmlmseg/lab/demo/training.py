"""Training the demo's model, with a progress bar instead of a log (which stays in the work folder)."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_SMOOTHING = 0.95  # of the loss that the bar shows


class ProgressBar(Hook):
    """Shows iteration, loss and remaining time: a bar in a terminal, else ten lines."""

    priority = 'LOW'

    def __init__(self, console: Console) -> None:
        self.bar = Progress(
            TextColumn('training'),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('loss {task.fields[loss]:.2f}'),
            TimeElapsedColumn(),
            TextColumn('eta'),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
        )
        self._console = console
        self._loss: float | None = None

    def before_train(self, runner: Runner) -> None:
        """Starts the bar."""
        self._task = self.bar.add_task('training', total=runner.max_iters, loss=float('nan'))
        if self._console.is_terminal:
            self.bar.start()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Moves the bar."""
        loss = float((outputs or {})['loss'])
        self._loss = loss if self._loss is None else _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        self.bar.update(self._task, advance=1, loss=self._loss)
        done, total = batch_idx + 1, runner.max_iters
        if not self._console.is_terminal and done * 10 // total > batch_idx * 10 // total:
            self._console.print(f'iteration {done} of {total}, loss {self._loss:.2f}', highlight=False)

    def after_train(self, runner: Runner) -> None:
        """Leaves the full bar behind."""
        self.stop()

    def stop(self) -> None:
        """Ends the bar; twice does no harm."""
        if self.bar.live.is_started:
            self.bar.stop()


class LastScores(Hook):
    """Keeps what the last validation found; training validates at its end."""

    def __init__(self) -> None:
        self.scores: dict[str, float] = {}

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Takes the scores."""
        self.scores = dict(metrics or {})


def demo_config(path: str | Path, folders: Sequence[Path], work_dir: Path, iterations: int | None = None) -> Config:
    """The demo's config over other folders.

    Args:
        path: A config that lists folder datasets, in its loaders and in ``model.decode_head.label_spaces``.
        folders: What it is to list instead; each gets the pipelines of the first one in the config.
        work_dir: Where checkpoint and log go.
        iterations: Length of the training; by default the config's.
    """
    config = Config.fromfile(path)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        first = loader.dataset.datasets[0]
        loader.dataset.datasets = [dict(first, data_root=str(folder)) for folder in folders]
    config.model.decode_head.label_spaces = [str(folder) for folder in folders]
    config.work_dir = str(work_dir)
    if iterations is not None:
        config.train_cfg.max_iters = iterations
        config.train_cfg.val_interval = iterations + 1
        config.default_hooks.checkpoint.interval = iterations
        config.param_scheduler[-1].end = iterations
    return config


def train(config: Config, console: Console) -> tuple[Runner, dict[str, float]]:
    """Trains a model and validates it at the end.

    Args:
        config: Says how.
        console: Shows the progress.

    Returns:
        The runner, with the trained model, and its scores.
    """
    runner = Runner.from_cfg(config)
    bar, last = ProgressBar(console), LastScores()
    runner.register_hook(bar)
    runner.register_hook(last)
    try:
        runner.train()
    finally:
        bar.stop()
    return runner, last.scores


@contextlib.contextmanager
def quiet(path: Path) -> Iterator[None]:
    """Sends what the libraries print into a file, so that the terminal shows the demo alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as log, contextlib.redirect_stdout(log), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            yield
        finally:
            for handler in MMLogger.get_current_instance().handlers:  # they outlive the file
                if getattr(handler, 'stream', None) is log:
                    handler.setStream(sys.__stdout__)
