"""One run of a benchmark: its training, its result line."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..checkpoint import check_checkpoint_file
from ..errors import CheckpointError, OptionError
from ..evaluation import MultiDatasetEvaluator, PanopticQuality, SemanticIoU
from ..evaluation.metrics.common import ClassMetric
from ..models.text.bank import SHIPPED_BANK
from ..scalars import Series, read_scalars
from .spec import Benchmark, Run
from .statistics import resampled_scores

_HEADLINES: dict[str, type[ClassMetric]] = {'mIoU': SemanticIoU, 'PQ': PanopticQuality}
_DECIDES_RESULTS = (
    'model',
    'train_dataloader',
    'val_dataloader',
    'val_evaluator',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'randomness',
)


def execute(benchmark: Benchmark, run: Run, cfg: Config) -> dict[str, Any]:
    """Trains, or goes on training, and evaluates.

    Args:
        benchmark: The benchmark.
        run: One of its runs.
        cfg: Of :func:`run_config`.

    Returns:
        The run's result line: ``scores`` by dataset and key, ``readings`` of the headline along the run, ``resamples``
        (the headline on resampled sets of each dataset's images), and what it was made with. ``seconds`` is None where
        the run was interrupted.

    Raises:
        OptionError: Where the evaluator does not measure the headline, or the work directory holds another run.
    """
    started = time.monotonic()
    go_on(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(FirstReading(benchmark.metric), priority='LOWEST')
    runner.train()
    metrics = headline_metrics(_evaluator(runner), benchmark.metric)
    logged = read_scalars(cfg.work_dir)
    iterations = cfg.train_cfg.max_iters
    return dict(
        run=run.name,
        method=run.method.name,
        dataset=run.dataset,
        seed=run.seed,
        choice=run.choice,
        iterations=iterations,
        batch_size=cfg.train_dataloader.batch_size,
        text=text_of(cfg),
        parameters=sum(p.numel() for p in runner.model.parameters()),
        scores={name: _at(logged, f'{name}/', iterations) for name in metrics},
        readings={name: logged[f'{name}/{benchmark.metric}'] for name in metrics},
        resamples={name: _resamples(metric) for name, metric in metrics.items()},
        seconds=None if cfg.resume else round(time.monotonic() - started),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else f'{os.cpu_count()} CPU cores',
        torch=torch.__version__,
    )


def go_on(cfg: Config) -> None:
    """Lets a run go on from the newest whole checkpoint in its work directory, if there is one.

    Args:
        cfg: Of :func:`run_config`; changed in place.

    Raises:
        OptionError: Where the checkpoint is of a run with another config.
    """
    checkpoint = _newest_checkpoint(Path(cfg.work_dir))
    if checkpoint is None:
        return
    written = Path(cfg.work_dir, Path(cfg.filename).name)  # by mmengine, when the run began
    before = Config.fromfile(written) if written.is_file() else Config()
    if others := [key for key in _DECIDES_RESULTS if before.get(key) != cfg.get(key)]:
        raise OptionError(
            f'{checkpoint}: is of a run with another {", ".join(others)}; remove its folder, or choose another '
            '--work-dir'
        )
    cfg.resume, cfg.load_from = True, str(checkpoint)


class FirstReading(Hook):
    """Evaluates where a run goes on at a step that is to be evaluated: it may have been stopped before that.

    Args:
        headline: What must be measured; that it is, is checked before the first step.
    """

    def __init__(self, headline: str) -> None:
        self.headline = headline

    def before_train(self, runner: Runner) -> None:
        """Called by the runner, when the checkpoint is loaded."""
        headline_metrics(_evaluator(runner), self.headline)
        if runner.iter and runner.iter % runner.train_loop.val_interval == 0:
            _val_loop(runner).run()


def headline_metrics(evaluator: MultiDatasetEvaluator, headline: str) -> dict[str, ClassMetric]:
    """The metric that measures the headline, for each dataset.

    Raises:
        OptionError: Where a dataset has none.
    """
    wanted, found = _HEADLINES[headline], {}
    for name, metrics in evaluator.dataset_metrics.items():
        fitting = [metric for metric in metrics if isinstance(metric, wanted)]
        if not fitting:
            raise OptionError(f'val_evaluator: {name} has no mmlmseg.{wanted.__name__}, which measures {headline}')
        found[name] = fitting[0]
    return found


def text_of(cfg: Config) -> str:
    """What a model reads class names with, as results must say."""
    encoder: Any = (cfg.model.decode_head.get('text') or {}).get('encoder') or {}
    kind = str(encoder.get('type', 'none')).rsplit('.', 1)[-1]
    if kind == 'TextBankEncoder':
        bank = encoder.get('bank', SHIPPED_BANK)
        return 'sentence bank' if bank == SHIPPED_BANK else f'text bank {Path(bank).name}'
    return f'CLIP {encoder["model"]}' if kind == 'OpenClipText' else kind


def _newest_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end."""
    for file in sorted(folder.glob('iter_*.pth'), key=lambda file: int(file.stem.removeprefix('iter_')), reverse=True):
        with contextlib.suppress(CheckpointError):
            check_checkpoint_file(file, resume=True)
            return file
    return None


def _at(logged: Mapping[str, Series], prefix: str, step: int) -> dict[str, float]:
    """The value of each scalar of a dataset at a step."""
    return {
        key.removeprefix(prefix): values[step]
        for key, values in logged.items()
        if key.startswith(prefix) and step in values
    }


def _resamples(metric: ClassMetric) -> list[float]:
    assert metric.per_image is not None, 'the last step is evaluated'
    return resampled_scores(metric.per_image, metric.headline)


def _val_loop(runner: Runner) -> Any:
    return runner.val_loop


def _evaluator(runner: Runner) -> MultiDatasetEvaluator:
    return _val_loop(runner).evaluator
