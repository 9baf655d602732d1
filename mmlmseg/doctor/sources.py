"""What is looked at: the datasets of configs, folders and annotation files in COCO's formats, each built on its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.registry import DefaultScope

from ..arguments import mistake_of_config
from ..config import innermost, read_config, space_names
from ..datasets import MultiDataset
from ..datasets.annotation_file import AnnotationFileDataset
from ..datasets.coco_instances import InstanceDataset
from ..datasets.folder import IMAGE_SUFFIXES, LABEL_SUFFIXES, FolderDataset
from ..datasets.presence import innermost_sample
from ..errors import USER_ERRORS, DataError, LabelSpaceError, OptionError, errors_of, read_json, written
from ..label_space import LabelSpace
from .annotations import odd_ids, stray_boxes, usable_annotations
from .findings import Case, Finding, counted

SPLITS = ('train', 'val', 'test')
_IMAGE = dict(type='LoadImageFromFile')
_LABELS = dict(type='mmlmseg.LoadAnnotations')
_SEGMENTS = dict(type='mmlmseg.LoadSegments')


@dataclass(frozen=True)
class Source:
    """One split of one dataset.

    Attributes:
        name: Of the dataset.
        split: ``train``, ``val``, ``test``, or what the list of a folder is called.
        spaces: Its label spaces; none where it cannot be built.
        samples: Each a built dataset, below wrappers, and a place in it; repeated ones once.
        findings: What was found while it was built.
    """

    name: str
    split: str
    spaces: tuple[LabelSpace, ...] = ()
    samples: tuple[tuple[Any, int], ...] = field(default=(), repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def label(self) -> str:
        """How it is called in reports."""
        return f'{self.name} ({self.split})'

    @property
    def trains(self) -> bool:
        """Whether a model learns from it."""
        return self.split.startswith('train') and 'val' not in self.split

    @property
    def scores(self) -> bool:
        """Whether a model is scored on it."""
        return self.split.startswith(('val', 'test', 'dev'))


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
            source = _built(part, split, name, scope)
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
    parts = list(joined.get('datasets') or [joined])
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
    images, labels = set(_stems(root / 'images', IMAGE_SUFFIXES)), set(_stems(root / 'labels', LABEL_SUFFIXES))
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
    segments = (root / 'instances').is_dir()
    for split in splits:
        steps = [_IMAGE, _SEGMENTS if segments else _LABELS]
        if split.startswith('test') and not labels & lists[split]:
            steps = steps[:1]
            what = f'none of its {len(lists[split])} images has labels'
            notes.append(Finding('no-labels', f'{name} ({split})', what))
        part = dict(type='mmlmseg.FolderDataset', data_root=str(root), split=split, pipeline=steps)
        yield _built(part, split, None, 'mmseg', notes)
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
    yield _built(part, split, None, 'mmseg')


def _built(part: Any, split: str, name: str | None, scope: str, notes: Sequence[Finding] = ()) -> Source:
    """Builds the dataset of a config. What is wrong with its files, lists and annotations becomes findings."""
    called = name or '+'.join(_told_names(part))
    findings = list(notes)
    label = f'{called} ({split})'
    missing: list[Case] = []
    try:
        with DefaultScope.overwrite_default_scope(scope):
            joined = MultiDataset([part], None if name is None else [name], lazy_init=True)
            called = joined.names[0]
            label = f'{called} ({split})'
            inner = _below_wrappers(joined.datasets[0])
            if isinstance(inner, (FolderDataset, AnnotationFileDataset)):
                inner.on_missing = lambda sample, what: missing.append(Case(f'{sample}: {what}', (sample,)))
            if isinstance(inner, InstanceDataset):
                findings += _leave_out_unusable(inner, label)
            joined.full_init()
    except Exception as error:  # datasets may be of anybody, and the others shall still be looked at
        findings += _of_missing(missing, label)
        return Source(called, split, findings=(*findings, Finding('dataset', label, _said(error))))
    findings += _of_missing(missing, label)
    places = (innermost_sample(joined.datasets[0], place) for place in range(joined.sizes[0]))
    unique = {(id(dataset), place): (dataset, place) for dataset, place in places}
    return Source(called, split, joined.spaces[0], tuple(unique.values()), tuple(findings))


def _leave_out_unusable(dataset: InstanceDataset, label: str) -> list[Finding]:
    """Leaves those annotations of a dataset that can be drawn, and tells of the others."""
    file, findings = str(dataset.ann_file), []

    def change(content: dict[str, Any]) -> dict[str, Any]:
        kept, faults = usable_annotations(content)
        number = len(content['annotations'])
        for code, found, what in (
            ('annotation', faults, f'{len(faults)} of {counted(number, "annotation")} cannot be used'),
            ('box', strays := stray_boxes(kept), f'{counted(len(strays), "box", "boxes")} not around the polygons'),
            ('annotation-id', odd := odd_ids(kept), f'{counted(len(odd), "odd id")} of annotations'),
        ):
            if found:
                cases = tuple(Case(f'{file}: {one}', (file,)) for one in found)
                findings.append(Finding(code, label, what, cases))
        return {**content, 'annotations': kept}

    dataset.change_content(change)
    return findings


def _of_missing(missing: Sequence[Case], label: str) -> list[Finding]:
    return (
        [
            Finding(
                'missing-file', label, f'{counted(len(missing), "sample")} without a file that it needs', tuple(missing)
            )
        ]
        if missing
        else []
    )


def _below_wrappers(dataset: Any) -> Any:
    while (inner := getattr(dataset, 'dataset', None)) is not None:
        dataset = inner
    return dataset


def _said(error: Exception) -> str:
    if isinstance(error, USER_ERRORS):
        return ' '.join(str(error).split())
    mistake = mistake_of_config(error) if isinstance(error, (KeyError, TypeError)) else None
    return mistake or f'{type(error).__name__}: {error}'


def _told_names(part: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return space_names(part)
    except (*USER_ERRORS, KeyError, TypeError, AttributeError):
        return ('dataset',)


def _format_of(path: Path) -> tuple[str, str, str] | None:
    """The dataset class of an annotation file in one of COCO's formats, and the names of an image and of a map in it.

    None where it is another file; one that is damaged counts as an instance file, and is refused where it is built.
    """
    try:
        with errors_of(path):
            content = read_json(path, DataError, '')
    except (DataError, LabelSpaceError):
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


def _stems(folder: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    for parent, _, files in os.walk(folder, followlinks=False):
        below = Path(parent).relative_to(folder).as_posix()
        prefix = '' if below == '.' else f'{below}/'
        for file in files:
            stem, suffix = os.path.splitext(file)
            if suffix.lower() in suffixes:
                yield prefix + stem
