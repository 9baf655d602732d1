"""The config of a run: of its method, with other length, other data, and whatever the benchmark changes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope

from ...config import all_innermost, complete_label_spaces, evaluate_only, innermost, read_config, restrict, set_length
from ...errors import DataError, OptionError, did_you_mean, errors_of
from ...label_space import LabelSpace
from ...models.head.adapters import served_alone
from ...registry import DATASETS, MODELS
from .spec import BASES, Benchmark, Method, Options, Run

HOLDOUT = 5  # tuning is scored on the last of so many parts of the training images
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


def compose(model: str, data: str) -> Config:
    """The config of a small model on some data: of the files of these names in ``configs/_base_``.

    What the model makes, and which checkpoint is best, the data say by ``results`` and ``best``.
    """
    names = [f'models/{model}', f'datasets/{data}', 'schedules/adamw_poly_4500', 'default_runtime']
    # mmengine writes the config down by this name.
    cfg = Config(cfg_text=f'# {", ".join(names)}', filename=f'{model}_{data}.py')
    for name in names:
        cfg.merge_from_dict(dict(read_config(BASES / f'{name}.py').items()))
    cfg.merge_from_dict(
        {
            'model.test_cfg': copy.deepcopy(cfg.get('results', {})),
            'default_hooks.checkpoint': dict(interval=250, save_best=cfg.get('best', 'mean/mIoU')),
        }
    )
    return cfg


def check_fairness(benchmark: Benchmark) -> None:
    """Checks, before the first run, that all methods can do what the benchmark asks, and under the same conditions.

    Raises:
        DataError, LabelSpaceError: Where the classes of a dataset cannot be read.
        OptionError: Where a config is missing, lacks a dataset or what an option changes, or differs from the reference
            in backbone, normalisation, optimiser, schedule, batch size, or in the images and sizes that are scored; or
            where models cannot be put together.
    """
    configs = {}
    for method in benchmark.methods:
        for choice in benchmark.choices:
            method_config(benchmark, method, choice)
        cfg = configs[method.name] = method_config(benchmark, method, {})
        with errors_of(benchmark.name):
            restrict(cfg, benchmark.datasets, benchmark.evaluated_datasets, benchmark.unseen)
        complete_label_spaces(cfg)
        _check_unseen(benchmark, method, cfg)
        if lost := set(benchmark.evaluated_datasets) - set(cfg.val_dataloader.dataset.names):
            raise OptionError(
                f'{cfg.filename}: no dataset to train on has the label space of {", ".join(sorted(lost))}'
            )
    for run in benchmark.final_runs():
        if run.members and run.seed == benchmark.seeds[0]:
            run_config(benchmark, run, {}, Path())
    for key in benchmark.differing:
        if key not in _COMMON:
            near = did_you_mean(key, _COMMON)
            raise OptionError(f'{benchmark.name}: differing: {key!r} is none of the common conditions.{near}')
    wanted = configs[benchmark.reference]
    for name, cfg in configs.items():
        for key in sorted(set(_COMMON) - set(benchmark.differing), key=_COMMON.index):
            if _entry(cfg, key) != _entry(wanted, key):
                raise OptionError(
                    f'{benchmark.name}: {name!r} ({cfg.filename}) and {benchmark.reference!r} ({wanted.filename}) '
                    f'differ in {key}; a comparison needs the same for all, or `differing` that names it'
                )


def _check_unseen(benchmark: Benchmark, method: Method, cfg: Config) -> None:
    """Only what serves all label spaces can answer in one that nothing was trained in."""
    if not benchmark.unseen:
        return
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
        model = MODELS.build(copy.deepcopy(cfg.model))
    own = {space for space in served_alone(model).values() if space not in benchmark.datasets}
    if own or getattr(model.decode_head, 'text', None) is None:
        raise OptionError(
            f'{benchmark.name}: {method.name!r} ({cfg.filename}) cannot be asked for {", ".join(benchmark.unseen)}, '
            'which it is not trained in: it reads no class names, or has parameters for each label space of its own'
        )


def run_config(benchmark: Benchmark, run: Run, options: Options, work_dir: Path) -> Config:
    """The config of a run with a choice of options; logs and checkpoints go to the run's folder in ``work_dir``."""
    cfg = method_config(benchmark, run.method, options)
    set_length(cfg, run.iterations, benchmark.readings if run.choice is None else 1)
    cfg.merge_from_dict(
        {
            'randomness.seed': run.seed,
            'default_hooks.checkpoint.save_best': None,  # the last checkpoint is the result, not the best on val
            'default_hooks.checkpoint.max_keep_ckpts': 2,  # of one, mmengine deletes the old before it writes the new
        }
    )
    restrict(cfg, run.trained, run.evaluated, [name for name in benchmark.unseen if name in run.evaluated])
    complete_label_spaces(cfg)
    if run.choice is not None:
        hold_out(cfg)
    if not cfg.val_dataloader.dataset.names:  # a model that is only asked together with others
        cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = cfg.test_cfg = None
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.work_dir = str(work_dir / run.name)
    if run.members:
        _unite(cfg, [run_config(benchmark, member, options, work_dir) for member in run.members])
    return cfg


def method_config(benchmark: Benchmark, method: Method, choice: Options) -> Config:
    """The config of a method with the options of benchmark, method and choice, of which the later win."""
    cfg = read_config(method.config) if method.config else compose(str(method.model), str(benchmark.data))
    options = copy.deepcopy({**benchmark.options, **method.options, **choice})  # merging takes nested dicts apart
    for option in options:
        if option in _OF_THE_BENCHMARK:
            raise OptionError(
                f'{benchmark.name}: {option} is no option, it follows from iterations, readings and seeds'
            )
        parent, _, key = option.rpartition('.')
        if not isinstance(_entry(cfg, parent), (dict, list)) if parent else key not in cfg:
            raise OptionError(f'{cfg.filename}: has no {parent or key}, but {benchmark.name} has the option {option}')
    cfg.merge_from_dict(options)
    return cfg


def hold_out(cfg: Config) -> None:
    """Takes the last part of each training list from the training, and scores on it in place of the validation data."""
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    pipelines = {name: innermost(part).pipeline for name, part in zip(val.names, val.datasets)}
    kept, held = {}, {}
    for name, part in zip(train.names, train.datasets):
        kept[name] = copy.deepcopy(part)
        scored = []
        for own, shortened in zip(all_innermost(part), all_innermost(kept[name])):  # several of a ConcatDataset
            shortened.indices, last = _cut(own, name)
            scored.append({**own, 'indices': last, 'pipeline': pipelines.get(name, [])})
        if name in pipelines:
            held[name] = scored[0] if len(scored) == 1 else dict(type='ConcatDataset', datasets=scored)
    train.datasets, train.names = list(kept.values()), list(kept)
    evaluate_only(cfg, 'val', held)


def _cut(dataset: Mapping[str, Any], name: str) -> tuple[int | list[int], int | list[int]]:
    """The images to train on and those to hold out, as ``indices`` of mmengine's datasets."""
    # Serialising is for workers, and makes Python look for garbage in all that is loaded.
    size = len(DATASETS.build({**dataset, 'pipeline': [], 'indices': None, 'serialize_data': False}))
    taken = dataset.get('indices')
    if isinstance(taken, int):
        taken = range(size)[:taken] if taken >= 0 else range(size)[taken:]
    number = size if taken is None else len(taken)
    out = number // HOLDOUT
    if not out:
        raise DataError(f'dataset {name!r}: {number} training images are too few to hold out one of {HOLDOUT}')
    # A number where it will do: mmengine writes the config down again and again.
    return (size - out, -out) if taken is None else (list(taken[:-out]), list(taken[-out:]))


def _unite(cfg: Config, members: Sequence[Config]) -> None:
    """Puts the models of several configs in the place of a config's own; which results are made stays what it says."""
    known = Counter(LabelSpace.from_config(spec).name for own in members for spec in own.model.decode_head.label_spaces)
    if twice := [name for name, count in known.items() if count > 1]:
        raise OptionError(
            f'{cfg.filename}: several datasets have the label space {", ".join(twice)}, so it is open which of the '
            'models trained on each alone is to answer for it; train on one of them, or leave out `alone`'
        )
    cfg.model = dict(
        type='mmlmseg.SegmentorUnion',
        members=[own.model for own in members],
        test_cfg=cfg.model.get('test_cfg'),
        data_preprocessor=cfg.model.data_preprocessor,
    )
    cfg.load_from = None


def _entry(cfg: Any, key: str) -> Any:
    """What a config holds under a dotted key, in which numbers count entries of lists; None where it holds nothing."""
    for part in key.split('.'):
        if isinstance(cfg, list):
            cfg = cfg[int(part)] if part.isdigit() and int(part) < len(cfg) else None
        else:
            cfg = cfg.get(part) if isinstance(cfg, (Config, dict)) else None
    return cfg
