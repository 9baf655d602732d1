"""The runs of a benchmark: done in one go or in several, and what they leave, a JSON object a line of a file."""

from __future__ import annotations

import contextlib
import json
import statistics
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
from ...checkpoint_files import check_checkpoint_file
from ...errors import CheckpointError, DataError, OptionError
from ...evaluation import MultiDatasetEvaluator
from ...evaluation.keys import is_class_key
from ...evaluation.metrics.common import ClassMetric
from ...evaluation.report import definition_of
from ...models.text.bank import SHIPPED_BANK
from ..figures.curves import Series, read_scalars
from .provenance import commit_of, machine_name, training_precision
from .spec import Benchmark, Options, Run
from .statistics import resampled_scores

Result = Mapping[str, Any]
"""What a finished run leaves, see :func:`execute`."""

_DATA = ('train_dataloader', 'val_dataloader', 'val_evaluator')
_DECIDES_RESULTS = ('model', *_DATA, 'optim_wrapper', 'param_scheduler', 'train_cfg', 'randomness')


def read_results(path: str | Path) -> dict[str, Result]:
    """Reads the results of finished runs by the name of their run, of several of one run the last.

    Raises:
        DataError: On a line that is damaged; a file that is missing is as good as an empty one.
    """
    path = Path(path)
    results: dict[str, Result] = {}
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines() if path.is_file() else [], 1):
        try:
            result = json.loads(line)
            results[result['run']] = result
        except (ValueError, KeyError, TypeError):
            raise DataError(f'{path}, line {number}: is no finished run; delete the line to do its run again') from None
    return results


def append_result(path: str | Path, result: Result) -> None:
    """Adds the line of a finished run."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'ab', buffering=0) as file:  # in one piece, whenever the process is killed
        file.write(json.dumps(result).encode() + b'\n')


def chosen_options(benchmark: Benchmark, run: Run, results: Mapping[str, Result]) -> Options:
    """The choice of a run: the one that it tries, or the one that served its method best on held-out images."""
    if run.choice is not None:
        return benchmark.choices[run.choice]
    trials = [trial for trial in benchmark.tuning_runs() if (trial.method, trial.dataset) == (run.method, run.dataset)]
    if missing := [trial.name for trial in trials if trial.name not in results]:
        raise OptionError(f'{run.name} waits for {", ".join(missing)}')
    if not trials:
        return {}
    scores = [results[trial.name]['scores'].values() for trial in trials]
    means = [statistics.fmean(own[benchmark.metric] for own in each) for each in scores]
    return benchmark.choices[means.index(max(means))]


def execute(benchmark: Benchmark, run: Run, cfg: Config) -> dict[str, Any]:
    """Trains, or goes on training, and evaluates; of a run with members, only evaluates.

    Returns:
        The run's result: ``scores`` by dataset and key, without those of single classes; ``kinds``, which of them are
        comparable with the literature and which ours; ``readings`` of the headline along the run; ``resamples`` (the
        headline on resampled sets of each dataset's images); and what made it: the ``commit`` of the code (None
        in no working copy), ``machine``, ``precision`` and ``torch``. ``seconds`` are those of the training with its
        evaluations; None where the run was interrupted.

    Raises:
        CheckpointError: Where the checkpoint of a member is missing.
        OptionError: Where the evaluator does not measure the headline, or the work directory holds another run.
    """
    started, commit = time.monotonic(), commit_of()  # of the code that runs, whatever is checked out meanwhile
    runner, logged = _evaluate_members(benchmark, run, cfg) if run.members else _train(benchmark, run, cfg)
    evaluated = _dataset_metrics(runner)
    metrics = headline_metrics(evaluated, benchmark.metric, run.scored)
    scores = {name: _at(logged, f'{name}/', run.iterations) for name in evaluated}
    evaluator = runner.val_loop.evaluator if evaluated else None
    return dict(
        run=run.name,
        method=run.method.name,
        dataset=run.dataset,
        seed=run.seed,
        choice=run.choice,
        members=[member.name for member in run.members],
        iterations=run.iterations,
        batch_size=cfg.train_dataloader.batch_size,
        text=text_of(cfg),
        parameters=sum(p.numel() for p in runner.model.parameters()),
        scores=scores,
        kinds={name: {key: definition_of(f'{name}/{key}', evaluator).kind for key in scores[name]} for name in scores},
        readings={name: logged[f'{name}/{benchmark.metric}'] for name in metrics},
        resamples={name: _resamples(metric) for name, metric in metrics.items()},
        seconds=None if cfg.resume else round(time.monotonic() - started),
        commit=commit,
        machine=machine_name(),
        precision=training_precision(cfg),
        torch=torch.__version__,
    )


def _train(benchmark: Benchmark, run: Run, cfg: Config) -> tuple[Runner, dict[str, Series]]:
    go_on(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(FirstReading(benchmark.metric, run.scored), priority='LOWEST')
    runner.train()
    return runner, read_scalars(cfg.work_dir) if cfg.val_dataloader else {}


def _evaluate_members(benchmark: Benchmark, run: Run, cfg: Config) -> tuple[Runner, dict[str, Series]]:
    weights = member_checkpoints(benchmark, run, Path(cfg.work_dir).parent)
    runner = Runner.from_cfg(cfg)
    for member, file in zip(runner.model.members, weights, strict=True):
        load_weights(member, file)
    return runner, {key: {run.iterations: value} for key, value in runner.val().items()}


def member_checkpoints(benchmark: Benchmark, run: Run, work_dir: Path) -> list[Path]:
    """The last checkpoints of a run's members, each in its folder below ``work_dir``."""
    files = [work_dir / member.name / f'iter_{member.iterations}.pth' for member in run.members]
    for member, file in zip(run.members, files):
        if not file.is_file():
            raise CheckpointError(
                f'{file}: no such file, but {run.name} needs the last checkpoint of {member.name}; give the '
                f'--work-dir of that run, or delete its line from {benchmark.name}.jsonl to train it again'
            )
    return files


def go_on(cfg: Config) -> None:
    """Lets a run go on from the newest whole checkpoint in its work directory, if there is one."""
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


def _newest_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end."""
    for file in sorted(folder.glob('iter_*.pth'), key=lambda file: int(file.stem.removeprefix('iter_')), reverse=True):
        with contextlib.suppress(CheckpointError):
            check_checkpoint_file(file, resume=True)
            return file
    return None


class FirstReading(Hook):
    """Evaluates where a run goes on at a step that is to be evaluated: it may have been stopped before that.

    Before the first step it checks that the headline is measured.
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
    """The metric that measures the headline, for each dataset that is scored, of all metrics that are evaluated."""
    found: dict[str, ClassMetric] = {}
    for name in [name for name in evaluated if name in scored]:
        for metric in evaluated[name]:
            if isinstance(metric, ClassMetric) and metric.headline_key == headline:
                found[name] = metric
        if name not in found:
            known = ', '.join(type(metric).__name__ for metric in evaluated[name])
            raise OptionError(f'val_evaluator: {name} has no metric for the headline {headline}, only {known}')
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
    """The value of each scalar of a dataset at a step, single classes aside."""
    keys = [key for key in logged if key.startswith(prefix) and not is_class_key(key)]
    own = {key.removeprefix(prefix): logged[key] for key in keys}
    return {key: series[step] for key, series in own.items() if step in series}


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
