"""The config of a run, made from its method's: other length, other data, and whatever the benchmark changes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...config import read_config, restrict, set_length
from ...errors import OptionError
from .data import hold_out
from .members import unite
from .runs import Method, Options, Run
from .spec import Benchmark

_OF_THE_BENCHMARK = ('train_cfg.max_iters', 'train_cfg.val_interval', 'randomness.seed')
_COMMON = (
    'model.backbone',
    'model.data_preprocessor',
    'model.test_cfg',
    'optim_wrapper.optimizer',
    'optim_wrapper.clip_grad',
    'param_scheduler',
    'train_dataloader.batch_size',
    'val_dataloader.dataset',
    'val_evaluator',
)


def check_fairness(benchmark: Benchmark) -> None:
    """Checks, before the first run, that all methods can do what the benchmark asks, and under the same conditions.

    Raises:
        OptionError: Where a config is missing, lacks a dataset or what an option changes, or differs from the reference
            in backbone, normalisation, optimiser, schedule, batch size, or in the images and sizes that are scored; or
            where models cannot be put together.
    """
    pairs = []
    for method in benchmark.methods:
        for choice in benchmark.choices:
            method_config(benchmark, method, choice)
        cfg = method_config(benchmark, method, {})
        restrict(cfg, benchmark.datasets, benchmark.evaluated_datasets)
        if lost := set(benchmark.evaluated_datasets) - set(cfg.val_dataloader.dataset.names):
            raise OptionError(
                f'{method.config}: no dataset to train on has the label space of {", ".join(sorted(lost))}'
            )
        pairs.append((method, cfg))
    for run in benchmark.final_runs():
        if run.members and run.seed == benchmark.seeds[0]:
            run_config(benchmark, run, {}, Path())
    reference, wanted = next(pair for pair in pairs if pair[0].name == benchmark.reference)
    for method, cfg in pairs:
        for key in _COMMON:
            if _entry(cfg, key) != _entry(wanted, key):
                raise OptionError(
                    f'{benchmark.name}: {method.name!r} ({method.config}) and {reference.name!r} ({reference.config}) '
                    f'differ in {key}; a comparison needs the same for all'
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
    cfg.merge_from_dict(
        {
            'randomness.seed': run.seed,
            'default_hooks.checkpoint.save_best': None,  # the last checkpoint is the result, not the best on val
            'default_hooks.checkpoint.max_keep_ckpts': 2,  # of one, mmengine deletes the old before it writes the new
        }
    )
    restrict(cfg, benchmark.trained_on(run), benchmark.evaluated_by(run))
    if run.choice is not None:
        hold_out(cfg)
    if not cfg.val_dataloader.dataset.names:  # a model that is only asked together with others
        cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = cfg.test_cfg = None
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.work_dir = str(work_dir / run.name)
    if run.members:
        unite(cfg, [run_config(benchmark, member, options, work_dir) for member in run.members])
    return cfg


def method_config(benchmark: Benchmark, method: Method, choice: Options) -> Config:
    """The config of a method with the options of benchmark, method and choice, of which the later win.

    Raises:
        OptionError: Where there is no such config, it lacks what an option changes, or an option is the benchmark's.
    """
    cfg = read_config(method.config)
    options = copy.deepcopy({**benchmark.options, **method.options, **choice})  # merging takes nested dicts apart
    for option in options:
        if option in _OF_THE_BENCHMARK:
            raise OptionError(
                f'{benchmark.name}: {option} is no option, it follows from iterations, readings and seeds'
            )
        parent, _, key = option.rpartition('.')
        if not isinstance(_entry(cfg, parent), (dict, list)) if parent else key not in cfg:
            raise OptionError(f'{method.config}: has no {parent or key}, but {benchmark.name} has the option {option}')
    cfg.merge_from_dict(options)
    return cfg


def _entry(cfg: Any, key: str) -> Any:
    """What a config holds under a dotted key, in which numbers count entries of lists; None where it holds nothing."""
    for part in key.split('.'):
        if isinstance(cfg, list):
            cfg = cfg[int(part)] if part.isdigit() and int(part) < len(cfg) else None
        else:
            cfg = cfg.get(part) if isinstance(cfg, (Config, dict)) else None
    return cfg
