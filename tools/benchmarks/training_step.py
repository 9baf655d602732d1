"""Time a whole training step (forward, losses, backward, AdamW) beside mmseg's model of the same kind.

ResNet-50 with random weights, ADE20K's 150 classes, images of noise with blocks of ``--masks`` classes each. Both sides
run mmengine's ``train_step`` with the optimiser of their own config. ``floor`` of a side is the time that the
convolutions and matrix products of its step take alone (:mod:`mmlmseg.lab.floor`).

Example:
    python tools/benchmarks/training_step.py lmseg --precision auto --peer-precision float32
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import mmseg
import torch
from mmengine.config import Config

import mmlmseg  # noqa: F401  (registers its modules)
from mmlmseg.allocator import keep_freed_memory
from mmlmseg.config import read_config
from mmlmseg.lab import speed
from mmlmseg.lab.benchmark.spec import BASES
from mmlmseg.lab.floor import Products
from mmlmseg.lab.noise import batch, build, noise

CONFIGS = BASES.parent
OURS = {  # configs by row
    'maskformer': 'baselines/multi-head_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py',
    'lmseg': 'lmseg/lmseg_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py',
    'lmseg-prompt': 'lmseg/lmseg_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py',
    'mask2former': 'baselines/mask2former_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py',
    'resi': 'resi/resi_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py',
}
MMSEG = Path(mmseg.__file__).parent / '.mim/configs'
PEER_CONFIGS = {
    'maskformer': 'maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py',
    'mask2former': 'mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py',
}
PEERS = dict(zip(OURS, ['maskformer', 'maskformer', 'maskformer', 'mask2former', 'mask2former']))


def ours(row: str, precision: str) -> Config:
    """Our config of a row, on ADE20K alone and without weights to load."""
    cfg = read_config(CONFIGS / OURS[row])
    head = cfg.model.decode_head
    head.label_spaces = [dict(dataset='ADE20KDataset')]
    cfg.model.backbone.init_cfg = None
    cfg.model.precision = precision
    if row == 'lmseg-prompt':
        head.text.encoder.pretrained = None
    elif head.get('text'):
        head.text.encoder = dict(type='mmlmseg.TextBankEncoder')
    return cfg


def peer(row: str, precision: str) -> Config:
    """mmseg's config of a row, without weights to load and on one process."""
    cfg = Config.fromfile(MMSEG / PEER_CONFIGS[row])
    cfg.model.backbone.init_cfg = None
    cfg.model.backbone.norm_cfg.type = 'BN'
    if precision == 'bfloat16':
        cfg.optim_wrapper.type = 'mmlmseg.BFloat16OptimWrapper'  # mmengine's own needs an accelerator
    return cfg


def images(args: argparse.Namespace) -> dict[str, Any]:
    """What a loader gives: images of noise, and label maps of blocks with ``--masks`` of ADE20K's classes each."""
    return batch([noise(tuple(args.size), 'ade20k', 150, args.masks, i) for i in range(args.batch)])


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    whose, precision = args.side.split('-')
    if whose == 'ours':
        keep_freed_memory()  # as tools/train.py does
    cfg = (ours if whose == 'ours' else peer)(args.row if whose == 'ours' else PEERS[args.row], precision)
    model, optim = build(cfg)
    step_count = iter(range(10**6))

    def step() -> None:
        data = images(args)
        torch.manual_seed(next(step_count))
        model.train_step(data, optim)

    if args.profile:
        _profile(step)
    figures = speed.measure(step, args.repeats, warmup=2)
    if whose == 'ours':
        with Products() as products:
            step()
        figures['floor'] = sum(products.seconds().values())
    print(json.dumps(figures))


def _profile(step: Any) -> None:
    for _ in range(5):
        step()
    with torch.profiler.profile(record_shapes=True) as found:
        step()
    print(found.key_averages().table(sort_by='self_cpu_time_total', row_limit=45, max_name_column_width=60))
    print(found.key_averages(group_by_input_shape=True).table(sort_by='self_cpu_time_total', row_limit=60))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('row', choices=list(OURS))
    parser.add_argument('--size', type=int, nargs=2, default=(512, 512), metavar=('H', 'W'))
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--masks', type=int, default=20, help='classes in each image')
    parser.add_argument('--precision', default='auto', help="ours: 'auto', 'bfloat16' or 'float32'")
    parser.add_argument('--peer-precision', default='float32', choices=['float32', 'bfloat16'])
    parser.add_argument('--profile', action='store_true', help='with --side: print where a step spends its time')
    speed.add_arguments(parser, rounds=2, repeats=3)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    same = ['--size', *args.size, '--batch', args.batch, '--masks', args.masks]
    own = [args.row, *same, '--repeats', args.repeats, '--threads', args.threads]
    names = f'ours-{args.precision}', f'mmseg-{args.peer_precision}'
    before = os.getloadavg()[0]
    figures = speed.in_turn(dict.fromkeys(names, own), args.rounds)
    sizes = dict(backbone='R50', size=list(args.size), batch=args.batch, masks=args.masks, threads=args.threads)
    speed.report(f'training step, {args.row}', figures, *names, goal='', sizes=sizes, load_before=before, out=args.out)


if __name__ == '__main__':
    main()
