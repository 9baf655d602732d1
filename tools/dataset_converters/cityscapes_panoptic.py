#!/usr/bin/env python
"""Turns Cityscapes' own instance maps into COCO's panoptic format.

    python tools/dataset_converters/cityscapes_panoptic.py data/cityscapes

reads ``gtFine/SPLIT/CITY/*_gtFine_instanceIds.png`` of the splits train and val. It writes
``gtFine/cityscapes_panoptic_SPLIT.json`` and, into a folder beside it, the PNG files:
what ``mmlmseg.CityscapesPanopticDataset`` reads.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='the folder with gtFine/')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import numpy as np
from rich.progress import track

from mmlmseg import cli
from mmlmseg.datasets.transforms import read_instances
from mmlmseg.errors import DataError, errors_of
from mmlmseg.label_space import LabelSpace
from mmlmseg.panoptic_png import write_panoptic_png

SPLITS = ('train', 'val')
SUFFIX = '_gtFine_instanceIds.png'
MAX_LABEL_ID = 33
# Cityscapes' ids of the 19 evaluated classes, in the order of the label space; every other id is void.
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def make_categories() -> list[dict[str, Any]]:
    """The 19 categories in COCO's form; their ids are Cityscapes' own, as its evaluation wants them."""
    space = LabelSpace.from_dataset('mmlmseg.CityscapesPanopticDataset')
    described = zip(LABEL_IDS, space.classes, space.palette, space.is_thing, strict=True)
    return [
        dict(id=label_id, name=name, color=list(colour), isthing=int(is_thing))
        for label_id, name, colour, is_thing in described
    ]


def convert(instances: np.ndarray, categories: Sequence[dict[str, Any]]) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Converts an instance map.

    Args:
        instances: Integers [H, W]: ``label id * 1000 + number`` for a single object, else the label id, which for a
            thing is a group of objects that nobody told apart.
        categories: Of :func:`make_categories`.

    Returns:
        Segment ids [H, W], which are those of the instances, 0 where void; and COCO's description of each segment.

    Raises:
        DataError: On an id that Cityscapes does not know.
    """
    is_thing = {category['id']: bool(category['isthing']) for category in categories}
    segments, kept = [], np.zeros_like(instances)
    for instance in np.unique(instances).tolist():
        label_id = instance // 1000 if instance >= 1000 else instance
        if not 0 <= label_id <= MAX_LABEL_ID:
            raise DataError(f'instance id {instance} is of no class of Cityscapes; take the original instanceIds.png')
        if label_id not in is_thing:
            continue
        mask = instances == instance
        kept[mask] = instance
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        segments.append(
            dict(
                id=instance,
                category_id=label_id,
                area=int(mask.sum()),
                bbox=[int(value) for value in box],
                iscrowd=int(instance < 1000 and is_thing[label_id]),
            )
        )
    return kept, segments


def check_segments(
    described: Sequence[Sequence[dict[str, Any]]], folder: Path, categories: Sequence[dict[str, Any]]
) -> None:
    """Makes sure that the maps of a split are Cityscapes' own: other tools write files of this name that mean less.

    Args:
        described: Of each image its segments.
        folder: Of the split.
        categories: Of :func:`make_categories`.

    Raises:
        DataError: Where no pixel is of an evaluated class, or no object is told from another.
    """
    segments = [segment for image in described for segment in image]
    things = {category['id'] for category in categories if category['isthing']}
    crowds = [segment['iscrowd'] for segment in segments if segment['category_id'] in things]
    if not segments:
        raise DataError(
            f'{folder}: all pixels are void: no id is of an evaluated class of Cityscapes (7 road ... 33 bicycle); '
            'take the original instanceIds.png'
        )
    if crowds and all(crowds):
        raise DataError(
            f'{folder}: tells no object from another: all {len(crowds)} segments of things hold a class id only, which '
            'means a group of objects (crowd); take the original instanceIds.png, with ids such as 26001'
        )


def convert_split(root: Path, split: str) -> int:
    """Converts the files of a split; the JSON file is written last, so that where it stands all is complete.

    Args:
        root: Cityscapes' folder.
        split: ``train`` or ``val``.

    Returns:
        How many images there are.

    Raises:
        DataError: Where there is no instance map, one is unusable, or they are not Cityscapes' own.
    """
    folder, categories = root / 'gtFine' / split, make_categories()
    files = sorted(folder.glob(f'*/*{SUFFIX}'))
    if not files:
        raise DataError(f'{folder}: holds no CITY/*{SUFFIX}; unpack gtFine_trainvaltest.zip in {root}')
    out = root / 'gtFine' / f'cityscapes_panoptic_{split}'
    out.mkdir(exist_ok=True)

    def convert_file(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        name = file.name.removesuffix(SUFFIX)
        instances = read_instances(str(file))
        with errors_of(file):
            ids, segments = convert(instances, categories)
        png = out / f'{name}_gtFine_panoptic.png'
        write_panoptic_png(png, ids)
        height, width = ids.shape
        image = dict(id=name, file_name=f'{file.parent.name}/{name}_leftImg8bit.png', height=height, width=width)
        return image, dict(image_id=name, file_name=png.name, segments_info=segments)

    with ThreadPoolExecutor() as pool:
        converted = list(track(pool.map(convert_file, files), f'{split}:', total=len(files)))
    check_segments([annotation['segments_info'] for _, annotation in converted], folder, categories)
    images, annotations = ([pair[i] for pair in converted] for i in range(2))
    content = dict(images=images, annotations=annotations, categories=categories)
    out.with_suffix('.json').write_text(json.dumps(content), encoding='utf-8')
    return len(files)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    root = parse_args(argv).root
    with cli.one_line_errors():
        for split in SPLITS:
            count = convert_split(root, split)
            print(f'{root / "gtFine" / f"cityscapes_panoptic_{split}.json"}: {count} images')
    return 0


if __name__ == '__main__':
    sys.exit(main())
