#!/usr/bin/env python
"""Cut the training images of a folder dataset in two halves, and label one of them coarsely.

A model that trains on both can be asked for fine labels of the coarse half, whose truth is known, and for both label
spaces at once, as the validation images have truth in both. Three folder datasets are written, below
work_dirs/halves/NAME_OF_THE_DATASET; coarse classes have no segments of things:

fine                    train: the first part of every sequence of frames; val: all of val
coarse                  train: the other parts; val: all of val; both with coarse labels
coarse_with_fine_truth  val: the training images of ``coarse``, with the labels that training does not see

and relations.yml, which declares what is inside what.

Example:
    python tools/benchmarks/split_and_coarsen.py data/camvid11 tools/benchmarks/coarse/camvid11.yml --name camvid
"""

from __future__ import annotations

import argparse
import json
import shutil
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='a folder dataset: images/, labels/, classes.json, train.txt, val.txt')
    parser.add_argument('mapping', help='YAML or JSON: the coarse class of each fine class, null to ignore it')
    parser.add_argument('--out', type=Path, help='where the folders are written')
    parser.add_argument('--name', help='what the label spaces are called before _fine and _coarse')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import numpy as np
import yaml
from PIL import Image
from rich.progress import track

from mmlmseg import cli
from mmlmseg.datasets import MultiDataset
from mmlmseg.datasets.checks import check_class_count
from mmlmseg.datasets.folder import read_split
from mmlmseg.errors import DataError, LabelSpaceError, OptionError, did_you_mean, errors_of
from mmlmseg.label_space import LabelSpace
from mmlmseg.relations import Relations
from mmlmseg.segments import IGNORE_INDEX

SPLITS = ('train', 'val')
OTHERS = '*'


class Folder(NamedTuple):
    """A folder dataset to be written.

    Attributes:
        name: Of the folder.
        description: What its ``classes.json`` says.
        table: The label to write by the label read, uint8 [256].
        splits: Names of samples by split.
        instances: Whether maps of instances, where there are any, come along.
    """

    name: str
    description: Mapping[str, Any]
    table: np.ndarray
    splits: Mapping[str, Sequence[str]]
    instances: bool


def read_mapping(path: str | Path, space: LabelSpace) -> tuple[list[str], np.ndarray]:
    """Reads the coarse class of every fine class from a YAML or JSON file, ``null`` for one that shall be ignored.

    The key ``*`` stands for all fine classes that are not named.

    Args:
        path: The file.
        space: The fine classes.

    Returns:
        The coarse classes in the order of the file, and the coarse label by the fine one, uint8 [256].

    Raises:
        OptionError: Where the file is missing or no mapping of names.
        LabelSpaceError: Where it leaves out a class, or names one that is not there.
    """
    try:
        mapping = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise OptionError(f'{path}: no such mapping file') from None
    except yaml.YAMLError as error:
        raise OptionError(f'{path}: neither YAML nor JSON ({" ".join(str(error).split())})') from None
    if not isinstance(mapping, dict) or not all(isinstance(c, str | None) for pair in mapping.items() for c in pair):
        raise OptionError(f'{path}: needs a coarse class, or null, for each fine class, e.g. "car: vehicle"')
    for c in mapping:
        if c not in (*space.classes, OTHERS):
            raise LabelSpaceError(f'{path}: {space.name!r} has no class {c!r}.{did_you_mean(c, space.classes)}')
    classes = list(dict.fromkeys(coarse for coarse in mapping.values() if coarse is not None))
    if OTHERS in mapping:
        mapping = {**dict.fromkeys(space.classes, mapping[OTHERS]), **mapping}
        del mapping[OTHERS]
    if missing := [c for c in space.classes if c not in mapping]:
        raise LabelSpaceError(f'{path}: lacks {", ".join(missing)}; give null to a class that shall be ignored')
    with errors_of(path):
        LabelSpace.create('coarse', classes)  # are the names usable?
    table = np.full(256, IGNORE_INDEX, np.uint8)
    for label, c in enumerate(space.classes):
        if mapping[c] is not None:
            table[label] = classes.index(mapping[c])
    return classes, table


def cut_sequences(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Cuts every sequence of frames in its middle, so that only the frames beside a cut have neighbours across it.

    A sequence are the names that differ in the number at their end. Of an odd number of frames, the smaller half gets
    one more.

    Returns:
        The names of both halves, by sequence and frame number.

    Example:
        >>> cut_sequences(['a_1', 'a_9', 'a_10', 'b_1', 'b_2', 'b_3', 'b_4', 'c'])
        (['a_1', 'a_9', 'b_1', 'b_2'], ['a_10', 'b_3', 'b_4', 'c'])
    """
    first: list[str] = []
    second: list[str] = []
    for _, frames in groupby(sorted(names, key=_place), key=lambda name: _place(name)[0]):
        sequence = list(frames)
        middle = (len(sequence) + (len(first) <= len(second))) // 2
        first += sequence[:middle]
        second += sequence[middle:]
    return first, second


def _place(name: str) -> tuple[str, int]:
    """Sequence and frame number of a sample."""
    sequence = name.rstrip(string.digits)
    return sequence, int(name[len(sequence) :] or 0)


def plan(root: Path, mapping: str | Path, name: str | None = None) -> list[Folder]:
    """Says what to write.

    Args:
        root: The folder dataset.
        mapping: Of :func:`read_mapping`.
        name: The label spaces are called ``NAME_fine`` and ``NAME_coarse``; by default that of the dataset.

    Raises:
        DataError: Where there are not two images to train with, or a list of samples is unusable.
        LabelSpaceError: Where ``classes.json`` or the mapping is unusable.
        OptionError: Where the mapping cannot be read.
    """
    space = LabelSpace.from_json(root)
    check_class_count(space, wide=False)
    classes, table = read_mapping(mapping, space)
    train, val = (read_split(root / f'{split}.txt') for split in SPLITS)
    fine, coarse = cut_sequences(train)
    if not coarse:
        raise DataError(f'{root / "train.txt"}: a single sample cannot be split; list at least two')
    same = np.arange(256, dtype=np.uint8)
    described = json.loads((root / 'classes.json').read_text(encoding='utf-8'))
    for key in ('ids', 'colours'):  # labels are written as they are read
        described.pop(key, None)
    fine_space = {**described, 'ignore': IGNORE_INDEX, 'name': f'{name or space.name}_fine'}
    coarse_space = dict(classes=classes, ignore=IGNORE_INDEX, name=f'{name or space.name}_coarse')
    return [
        Folder('fine', fine_space, same, dict(train=fine, val=val), instances=True),
        Folder('coarse', coarse_space, table, dict(train=coarse, val=val), instances=False),
        Folder('coarse_with_fine_truth', fine_space, same, dict(val=coarse), instances=True),
    ]


def relations(fine: Mapping[str, Any], coarse: Mapping[str, Any], table: np.ndarray) -> Relations:
    """What the mapping declares: a coarse class of one fine class is the same, of several it holds each.

    Args:
        fine: What ``classes.json`` says of the fine label space.
        coarse: Of the coarse one.
        table: The coarse label by the fine one.
    """
    of_coarse = [table[: len(fine['classes'])].tolist().count(label) for label in range(len(coarse['classes']))]
    pairs: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for name, label in zip(fine['classes'], table.tolist()):
        if label != IGNORE_INDEX:
            finer, coarser = f'{fine["name"]}:{name}', f'{coarse["name"]}:{coarse["classes"][label]}'
            pairs[of_coarse[label] == 1].append((finer, coarser))
    return Relations(same=tuple(pairs[True]), inside=tuple(pairs[False]))


def write(folder: Folder, root: Path, out: Path) -> dict[str, set[int]]:
    """Writes a folder dataset, whose images are links; the lists come last: where they stand, all is complete.

    Args:
        folder: What to write.
        root: The folder dataset that it is made from.
        out: Where to.

    Returns:
        The labels that occur, by split.

    Raises:
        DataError: Where a file of the dataset is missing, damaged, or holds labels of no class; it is named.
        OptionError: Where ``out`` is the dataset itself.
    """
    if out.resolve() == root.resolve():
        raise OptionError(f'{out}: is the dataset itself; give another --out')
    (out / 'labels').mkdir(parents=True, exist_ok=True)
    loading = [dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')]
    source = dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=loading, serialize_data=False)
    samples = MultiDataset([dict(source, split=split) for split in SPLITS], names=SPLITS)
    index = {name: i for i, name in enumerate(name for split in SPLITS for name in read_split(root / f'{split}.txt'))}
    present: dict[str, set[int]] = {split: set() for split in folder.splits}
    for split, names in folder.splits.items():
        for name in track(names, f'{folder.name}/{split}:'):
            sample = samples[index[name]]
            labels = folder.table[sample['gt_seg_map']]  # [H, W]
            present[split] |= set(np.unique(labels).tolist()) - {IGNORE_INDEX}
            image, label = Path(sample['img_path']), out / 'labels' / f'{name}.png'
            link(image, out / 'images' / f'{name}{image.suffix}')
            label.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(labels).save(label)
            if folder.instances and 'panoptic_path' in sample:
                link(Path(sample['panoptic_path']), out / 'instances' / f'{name}.png')
    (out / 'classes.json').write_text(json.dumps(folder.description, indent=1) + '\n', encoding='utf-8')
    for split, names in folder.splits.items():
        (out / f'{split}.txt').write_text('\n'.join(names) + '\n', encoding='utf-8')
    return present


def link(source: Path, target: Path) -> None:
    """Makes a file appear at a second place: as a link, or as a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        out = args.out or Path('work_dirs', 'halves', args.root.resolve().name)
        fine, coarse, _ = folders = plan(args.root, args.mapping, args.name)
        for folder in folders:
            present = write(folder, args.root, out / folder.name)
            for split, names in folder.splits.items():
                absent = [c for i, c in enumerate(folder.description['classes']) if i not in present[split]]
                without = f', without {", ".join(absent)}' if absent else ''
                print(f'{out / folder.name / split}.txt: {len(names)} images{without}')
        declared = relations(fine.description, coarse.description, coarse.table).to_dict()
        (out / 'relations.yml').write_text(yaml.safe_dump(declared, sort_keys=False), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
