"""One run of a benchmark: its training, its result line."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...apis.model import load_weights
from ...errors import OptionError
from ...evaluation import MultiDatasetEvaluator
from ...evaluation.metrics.common import ClassMetric
from ...models.text.bank import SHIPPED_BANK
from ..scalars import Series, read_scalars
from .headlines import HEADLINES
from .members import weights_of_members
from .resuming import go_on
from .runs import Run
from .spec import Benchmark
from .statistics import resampled_scores


def execute(benchmark: Benchmark, run: Run, cfg: Config) -> dict[str, Any]:
    """Trains, or goes on training, and evaluates; of a run with members, only evaluates.

    Args:
        benchmark: The benchmark.
        run: One of its runs.
        cfg: Of :func:`run_config`.

    Returns:
        The run's result line: ``scores`` by dataset and key, ``readings`` of the headline along the run, ``resamples``
        (the headline on resampled sets of each dataset's images), and what it was made with. ``seconds`` is None where
        the run was interrupted.

    Raises:
        CheckpointError: Where the checkpoint of a member is missing.
        OptionError: Where the evaluator does not measure the headline, or the work directory holds another run.
    """
    started = time.monotonic()
    runner, logged = _evaluate_members(benchmark, run, cfg) if run.members else _train(benchmark, run, cfg)
    evaluated = _dataset_metrics(runner)
    metrics = headline_metrics(evaluated, benchmark.metric, benchmark.scored_by(run))
    iterations = cfg.train_cfg.max_iters
    return dict(
        run=run.name,
        method=run.method.name,
        dataset=run.dataset,
        seed=run.seed,
        choice=run.choice,
        members=[member.name for member in run.members],
        iterations=iterations,
        batch_size=cfg.train_dataloader.batch_size,
        text=text_of(cfg),
        parameters=sum(p.numel() for p in runner.model.parameters()),
        scores={name: _at(logged, f'{name}/', iterations) for name in evaluated},
        readings={name: logged[f'{name}/{benchmark.metric}'] for name in metrics},
        resamples={name: _resamples(metric) for name, metric in metrics.items()},
        seconds=None if cfg.resume else round(time.monotonic() - started),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else f'{os.cpu_count()} CPU cores',
        torch=torch.__version__,
    )


def _train(benchmark: Benchmark, run: Run, cfg: Config) -> tuple[Runner, dict[str, Series]]:
    go_on(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(FirstReading(benchmark.metric, benchmark.scored_by(run)), priority='LOWEST')
    runner.train()
    return runner, read_scalars(cfg.work_dir) if cfg.val_dataloader else {}


def _evaluate_members(benchmark: Benchmark, run: Run, cfg: Config) -> tuple[Runner, dict[str, Series]]:
    weights = weights_of_members(benchmark, run, Path(cfg.work_dir).parent)
    runner = Runner.from_cfg(cfg)
    for member, file in zip(runner.model.members, weights, strict=True):
        load_weights(member, file)
    return runner, {key: {cfg.train_cfg.max_iters: value} for key, value in runner.val().items()}


class FirstReading(Hook):
    """Evaluates where a run goes on at a step that is to be evaluated: it may have been stopped before that.

    Args:
        headline: What must be measured; that it is, is checked before the first step.
        scored: Of which datasets.
    """

    def __init__(self, headline: str, scored: Collection[str]) -> None:
        self.headline, self.scored = headline, scored

    def before_train(self, runner: Runner) -> None:
        """Called by the runner, when the checkpoint is loaded."""
        headline_metrics(_dataset_metrics(runner), self.headline, self.scored)
        loop: Any = runner.val_loop
        if loop is not None and runner.iter and runner.iter % runner.train_loop.val_interval == 0:
            loop.run()


def headline_metrics(
    evaluated: Mapping[str, Sequence[BaseMetric]], headline: str, scored: Collection[str]
) -> dict[str, ClassMetric]:
    """The metric that measures the headline, for each dataset that counts.

    Args:
        evaluated: All metrics of the datasets that are evaluated.
        headline: What they are to measure.
        scored: The datasets that count, as far as they are evaluated.

    Raises:
        OptionError: Where one of these has none.
    """
    wanted, found = HEADLINES[headline], {}
    for name in [name for name in evaluated if name in scored]:
        metrics = evaluated[name]
        fitting = [metric for metric in metrics if isinstance(metric, wanted)]
        if not fitting:
            raise OptionError(f'val_evaluator: {name} has no mmlmseg.{wanted.__name__}, which measures {headline}')
        found[name] = fitting[0]
    return found


def text_of(cfg: Config) -> str:
    """What a model reads class names with, as results must say."""
    model = cfg.model.members[0] if 'members' in cfg.model else cfg.model
    encoder: Any = (model.decode_head.get('text') or {}).get('encoder') or {}
    kind = str(encoder.get('type', 'none')).rsplit('.', 1)[-1]
    if kind == 'TextBankEncoder':
        bank = encoder.get('bank', SHIPPED_BANK)
        return 'sentence bank' if bank == SHIPPED_BANK else f'text bank {Path(bank).name}'
    return f'CLIP {encoder["model"]}' if kind == 'OpenClipText' else kind


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


def _dataset_metrics(runner: Runner) -> Mapping[str, Sequence[BaseMetric]]:
    """The metrics of each dataset that is evaluated."""
    loop: Any = runner.val_loop
    if loop is None:
        return {}
    evaluator: MultiDatasetEvaluator = loop.evaluator
    return evaluator.dataset_metrics
