"""The config of a run, made from its method's: other length, other data, and whatever the benchmark changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..config import read_config
from ..dataset_configs import innermost, space_name
from ..errors import DataError, OptionError, did_you_mean
from ..label_space import LabelSpace
from ..registry import DATASETS
from .spec import Benchmark, Method, Options, Run

HOLDOUT = 5  # tuning is scored on the last of so many parts of the training images

_SET_BY_BENCHMARK = ('train_cfg.max_iters', 'train_cfg.val_interval', 'randomness.seed')
_COUNTS_ITERATIONS = ('begin', 'end', 'T_max', 'milestones')
_COMMON = (
    'model.backbone',
    'model.data_preprocessor',
    'optim_wrapper.optimizer',
    'param_scheduler',
    'train_dataloader.batch_size',
    'val_dataloader.dataset',
)


def check_fairness(benchmark: Benchmark) -> None:
    """Checks, before the first run, that all methods can do what the benchmark asks, and do it under one condition.

    Raises:
        OptionError: Where a config is missing, lacks a dataset or what an option changes, or differs from the reference
            in backbone, normalisation, optimiser, schedule, batch size, or the images and sizes that are scored.
    """
    configs = {}
    for method in benchmark.methods:
        for options in benchmark.choices:
            method_config(benchmark, method, options)
        configs[method] = cfg = method_config(benchmark, method, {})
        restrict(cfg, benchmark.datasets, benchmark.scored_datasets)
    reference = next(method for method in configs if method.name == benchmark.reference)
    for method, cfg in configs.items():
        for key in _COMMON:
            if _entry(cfg, key) != _entry(configs[reference], key):
                raise OptionError(
                    f'{benchmark.name}: {method.name} ({method.config}) has another {key} than {reference.name} '
                    f'({reference.config}); a comparison needs the same'
                )


def run_config(benchmark: Benchmark, run: Run, options: Options, work_dir: Path) -> Config:
    """The config of a run.

    Args:
        benchmark: The benchmark.
        run: One of its runs.
        options: The choice that the run is to take.
        work_dir: Where it leaves logs and checkpoints, in a folder of its own.

    Raises:
        OptionError: Where the method's config is missing, or lacks a dataset, its label space, or what an option
            changes.
        DataError: Where there are too few images to hold out some.
    """
    cfg = method_config(benchmark, run.method, options)
    set_length(cfg, benchmark.length_of(run), benchmark.readings if run.choice is None else 1)
    cfg.randomness.seed = run.seed
    cfg.default_hooks.checkpoint.save_best = None  # the last checkpoint is the result, not the best on val
    cfg.default_hooks.checkpoint.max_keep_ckpts = 2  # mmengine deletes the oldest before the newest is written
    restrict(cfg, benchmark.trained_on(run), benchmark.scored_by(run))
    if run.choice is not None:
        hold_out(cfg)
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.work_dir = str(work_dir / run.name)
    return cfg


def method_config(benchmark: Benchmark, method: Method, options: Options) -> Config:
    """The config of a method with the options of benchmark, method and choice, the later before the earlier.

    Raises:
        OptionError: Where the config is missing, has no such entry, or an option is the benchmark's to set.
    """
    cfg = read_config(method.config)
    given = copy.deepcopy({**benchmark.options, **method.options, **options})  # merging takes nested dicts apart
    for key in given:
        if key in _SET_BY_BENCHMARK:
            raise OptionError(f'{benchmark.name}: the option {key} follows from iterations, readings and seeds')
        parts = key.split('.')
        _entry(cfg, '.'.join(parts[:-1] or parts), f'{method.config}: to set {key}')
    cfg.merge_from_dict(given)
    return cfg


def set_length(cfg: Config, iterations: int, readings: int) -> None:
    """Shortens or lengthens a training: all that counts iterations keeps its share of the whole.

    Args:
        cfg: Changed in place.
        iterations: The new length.
        readings: Evaluations along it, evenly spaced.
    """

    def scaled(count: Any) -> Any:
        return [*map(scaled, count)] if isinstance(count, Sequence) else round(count * iterations / cfg.max_before)

    before = cfg.train_cfg.max_iters

    def share(count: Any) -> Any:
        return [share(c) for c in count] if isinstance(count, Sequence) else round(count * iterations / before)

    schedulers = cfg.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, Sequence) else [schedulers]:
        scheduler.update({key: share(scheduler[key]) for key in _COUNTS_ITERATIONS if key in scheduler})
    hook = cfg.default_hooks.checkpoint
    hook.interval = max(1, share(hook.interval))
    cfg.train_cfg.max_iters, cfg.train_cfg.val_interval = iterations, iterations // readings


def restrict(cfg: Config, trained: Sequence[str], scored: Sequence[str]) -> None:
    """Leaves some datasets of a config and their label spaces.

    Args:
        cfg: With :class:`MultiDataset` in its loaders; changed in place.
        trained: Names of the datasets to train on.
        scored: Names of the datasets to evaluate; those whose label space is not trained on are left out, unless they
            are trained on themselves.

    Raises:
        OptionError: Where the config has no dataset of a name, or its model not the label space of one.
    """
