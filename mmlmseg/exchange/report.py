"""What a converter tells at its end."""

from __future__ import annotations

from pathlib import Path

from .labels import Labels
from .voc import Conversion


def write_coco(labels: Labels, root: Path, out: Path, overlaps: str = 'later') -> None:
    """Writes an annotation file, and prints what it holds, what is not in it, and how it is read.

    Args:
        labels: What was read.
        root: The folder from which the names of the images should start.
        out: The JSON file.
        overlaps: Which of two objects is on top by the rules of the tool, as ``mmlmseg.InstanceDataset`` takes it.
    """
    content, folder = labels.to_coco(root)
    content.save(out)
    counts = content.counts()
    labelled = {one['image_id'] for one in content.annotations}
    empty = len(content.images) - len(labelled)
    print(f'{out}: {len(content.images)} images ({empty} without an object), {sum(n for _, n in counts)} objects')
    for name, number in counts:
        print(f'  {number:6d} {name}')
    for line in labels.losses.lines():
        print(f'not taken over: {line}')
    print(
        f"read it by dict(type='mmlmseg.InstanceDataset', ann_file='{out}', data_prefix=dict(img_path='{folder}'), "
        f"overlaps='{overlaps}', metainfo=dict(label_space='{out.stem}'), pipeline=...)"
    )


def tell_folder(done: Conversion, out: Path) -> None:
    """Prints what a folder dataset that was written holds, what is not in it, and how it is read."""
    print(f'{out}: {", ".join(f"{number} images of {split}" for split, number in done.splits.items())}')
    for name, number in done.images.items():
        objects = f', {done.objects[name]} objects' if done.objects[name] else ''
        print(f'  {name}: in {number} images{objects}')
    for line in done.losses.lines():
        print(f'not taken over: {line}')
    split = next(iter(done.splits))
    print(f"read it by dict(type='mmlmseg.FolderDataset', data_root='{out}', split='{split}', pipeline=...)")
