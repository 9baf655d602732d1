"""Time the deformable pixel decoder, forwards and backwards, beside mmdet's without compiled operators.

Both have the weights that Mask2Former starts with, and get R50's maps of images of one size. ``output`` is the norm of
the per-pixel embeddings, for comparison.

Example:
    python tools/benchmarks/deformable_attention.py --size 512 512
"""

from __future__ import annotations

import argparse
import json
import os

import torch
from mmengine.config import ConfigDict

import mmlmseg  # noqa: F401  (registers its modules)
from mmlmseg.allocator import keep_freed_memory
from mmlmseg.lab import speed
from mmlmseg.models.numerics import precision_context
from mmlmseg.registry import MODELS

CHANNELS = dict(zip((4, 8, 16, 32), (256, 512, 1024, 2048), strict=True))  # of R50's maps, by stride
ATTENTION = dict(embed_dims=256, num_heads=8, num_levels=3, num_points=4, dropout=0.0, batch_first=True)
SIDES = {
    'ours': dict(type='mmlmseg.DeformablePixelDecoder'),
    'mmdet': dict(
        type='mmdet.MSDeformAttnPixelDecoder',
        encoder=dict(
            num_layers=6,
            layer_cfg=dict(
                self_attn_cfg=ATTENTION,
                ffn_cfg=dict(embed_dims=256, feedforward_channels=1024, num_fcs=2, ffn_drop=0.0),
            ),
        ),
    ),
}


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as tools/train.py does
    decoder = MODELS.build(ConfigDict(SIDES[args.side], in_channels=list(CHANNELS.values())))
    torch.manual_seed(0)
    decoder.init_weights()
    feats = [torch.randn(args.batch, c, *(side // stride for side in args.size)) for stride, c in CHANNELS.items()]
    feats = [own.to(memory_format=torch.channels_last).requires_grad_() for own in feats]
    norms = []

    def step() -> None:
        with precision_context(args.precision, torch.device('cpu')):
            mask, _ = decoder(feats)
        mask.float().square().mean().backward()
        norms.append(mask.detach().float().norm().item())

    print(json.dumps({**speed.measure(step, args.repeats), 'output': norms[0]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, nargs=2, default=(512, 512), metavar=('H', 'W'))
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--precision', default='auto', help="'auto', 'bfloat16' or 'float32', of both sides")
    speed.add_arguments(parser)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    own = ['--size', *args.size, '--batch', args.batch, '--precision', args.precision]
    own += ['--repeats', args.repeats, '--threads', args.threads]
    before = os.getloadavg()[0]
    figures = speed.in_turn(dict.fromkeys(SIDES, own), args.rounds)
    sizes = dict(size=list(args.size), batch=args.batch, precision=args.precision, threads=args.threads)
    speed.report('deformable pixel decoder', figures, *SIDES, goal='', sizes=sizes, load_before=before, out=args.out)


if __name__ == '__main__':
    main()
