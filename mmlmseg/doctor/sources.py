"""What is looked at: the datasets of configs, folders and annotation files in COCO's formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import innermost, read_config
from ..datasets.folder import IMAGE_SUFFIXES, LABEL_SUFFIXES, named_files
from ..errors import DataError, OptionError, read_json, written
from .building import Source, build_source
from .findings import Case, Finding

SPLITS = ('train', 'val', 'test')
_IMAGE = dict(type='LoadImageFromFile')
_LABELS = dict(type='mmlmseg.LoadAnnotations')
_SEGMENTS = dict(type='mmlmseg.LoadSegments')


def sources_of(targets: Sequence[str]) -> list[Source]:
    """Builds the datasets of some targets.

    Args:
        targets: Config files; folders, with ``classes.json`` or with annotation files in COCO's formats; such files.

    Raises:
        OptionError: Where there is no such target, or a config cannot be read. What is wrong with a dataset is no
            error but a finding of its source.
    """
    found: list[Source] = []
    for target in targets:
        path = Path(target)
        if path.is_dir():
            found += _of_folder(path)
        elif path.suffix == '.json' and path.is_file() and _format_of(path) is not None:
            found += _of_annotation_file(path, path.parent)
        elif not path.exists():
            raise OptionError(f'{target}: no such file or folder; give a config, or the folder of a dataset')
        else:
            found += _of_config(target)
    if not found:
        raise OptionError(f'{", ".join(map(str, targets))}: names no dataset; a config needs a train_dataloader')
    return found


def _of_config(target: str) -> Iterator[Source]:
    """The datasets of all loaders of a config; one that a test shares with the validation comes once."""
    config = read_config(target)
    scope = config.get('default_scope') or 'mmseg'
    seen: list[Any] = []
    for split in SPLITS:
        called: set[str] = set()
        for part, name in _parts(config.get(f'{split}_dataloader'), f'{target}: {split}_dataloader'):
            if part in seen and name not in called:
                continue
            seen.append(part)
            source = build_source(part, split, name, scope)
            if source.name in called:
                what = f'two {split} datasets are named {source.name!r}; tell them apart with `names`'
                source = replace(source, findings=(*source.findings, Finding('dataset', source.label, what)))
            called.add(source.name)
            yield source


def _parts(loader: Any, where: str) -> list[tuple[Any, str | None]]:
    """The dataset configs of a loader, each with the name that the loader gives it; also where two have one name."""
    if not loader:
        return []
    if not isinstance(loader, Mapping):
        raise OptionError(f'{where} is {written(loader)}; it must be a dict')
    if not isinstance(loader.get('dataset'), Mapping):
        raise OptionError(f"{where} has no 'dataset'; give it the config of one")
    joined = innermost(loader['dataset'])
    parts = list(joined.get('datasets') or [loader['dataset']])
    names = list(joined.get('names') or [None] * len(parts))
    if len(names) != len(parts):
        raise OptionError(f'{where}: datasets: {len(names)} names for {len(parts)} datasets; give one each')
    return list(zip(parts, names))


def _of_folder(root: Path) -> Iterator[Source]:
    """The splits of a folder dataset; or the annotation files of a folder."""
    name = root.resolve().name
    if not (root / 'classes.json').is_file():
        files = [path for path in sorted([*root.glob('*.json'), *root.glob('annotations/*.json')]) if _format_of(path)]
        for path in files:
            yield from _of_annotation_file(path, root)
        if not files:
            what = f"{root}: holds no classes.json, and no annotation file in one of COCO's formats"
            yield Source(name, 'all', findings=(Finding('dataset', name, what),))
        return
    images, labels = (
        {name for name, _ in named_files(str(root / folder), suffixes)}
        for folder, suffixes in (('images', IMAGE_SUFFIXES), ('labels', LABEL_SUFFIXES))
    )
    lists = {path.stem: set(_lines(path)) for path in root.glob('*.txt')}
    splits = sorted((one for one in lists if one in SPLITS or images & lists[one]), key=_place_of)
    if not splits:
        what = f'{root}: has no list of samples; write train.txt and val.txt, a name a line, without folder and suffix'
        yield Source(name, 'all', findings=(Finding('dataset', name, what),))
        return
    notes: list[Finding] = []
    if rest := sorted(images.difference(*(lists[split] for split in splits))):
        unlisted = tuple(Case(f'{one}: on no list') for one in rest)
        notes.append(Finding('unlisted', name, f'{len(rest)} of {len(images)} images are on no list', unlisted))
    if 'train' in splits and 'val' not in splits:
        notes.append(Finding('no-val', name, f'has {", ".join(f"{split}.txt" for split in splits)}, but no val.txt'))
    segments = (root / 'instances').is_dir()
    for split in splits:
        steps = [_IMAGE, _SEGMENTS if segments else _LABELS]
        if split.startswith('test') and not labels & lists[split]:
            steps = steps[:1]
            what = f'none of its {len(lists[split])} images has labels'
            notes.append(Finding('no-labels', f'{name} ({split})', what))
        part = dict(type='mmlmseg.FolderDataset', data_root=str(root), split=split, pipeline=steps)
        yield build_source(part, split, None, 'mmseg', notes)
        notes = []


def _place_of(split: str) -> tuple[int, str]:
    """Sorts ``train``, ``val``, ``test`` before other splits."""
    return SPLITS.index(split) if split in SPLITS else len(SPLITS), split


def _of_annotation_file(path: Path, root: Path) -> Iterator[Source]:
    """The dataset of an annotation file; its images are looked for in the folders around it."""
    split = next((one for one in SPLITS if one in path.stem), path.stem)
    kind, first, png = _format_of(path) or ('InstanceDataset', '', '')
    inside = [one for one in (root, root.parent) for one in (one, *sorted(p for p in one.rglob('*') if p.is_dir()))]
    folders = dict(img_path=_holding(inside, first), seg_map_path=_holding([path.with_suffix(''), *inside], png))
    prefix = {key: folders[key] for key in (('img_path', 'seg_map_path') if png else ('img_path',))}
    part = dict(
        type=f'mmlmseg.{kind}',
        ann_file=str(path),
        data_prefix=prefix,
        metainfo=dict(label_space=root.resolve().name),
        pipeline=[_IMAGE, _SEGMENTS],
    )
    yield build_source(part, split, None, 'mmseg')


def _format_of(path: Path) -> tuple[str, str, str] | None:
    """The dataset class of an annotation file in one of COCO's formats, and the names of an image and of a map in it.

    None where it is another file; one that is damaged counts as an instance file, and is refused where it is built.
    """
    try:
        content = read_json(path, DataError, 'it was there a moment ago')
    except DataError:
        return 'InstanceDataset', '', ''
    if not isinstance(content, Mapping) or not {'images', 'annotations', 'categories'} <= content.keys():
        return None
    first = [(content[key] or [{}])[0] if isinstance(content[key], list) else {} for key in ('images', 'annotations')]
    image, annotation = (one if isinstance(one, Mapping) else {} for one in first)
    file = str(image.get('file_name', ''))
    if 'segments_info' in annotation:
        return 'PanopticDataset', file, str(annotation.get('file_name', ''))
    return 'InstanceDataset', file, ''


def _holding(folders: Sequence[Path], file: str) -> str:
    """The first folder that holds a file; the first of all where none does."""
    return str(next((folder for folder in folders if file and (folder / file).is_file()), folders[0]))


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return []
