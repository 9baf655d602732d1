"""Training the demo's model with a progress bar in place of a log, which stays in the work folder; and scores: mean IoU
and pixel accuracy, also of a guess that never looks at the picture."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ...config import complete_label_spaces, read_config, set_length
from ...evaluation.functional import ClassAreas, class_areas, iou_scores
from .data import label_maps

_SMOOTHING = 0.95  # of the loss that the bar shows
_GRID = (32, 24)  # width, height of the position prior


def demo_config(path: str | Path, folders: Sequence[Path], work_dir: Path, iterations: int | None = None) -> Config:
    """The demo's config over other folders.

    Args:
        path: A config that lists folder datasets in its loaders.
        folders: What it is to list instead; each gets the pipelines of the first one in the config. The label spaces of
            the model are theirs.
        work_dir: Where checkpoint and log go.
        iterations: Length of the training; by default the config's.
    """
    config = read_config(path)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        first = loader.dataset.datasets[0]
        loader.dataset.datasets = [dict(first, data_root=str(folder)) for folder in folders]
    config.model.decode_head.pop('label_spaces', None)
    complete_label_spaces(config)
    config.work_dir = str(work_dir)
    if iterations is not None:
        warm_up = config.param_scheduler[0].end
        set_length(config, iterations, readings=1)
        config.param_scheduler[0].end = warm_up  # what the optimiser needs to start, however long the training is
    return config


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
            disable=not console.is_terminal,
        )
        self._loss: float | None = None

    def before_train(self, runner: Runner) -> None:
        """Begins to count."""
        self._task = self.bar.add_task('training', total=runner.max_iters, loss=float('nan'))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Moves the bar."""
        loss = float((outputs or {})['loss'])
        self._loss = loss if self._loss is None else _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        self.bar.update(self._task, advance=1, loss=self._loss)
        done, total = batch_idx + 1, runner.max_iters
        if self.bar.disable and done * 10 // total > batch_idx * 10 // total:
            self.bar.console.print(f'iteration {done} of {total}, loss {self._loss:.2f}', highlight=False)


def train(config: Config, console: Console) -> tuple[Runner, dict[str, float]]:
    """Trains a model, showing the progress; returns the runner and the scores of the validation at the end."""
    runner = Runner.from_cfg(config)
    progress = ProgressBar(console)
    runner.register_hook(progress)
    with progress.bar:
        runner.train()
    logged = runner.message_hub.log_scalars
    return runner, {
        key.removeprefix('val/'): values.current() for key, values in logged.items() if key.startswith('val/')
    }


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


class Score(NamedTuple):
    """Mean IoU and pixel accuracy in percent."""

    mean_iou: float
    accuracy: float


def score(pairs: Iterable[tuple[np.ndarray, np.ndarray]], num_classes: int) -> Score:
    """Compares predicted and true label maps [H, W] of pictures; true 255 does not count."""
    areas = torch.zeros(3, num_classes, dtype=torch.long)
    for prediction, truth in pairs:
        areas += torch.stack(class_areas(torch.from_numpy(prediction), torch.from_numpy(truth), num_classes))
    means = iou_scores(ClassAreas(*areas)).means
    return Score(100 * float(means['mIoU']), 100 * float(means['aAcc']))


def position_prior(folder: Path, num_classes: int) -> np.ndarray:
    """The most frequent class at each place of a folder's training pictures: class ids on a grid, uint8 [24, 32]."""
    counts = np.zeros((num_classes, _GRID[1], _GRID[0]), dtype=np.int64)
    for labels in label_maps(folder, 'train'):
        small = cv2.resize(labels, _GRID, interpolation=cv2.INTER_NEAREST)
        counts += small == np.arange(num_classes)[:, None, None]
    return counts.argmax(axis=0).astype(np.uint8)


def prior_score(folder: Path, num_classes: int) -> Score:
    """How well the position prior does on a folder's validation pictures."""
    prior = position_prior(folder, num_classes)
    truths = label_maps(folder, 'val')
    return score(((cv2.resize(prior, t.shape[::-1], interpolation=cv2.INTER_NEAREST), t) for t in truths), num_classes)
