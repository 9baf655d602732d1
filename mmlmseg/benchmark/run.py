"""One run of a benchmark: its config, its training, its result line."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

from ..config import read_config
from ..dataset_configs import innermost, space_name
from ..errors import OptionError, did_you_mean
from ..label_space import LabelSpace
from ..models.text.bank import SHIPPED_BANK
from ..registry import DATASETS
from ..scalars import Series, read_scalars
from .spec import Benchmark, Run
from .statistics import resampled_scores

HOLDOUT = 5  # tuning is scored on the last of so many parts of the training images


def run_config(benchmark: Benchmark, run: Run, options: Mapping[str, Any], work_dir: Path) -> Config:
    """The config of a run.

    Args:
        benchmark: The benchmark.
        run: One of its runs.
        options: The choice that the run is to take.
        work_dir: Where it leaves logs and checkpoints.

    Raises:
        OptionError: Where the method's config is missing, or lacks a dataset or its label space.
    """
    cfg = read_config(run.method.config)
    iterations = benchmark.length_of(run)
    length = {
        'train_cfg.max_iters': iterations,
        'train_cfg.val_interval': iterations // (benchmark.readings if run.choice is None else 1),
        'randomness.seed': run.seed,
        'default_hooks.checkpoint.save_best': None,  # the last checkpoint is the result, not the best on val
        'default_hooks.checkpoint.max_keep_ckpts': 1,
    }
    cfg.merge_from_dict({**length, **benchmark.options, **run.method.options, **options})
    for scheduler in cfg.param_scheduler if isinstance(cfg.param_scheduler, list) else [cfg.param_scheduler]:
        if scheduler.type == 'PolyLR':
            scheduler.end = iterations
    restrict(cfg, benchmark.trained_on(run), benchmark.scored_by(run))
    unknown = [name for name in benchmark.scored_by(run) if name not in cfg.val_dataloader.dataset.names]
    if unknown and run.dataset is None:
        raise OptionError(f'{run.method.config}: no dataset to train on has the label space of {", ".join(unknown)}')
    if run.choice is not None:
        hold_out(cfg)
    cfg.work_dir = str(work_dir / run.name)
    checkpoint = find_latest_checkpoint(cfg.work_dir) if Path(cfg.work_dir).is_dir() else None
    cfg.resume, cfg.load_from = checkpoint is not None, checkpoint
    return cfg


def restrict(cfg: Config, trained: Sequence[str], scored: Sequence[str]) -> None:
    """Leaves some datasets of a config and their label spaces.

    Args:
        cfg: With :class:`MultiDataset` in its loaders; changed in place.
        trained: Names of the datasets to train on.
        scored: Names of the datasets to evaluate, as far as their label spaces are among those trained on.

    Raises:
        OptionError: Where the config has no dataset of a name.
    """
    parts = _parts(cfg.train_dataloader.dataset, trained)
    spaces = {space_name(innermost(part)) for part in parts.values()}
    _set_parts(cfg.train_dataloader.dataset, parts)
    for dataset in (cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
        parts = _parts(dataset, scored)
        _set_parts(dataset, {name: part for name, part in parts.items() if space_name(innermost(part)) in spaces})
    head = cfg.model.decode_head
    head.label_spaces = [spec for spec in head.label_spaces if LabelSpace.from_config(spec).name in spaces]


def hold_out(cfg: Config) -> None:
    """Puts the last part of each training list in the place of the validation data, with the validation pipeline."""
    val = {name: part for name, part in zip(cfg.val_dataloader.dataset.names, cfg.val_dataloader.dataset.datasets)}
    train = cfg.train_dataloader.dataset
    held = {}
    for name, part in zip(train.names, train.datasets):
        size = len(DATASETS.build({**part, 'pipeline': []}))
        cut = size - size // HOLDOUT
        if name in val:
            held[name] = {**part, 'pipeline': val[name]['pipeline'], 'indices': list(range(cut, size))}
        part['indices'] = list(range(cut))
    for dataset in (cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
        _set_parts(dataset, held)


def execute(benchmark: Benchmark, run: Run, cfg: Config) -> dict[str, Any]:
    """Trains, or goes on training, and evaluates.

    Args:
        benchmark: The benchmark.
        run: One of its runs.
        cfg: Of :func:`run_config`.

    Returns:
        The run's result line: ``scores`` by dataset and key, ``readings`` of the headline along the run, ``resamples``
        (the headline on resampled sets of each dataset's images), and what it was made with.
    """
    started = time.monotonic()
    runner = Runner.from_cfg(cfg)
    runner.train()
    loop: Any = runner.val_loop
    metrics = {name: own[0] for name, own in loop.evaluator.dataset_metrics.items()}
    if any(metric.per_image is None for metric in metrics.values()):  # the training had ended before
        runner.val()
    logged = read_scalars(cfg.work_dir)
    return dict(
        run=run.name,
        method=run.method.name,
        dataset=run.dataset,
        seed=run.seed,
        choice=run.choice,
        iterations=cfg.train_cfg.max_iters,
        batch_size=cfg.train_dataloader.batch_size,
        text=text_of(cfg),
        parameters=sum(p.numel() for p in runner.model.parameters()),
        scores={name: _last(logged, f'{name}/') for name in metrics},
        readings={name: logged[f'{name}/{benchmark.metric}'] for name in metrics},
        resamples={name: resampled_scores(metric.per_image, metric.headline) for name, metric in metrics.items()},
        seconds=round(time.monotonic() - started),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else f'{os.cpu_count()} CPU cores',
        torch=torch.__version__,
    )


def text_of(cfg: Config) -> str:
    """What a model reads class names with, as results must say."""
    encoder = (cfg.model.decode_head.get('text') or {}).get('encoder') or {}
    kind = str(encoder.get('type', 'none')).rsplit('.', 1)[-1]
    if kind == 'TextBankEncoder':
        bank = encoder.get('bank', SHIPPED_BANK)
        return 'sentence bank' if bank == SHIPPED_BANK else f'text bank {Path(bank).name}'
    return f'CLIP {encoder.model}' if kind == 'OpenClipText' else kind


def _parts(dataset: Any, wanted: Sequence[str]) -> dict[str, Any]:
    """Some datasets of the config of a MultiDataset, by name."""
    names = list(dataset.get('names') or [space_name(innermost(part)) for part in dataset.datasets])
    for name in wanted:
        if name not in names:
            raise OptionError(f'the config has no dataset {name!r}: {", ".join(names)}.{did_you_mean(name, names)}')
    return {name: dataset.datasets[names.index(name)] for name in wanted}


def _set_parts(dataset: Any, parts: Mapping[str, Any]) -> None:
    dataset.datasets, dataset.names = list(parts.values()), list(parts)


def _last(logged: Mapping[str, Series], prefix: str) -> dict[str, float]:
    """The last value of each scalar of a dataset."""
    return {
        key.removeprefix(prefix): [*values.values()][-1] for key, values in logged.items() if key.startswith(prefix)
    }
