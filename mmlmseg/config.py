"""Config files: reading them, and what can be said of a config, or changed about it, before anything is built."""

from __future__ import annotations

import re
import traceback
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from .checkpoint import label_spaces_of
from .checkpoint_files import is_remote, read_checkpoint
from .class_weights import is_by_frequency
from .errors import LabelSpaceError, OptionError, did_you_mean
from .image_format import as_declared, declaration
from .label_space import LabelSpace, LabelSpaces
from .names import default_space_name
from .relations import Relations

_COUNTS_ITERATIONS = ('begin', 'end', 'T_max', 'milestones')


def read_config(path: str | Path) -> Config:
    """Reads a config file; where there is none, an OptionError names configs of a like name beside it."""
    path = Path(path)
    if not path.is_file():
        near = did_you_mean(path.name, [other.name for other in path.parent.glob('*.py')])
        raise OptionError(f'{path}: no such config file.{near}')
    try:
        return Config.fromfile(str(path))
    except Exception as error:
        fault = _fault_of_config(path, error)
        if fault is None:
            raise
        raise OptionError(fault) from error


def _fault_of_config(path: Path, error: Exception) -> str | None:
    """What is wrong with a config that cannot be read; None where the fault is elsewhere, as in what it imports."""
    said = f'{type(error).__name__}: {error}'
    frames = traceback.extract_tb(error.__traceback__)
    inside = Path(frames[-1].filename)
    for reader, own in reversed(list(pairwise(frames))):
        runs = own.name == '<module>' and reader.name.endswith('2dict')  # mmengine runs a config there
        if runs and (inside == Path(own.filename) or 'mmengine' in inside.parts):
            return f'{own.filename}, line {own.lineno}: {said}'
    if isinstance(error, SyntaxError):
        read = [frame.f_locals.get('filename') for frame, _ in traceback.walk_tb(error.__traceback__)]
        file = [name for name in read if isinstance(name, str) and Path(name).is_file()][-1]  # maybe one of its _base_
        first = error.__context__ if error.lineno is None and isinstance(error.__context__, SyntaxError) else error
        return f'{file}, line {first.lineno}: {first.msg}'
    if isinstance(error, FileNotFoundError):
        return f'{path}: {error}; mend its _base_'
    if isinstance(error, UnicodeDecodeError):
        return f'{path}: it, or one of its _base_, is not written in UTF-8: {error}'
    return f'{path}: {said}' if path.suffix != '.py' or 'mmengine' in inside.parts else None


def innermost(dataset: Any) -> Any:
    """The dataset config below wrappers such as RepeatDataset, where the pipeline stands; of a ConcatDataset, whose
    parts have one label space, the first."""
    return all_innermost(dataset)[0]


def all_innermost(dataset: Any) -> list[Any]:
    """The dataset configs below wrappers, those of a ConcatDataset one by one."""
    if 'dataset' in dataset:
        return all_innermost(dataset['dataset'])
    if _kind(dataset) == 'ConcatDataset' and dataset.get('datasets'):
        return [one for part in dataset['datasets'] for one in all_innermost(part)]
    return [dataset]


def parts_of(dataset: Any) -> dict[str, Any]:
    """The datasets of a loader by the names that :class:`MultiDataset` gives them; of any other dataset, itself."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    parts = [dataset] if _kind(dataset) == 'ConcatDataset' else list(dataset.get('datasets') or [dataset])
    names = dataset.get('names') or ['+'.join(space_names(part)) for part in parts]
    return dict(zip(names, parts))


def chosen_parts(cfg: Config, split: str, names: Sequence[str]) -> dict[str, Any]:
    """Some datasets of a split (``train``, ``val`` or ``test``) by name, in the asked order."""
    parts = parts_of(cfg[f'{split}_dataloader'].dataset)
    for name in names:
        if name not in parts:
            raise OptionError(
                f'{cfg.filename}: has no dataset {name!r}, only {", ".join(parts)}.{did_you_mean(name, parts)}'
            )
    return {name: parts[name] for name in names}


def inference_steps(
    cfg: Mapping[str, Any], spaces: Sequence[str] = (), trained: LabelSpaces | None = None
) -> list[Any]:
    """The test pipeline of a config for some label spaces, without the data that it names.

    It is that of the test dataset with these label spaces (or else with the first one, or of its name). Where there is
    none, or none is asked for: ``test_pipeline`` of the config; else the pipeline of the first test dataset; else only
    packing. Images are loaded as the dataset of these label spaces declares it, be it one for tests or for training.

    Args:
        cfg: A whole config.
        spaces: Names of the label spaces that are asked for.
        trained: Those of the model, by which datasets are told whose folders are away.

    Raises:
        OptionError: Where it depends on a folder that is away which pipeline that is.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    parts: dict[Any, Any] = {name: innermost(part) for name, part in parts_of(loader.get('dataset') or {}).items()}
    names = {} if trained is None else _trained_names(cfg, trained)
    told = {name: [names.get(own, own) for own in space_names(part)] for name, part in parts.items()}
    by_space = {'+'.join(told[name]): part for name, part in reversed(parts.items())}  # the first one counts
    known = {**parts, **by_space}
    for asked in dict.fromkeys(['+'.join(spaces), *spaces[:1]]) if spaces else ():
        if steps := known.get(asked, {}).get('pipeline'):
            return _reading(steps, declaration(known[asked]))
    common = cfg.get('test_pipeline') or next(iter(parts.values())).get('pipeline') or [dict(type='PackSegInputs')]
    if spaces and trained is not None:
        for name, part in parts.items():
            unknown = not set(told[name]) <= set(trained.names) and _is_away(part)
            if unknown and _of_images(part.get('pipeline') or common) != _of_images(common):
                raise OptionError(
                    f'{part.get("data_root", name)}: is not here to tell whether it is the dataset of label space '
                    f'{spaces[0]!r}, whose test pipeline reads the images. Say so in the config, '
                    f'metainfo=dict(label_space={spaces[0]!r}) of that dataset, or give all datasets one pipeline'
                )
    return _reading(common, _image_of(cfg, spaces, names))


def _reading(steps: Sequence[Mapping[str, Any]], image: Mapping[str, Any] | None) -> list[Any]:
    return list(steps) if image is None else as_declared(steps, image)


def _image_of(cfg: Mapping[str, Any], spaces: Sequence[str], names: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What the first dataset of some label spaces, or of the first of them, declares of its images.

    Where none is asked for, what all declare alike.
    """
    parts = [
        innermost(part)
        for split in ('test', 'val', 'train')
        for part in parts_of((cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}).values()
    ]
    told = [[names.get(own, own) for own in space_names(part)] for part in parts if part]
    if not spaces:
        declared = [declaration(part) for part in parts if part]
        return declared[0] if declared and all(own == declared[0] for own in declared) else None
    for asked in (list(spaces), [spaces[0]]):
        for own, part in zip(told, filter(None, parts), strict=True):
            if own == asked:
                return declaration(part)
    return None


def _of_images(steps: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The steps of a pipeline from a file on, without those that load annotations; mmseg's inference writes NDArray."""
    kinds = [_kind(step).replace('FromNDArray', 'FromFile') for step in steps]
    return [
        {**step, 'type': kind} for step, kind in zip(steps, kinds) if not re.search('Annotation|LoadSegments', kind)
    ]


def _is_away(dataset: Mapping[str, Any]) -> bool:
    """Whether a folder is not here that would tell the label spaces of a dataset config."""
    folders = [folder['data_root'] for folder in dataset.get('folders', [dataset]) if 'data_root' in folder]
    return any(not Path(folder).expanduser().is_dir() for folder in folders)


def space_names(dataset: Any) -> tuple[str, ...]:
    """The names of the label spaces of a dataset config: several of a ``MultiSpaceFolderDataset``, else one.

    They are told without reading data; for a folder whose ``classes.json`` cannot be read, the folder's name stands.
    """
    dataset = innermost(dataset)
    if _kind(dataset) == 'MultiSpaceFolderDataset':
        return tuple(_space_name({'type': 'FolderDataset', **folder}) for folder in dataset['folders'])
    return (_space_name(dataset),)


def _space_name(dataset: Mapping[str, Any]) -> str:
    metainfo = dataset.get('metainfo') or {}
    if 'label_space' in metainfo:
        return str(metainfo['label_space'])
    kind = _kind(dataset)
    if kind != 'FolderDataset' or 'data_root' not in dataset:
        return default_space_name(kind)
    return listed_name(Path(dataset['data_root']).expanduser())


def listed_name(spec: Any) -> str:
    """The name of what a config lists as a label space; also of a folder that is not here."""
    try:
        return LabelSpace.from_config(spec).name
    except LabelSpaceError:
        own = spec if isinstance(spec, Mapping) else dict(path=spec)
        if 'path' not in own:
            raise
        path = Path(own['path'])
        return str(own.get('name', path.parent.name if path.suffix == '.json' else path.name))


def _trained_names(config: Mapping[str, Any], trained: LabelSpaces) -> dict[str, str]:
    """The names of a model's label spaces by those that :func:`space_names` tells, which are others where data is away.

    A config lists label spaces, or the training datasets, in the order in which a checkpoint holds them.
    """
    listed = ((config.get('model') or {}).get('decode_head') or {}).get('label_spaces')
    if listed is not None:
        told = [listed_name(spec) for spec in listed]
    else:
        dataset = (config.get('train_dataloader') or {}).get('dataset')
        parts = parts_of(dataset).values() if dataset else ()
        told = list(dict.fromkeys(name for part in parts for name in space_names(part)))
    names = dict(zip(told, trained.names))
    consistent = all(told == name or told not in trained.names for told, name in names.items())
    return names if len(told) == len(trained) == len(names) and consistent else {}


def _kind(dataset: Mapping[str, Any]) -> str:
    kind = dataset.get('type', '')
    return (kind if isinstance(kind, str) else str(kind.__name__)).rsplit('.', 1)[-1]


def set_length(cfg: Config, iterations: int, readings: int | None = None) -> None:
    """Shortens or lengthens a training; its schedule keeps its shape.

    Args:
        cfg: Changed in place.
        iterations: The new length.
        readings: Evaluations along it, evenly spaced; by default as often as the config says, at the end at least.
    """
    before = cfg.train_cfg.get('max_iters')
    if before is None or iterations < 1:
        raise OptionError(
            f'{iterations} iterations: a training has at least one, and its config counts iterations '
            '(train_cfg.max_iters), not epochs'
        )

    def share(count: Any) -> Any:
        return [*map(share, count)] if isinstance(count, Sequence) else round(count * iterations / before)

    schedulers = cfg.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        scheduler.update({key: share(scheduler[key]) for key in _COUNTS_ITERATIONS if key in scheduler})
        for key, least in ('end', scheduler.get('begin', 0) + 1), ('T_max', 1):
            if key in scheduler:  # a warm-up of a long training takes one step of a short one, not none
                scheduler[key] = max(scheduler[key], least)
    interval = (
        min(cfg.train_cfg.get('val_interval', iterations), iterations) if readings is None else iterations // readings
    )
    cfg.train_cfg.max_iters, cfg.train_cfg.val_interval = iterations, interval
    if hook := _checkpoint_hook(cfg):
        hook.interval = min(hook.get('interval', interval), interval)


def restrict(cfg: Config, trained: Sequence[str], scored: Sequence[str] | None = None) -> None:
    """Leaves some datasets of a config, and what it says of these and of their label spaces.

    Args:
        cfg: With :class:`MultiDataset` in its loaders; changed in place.
        trained: Names of the datasets to train on.
        scored: Names of the datasets to evaluate, by default all, as far as all their label spaces are among those
            trained on.
    """
    loader, head = cfg.train_dataloader, cfg.model.decode_head
    before, parts = parts_of(loader.dataset), chosen_parts(cfg, 'train', trained)
    spaces = {name for part in parts.values() for name in space_names(part)}
    _set_parts(loader.dataset, parts)
    ratio = (loader.get('sampler') or {}).get('ratio', '')
    if not isinstance(ratio, str):
        weights = dict(ratio) if isinstance(ratio, Mapping) else dict(zip(before, ratio))
        loader.sampler.ratio = {name: weights[name] for name in parts if name in weights}
    repeat = (loader.get('sampler') or {}).get('repeat')
    if isinstance(repeat, Mapping):
        loader.sampler.repeat = {name: repeat[name] for name in parts if name in repeat}
    if scored is not None:
        chosen_parts(cfg, 'val', scored)
    for split in ('val', 'test'):
        if cfg.get(f'{split}_dataloader'):
            asked = parts_of(cfg[f'{split}_dataloader'].dataset)
            known = [name for name, part in asked.items() if spaces.issuperset(space_names(part))]
            kept = known if scored is None else [name for name in scored if name in known]
            evaluate_only(cfg, split, {name: asked[name] for name in kept})
    if 'label_spaces' in head:
        own = {listed_name(spec): spec for spec in head.label_spaces}
        if missing := spaces - own.keys():
            raise OptionError(
                f'{cfg.filename}: its model has no label space {", ".join(sorted(missing))}: {", ".join(own)}'
            )
        head.label_spaces = [spec for name, spec in own.items() if name in spaces]
    _leave_spaces(cfg.model, spaces)


def _leave_spaces(model: Any, names: Collection[str]) -> None:
    """Takes away what the config of a model says of other label spaces: relations, thresholds, adapters, weights of
    classes."""
    for place, key in (model.decode_head, 'relations'), (model.get('test_cfg', {}).get('mixed', {}), 'relations'):
        if place.get(key) is not None:
            place[key] = Relations.from_config(place[key]).among(names).to_dict()
    thresholds = model.get('test_cfg', {}).get('panoptic', {}).get('per_space', {})
    weights = model.decode_head.get('class_weights') or {}
    for by_space in (thresholds, model.decode_head.get('adapters', {}), {} if is_by_frequency(weights) else weights):
        for name in by_space.keys() - set(names):
            del by_space[name]


def evaluate_only(cfg: Config, split: str, parts: Mapping[str, Any]) -> None:
    """Leaves some datasets of a split (``val`` or ``test``), given by name; ``cfg`` is changed in place.

    With them stay the metrics that they have of their own, and the best checkpoint if it goes by one of them.
    """
    _set_parts(cfg[f'{split}_dataloader'].dataset, parts)
    evaluator = cfg[f'{split}_evaluator']
    special = (evaluator.get('per_dataset') or {}) if isinstance(evaluator, Mapping) else {}
    for name in special.keys() - parts.keys():
        del special[name]
    hook = _checkpoint_hook(cfg)
    best = str(hook.get('save_best'))
    if split == 'val' and '/' in best and best.split('/')[0] not in ('mean', *parts):
        hook.save_best = None
        print(f'no best checkpoint is kept: {best} (default_hooks.checkpoint.save_best) is not evaluated any more')


def _set_parts(dataset: Any, parts: Mapping[str, Any]) -> None:
    joined = innermost(dataset)
    if 'datasets' not in joined:
        raise OptionError(f'{joined.type}: is one dataset; some can be chosen only of those of mmlmseg.MultiDataset')
    joined.datasets, joined.names = list(parts.values()), list(parts)


def _checkpoint_hook(cfg: Config) -> Any:
    return cfg.get('default_hooks', {}).get('checkpoint') or {}


def complete_label_spaces(cfg: Config, checkpoint: str | Path | Mapping[str, Any] | None = None) -> None:
    """Writes down which label spaces a model has, where its config leaves that to its data: those of the training.

    Likewise the numbers of bands of their images, see :func:`mmlmseg.band_counts.complete_bands`.

    A model that was trained knows them: where a checkpoint is given, it tells, and no dataset needs to be here. Of what
    a config lists explicitly those stay that the checkpoint knows, as long as they can be read.

    Args:
        cfg: ``model.decode_head.label_spaces`` is set, relations are written out, and so is ``metainfo`` of folders
            whose label space is not named like them, so that a dump of the config serves where they are away; changed
            in place.
        checkpoint: What will be loaded to test or predict, a file or the state dict read from it; one named by address
            is not looked into.

    Raises:
        CheckpointError: Where the checkpoint cannot be read, or holds no label spaces.
        DataError: Where a dataset cannot be read.
        LabelSpaceError: Where a label space cannot be read, one name stands for different classes, or nothing tells.
    """
    from .band_counts import complete_bands  # reads configs by the functions above

    _name_folders(cfg)
    complete_bands(cfg)
    head = cfg.model.get('decode_head')
    if head is None:
        return
    for place in (head, cfg.model.get('test_cfg', {}).get('mixed', {})):
        if isinstance(place.get('relations'), (str, Path)):
            place['relations'] = Relations.from_config(place['relations']).to_dict()
    trained = _trained_spaces(checkpoint)
    if trained is not None:
        _leave_spaces(cfg.model, trained.names)
    if 'label_spaces' in head:
        try:
            listed = LabelSpaces.from_config(head.label_spaces)
            if trained is not None and set(trained.names) < set(listed.names):  # of a training with --datasets
                head.label_spaces = [listed.get(name).to_dict() for name in trained.names]
            return
        except LabelSpaceError:
            if trained is None:
                raise
    if trained is not None:
        spaces: Sequence[LabelSpace] = trained
    elif cfg.get('train_dataloader'):
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
            spaces = training_spaces(cfg.train_dataloader.dataset)
    else:
        raise LabelSpaceError(f'{cfg.filename}: has no train_dataloader to tell model.decode_head.label_spaces')
    head.label_spaces = [space.to_dict() for space in spaces]


def _name_folders(cfg: Config) -> None:
    for split in ('train', 'val', 'test'):
        dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        parts = innermost(dataset).get('datasets') or [dataset]
        for part in (one for own in parts for one in all_innermost(own)):
            for folder in part.get('folders') or ([part] if _kind(part) == 'FolderDataset' else []):
                name = _space_name({'type': 'FolderDataset', **folder})
                if 'data_root' in folder and name != Path(folder['data_root']).name:
                    folder['metainfo'] = {**(folder.get('metainfo') or {}), 'label_space': name}


def _trained_spaces(checkpoint: str | Path | Mapping[str, Any] | None) -> LabelSpaces | None:
    if isinstance(checkpoint, Mapping):
        return label_spaces_of(checkpoint)
    if checkpoint is None or is_remote(checkpoint):
        return None
    return label_spaces_of(read_checkpoint(checkpoint)['state_dict'])


def training_spaces(dataset: Any) -> tuple[LabelSpace, ...]:
    """The label spaces of the datasets of a loader, each once, in their order; no list of samples is read."""
    from .datasets import MultiDataset  # brings mmdet and mmseg, which take seconds and are needed here alone

    parts = {name: {**innermost(part), 'pipeline': []} for name, part in parts_of(dataset).items()}
    joined = MultiDataset(list(parts.values()), list(parts), lazy_init=True)
    first: dict[str, LabelSpace] = {}
    for space in (space for own in joined.spaces for space in own):
        first.setdefault(space.name, space)
    return tuple(first.values())
