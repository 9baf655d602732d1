"""What the scripts in tools/ share: turning command-line options into a config that a runner can be built from."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope

from . import config, config_checks
from .allocator import keep_freed_memory
from .arguments import mistake_of_config
from .checkpoint_files import check_checkpoint_file, newest_checkpoint
from .errors import USER_ERRORS, OptionError
from .processes import has_accelerator, join_processes
from .runner_options import options_as_hooks


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends the script with one line, and status 2, where the user's config, data or checkpoint is at fault.

    Any other error goes on, with its traceback.
    """
    try:
        yield
    except USER_ERRORS as error:
        # From a worker of a data loader the message comes behind the traceback there, after the name of the error.
        message = str(error).rpartition(f'\n{type(error).__module__}.{type(error).__name__}: ')[2]
        lines = [line.strip() for line in message.splitlines()]
        print(f'error: {" ".join(filter(None, lines))}', file=sys.stderr)
        sys.exit(2)
    except (KeyError, TypeError) as error:
        if (mistake := mistake_of_config(error)) is None:
            raise
        print(f'error: {mistake}', file=sys.stderr)
        sys.exit(2)
    except ValueError as error:
        from .datasets.multi_parts import fault_of_empty  # is there already where a dataset is at fault

        if (fault := fault_of_empty(error)) is None:
            raise
        print(f'error: {fault}', file=sys.stderr)
        sys.exit(2)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config, apply the options that say what is trained or tested, and set work directory and label spaces.

    Args:
        args: With what `tools/common_arguments.py` reads, and `iterations` of a training or `checkpoint` of a test.

    Raises:
        OptionError: If there is no such file, an option does not fit it, or it cannot be run as it is written.
        CheckpointError, DataError, LabelSpaceError: If the label spaces cannot be told.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    datasets = [] if args.datasets is None else [name.strip() for name in args.datasets.split(',')]
    if len(set(datasets)) < len(datasets) or '' in datasets:
        raise OptionError(f'--datasets {args.datasets!r}: give names of datasets, each once')
    iterations, checkpoint = getattr(args, 'iterations', None), getattr(args, 'checkpoint', None)
    cfg = config.read_config(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options:
        config_checks.check_overrides(cfg, args.cfg_options)
        try:
            cfg.merge_from_dict(args.cfg_options)
        except (IndexError, KeyError, TypeError) as error:
            raise OptionError(f'--cfg-options: {str(error)[:200]}') from error
    config_checks.require(cfg, 'train' if checkpoint is None else 'test')
    config_checks.without_workers(cfg)
    config_checks.check_config(cfg, ('train', 'val') if checkpoint is None else ('test',))
    if datasets and checkpoint is None:
        config.restrict(cfg, datasets)
    elif datasets:
        config.evaluate_only(cfg, 'test', config.chosen_parts(cfg, 'test', datasets))
    if iterations is not None:
        config.set_length(cfg, iterations)
    config.complete_label_spaces(cfg, checkpoint)
    # Trainings on other datasets, or of another length, leave their checkpoints elsewhere.
    parts = [Path(args.config).stem, *datasets, *([str(iterations)] if iterations is not None else [])]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs', '_'.join(parts)))
    options_as_hooks(cfg)
    join_processes(cfg)
    if not has_accelerator():
        keep_freed_memory()
    return cfg


def use_amp(cfg: Config) -> None:
    """Switch the optimiser wrapper to automatic mixed precision; refused without accelerator and for other wrappers."""
    if not has_accelerator():
        raise OptionError(
            '--amp: mixed precision needs an accelerator (a GPU) and none is available here; train without --amp'
        )
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise OptionError(f'--amp: works with optim_wrapper type OptimWrapper, the config has {kind!r}')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def use_auto_scale_lr(cfg: Config) -> None:
    """Let mmengine scale the learning rate from the batch size that the config says it is for to the actual one."""
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise OptionError(
            '--auto-scale-lr: the config does not say which batch size its learning rate is for; add auto_scale_lr = '
            'dict(base_batch_size=16), or drop the option'
        )
    cfg.auto_scale_lr.enable = True


def use_resume(cfg: Config, checkpoint: str) -> None:
    """Continue a run from a checkpoint, checking first that it holds a whole training state.

    It is a file, or `'auto'` for the last one in the work directory, see :func:`newest_checkpoint`. If there is none,
    training starts anew, from the `load_from` of the config if it has one.
    """
    if checkpoint != 'auto':
        check_checkpoint_file(checkpoint, resume=True)
    found = newest_checkpoint(cfg.work_dir) if checkpoint == 'auto' else checkpoint
    cfg.resume = found is not None
    if found is not None:
        cfg.load_from = str(found)
        return
    start = cfg.get('load_from')
    print(f'--resume: {cfg.work_dir} holds no checkpoint, training starts anew{f" from {start}" if start else ""}')
    if start:
        check_checkpoint_file(start)


def use_tta(cfg: Config) -> None:
    """Test with augmentation: `tta_model` around the model, and a pipeline of views for every dataset.

    The views come from `tta_pipelines`, a pipeline per dataset name, or else from `tta_pipeline`, one for all.
    """
    if 'tta_model' not in cfg:
        raise OptionError("--tta: the config has no tta_model; add tta_model = dict(type='mmlmseg.MultiSpaceTTA')")
    pipelines = cfg.get('tta_pipelines', {})
    for name, part in config.parts_of(cfg.test_dataloader.dataset).items():
        pipeline = pipelines.get(name, cfg.get('tta_pipeline'))
        if pipeline is None:
            raise OptionError(
                f'--tta: the config has no augmented pipeline for dataset {name!r}; add '
                f'tta_pipeline for all or tta_pipelines = dict(name=[...]) (it has: {", ".join(pipelines) or "none"})'
            )
        for own in config.all_innermost(part):
            own.pipeline = pipeline
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model


def skip_unscored(cfg: Config, written: bool) -> None:
    """Takes the metrics from datasets whose pipeline loads no labels: their predictions can be written, not scored.

    Args:
        cfg: Changed in place.
        written: Whether predictions are written at all.

    Raises:
        OptionError: Where nothing would come of such a dataset.
    """
    parts = config.parts_of(cfg.test_dataloader.dataset)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmseg'):
        without = [name for name, part in parts.items() if not config_checks.loads_labels(part)]
    if without and not written:
        raise OptionError(
            f'dataset {", ".join(without)}: the test pipeline loads no labels, so nothing can be scored; add '
            "dict(type='mmlmseg.LoadAnnotations') behind LoadImageFromFile, or write the predictions by --out or "
            '--show-dir'
        )
    if without:
        print(f'dataset {", ".join(without)}: predictions are written, not scored; the pipeline loads no labels')
    if len(without) == len(parts):
        cfg.test_evaluator = dict(type='Evaluator', metrics=[])
    elif without:
        unscored: dict[str, list] = {name: [] for name in without}
        cfg.test_evaluator.per_dataset = {**(cfg.test_evaluator.get('per_dataset') or {}), **unscored}


def use_show_dir(cfg: Config, folder: str) -> None:
    """Draw every tested image, with truth and prediction, into a folder."""
    cfg.default_hooks.visualization = dict(type='mmlmseg.VisualizationHook', draw=True, interval=1)
    cfg.visualizer = dict(
        type='mmlmseg.MultiSpaceVisualizer', vis_backends=[dict(type='LocalVisBackend')], save_dir=folder
    )
