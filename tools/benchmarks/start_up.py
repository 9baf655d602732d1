"""Time what a user waits for before anything happens: an import, ``--help``, and the reading of a long list of samples.

One JSON line each, beside mmseg's. mmseg's dataset reads the same list, but does not look for the files; ours does.

Example:
    python tools/benchmarks/start_up.py
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmseg
from mmseg.datasets import BaseSegDataset

import mmlmseg
from mmlmseg.datasets import FolderDataset
from mmlmseg.lab import speed

TOOLS = Path(__file__).resolve().parents[1]
MMSEG_TOOLS = Path(mmseg.__file__).parent / '.mim' / 'tools'
# Beside a CUDA build of torchvision or an mmcv without operators, mmseg needs what mmlmseg/compat.py mends.
MMSEG_IMPORT = f"""
import runpy
runpy.run_path({str(Path(mmlmseg.__file__).with_name('compat.py'))!r})['apply']()
import mmseg.apis
"""
GOALS = {
    'import': 'at most 1.2x of importing mmseg.apis',
    'help': 'at most 1 s',
    'names': 'at most 5 s for 200,000 names',
}


def write_folder(root: Path, names: int) -> None:
    """Writes a folder dataset of empty files."""
    listed = [f'photo_{i:08}' for i in range(names)]
    for folder, suffix in (('images', '.jpg'), ('labels', '.png')):
        (root / folder).mkdir(parents=True)
        for name in listed:
            os.close(os.open(root / folder / f'{name}{suffix}', os.O_CREAT))
    (root / 'train.txt').write_text('\n'.join(listed), encoding='utf-8')
    (root / 'classes.json').write_text(json.dumps(dict(classes=['road', 'sky'])), encoding='utf-8')


def step_of(what: str, side: str, root: Path) -> Callable[[], Any]:
    """What is measured: one of :data:`GOALS` on a side, ``ours`` or ``mmseg``."""
    if what == 'import':
        return _process('-c', 'import mmlmseg' if side == 'ours' else MMSEG_IMPORT)
    if what == 'help':
        tool = str((TOOLS if side == 'ours' else MMSEG_TOOLS) / 'train.py')
        return _process(tool, '--help')
    if side == 'ours':
        return lambda: FolderDataset(root, pipeline=[])
    prefix = dict(img_path='images', seg_map_path='labels')
    known = dict(classes=('road', 'sky'), palette=[(0, 0, 0), (1, 1, 1)])
    return lambda: BaseSegDataset(str(root / 'train.txt'), data_root=str(root), data_prefix=prefix, metainfo=known)


def _process(*arguments: str) -> Callable[[], Any]:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--names', type=int, default=200_000, help='listed samples')
    parser.add_argument('--what', choices=list(GOALS), help='only this one')
    parser.add_argument('--root', type=Path, help=argparse.SUPPRESS)
    speed.add_arguments(parser, rounds=2, repeats=3)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(speed.measure(step_of(args.what, args.side, args.root), args.repeats)))
        return
    for what in [args.what] if args.what else GOALS:
        before = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, 'data')
            if what == 'names':
                write_folder(root, args.names)
            own = ['--what', what, '--root', root, '--repeats', args.repeats]
            figures = speed.in_turn(dict(ours=own, mmseg=own), args.rounds)
        sizes = dict(names=args.names) if what == 'names' else dict(version=mmlmseg.__version__)
        speed.report(f'start: {what}', figures, 'ours', 'mmseg', GOALS[what], sizes, before, args.out)


if __name__ == '__main__':
    main()
