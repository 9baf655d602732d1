"""Time AdamW's step with parameters in few groups, and with each in a group of its own.

The parameters are those of LMSeg with ResNet-50, with gradients of noise and the options of its schedule. The sides:
``default`` is mmengine's constructor, ``merged`` ours, ``merged-unfused`` ours with ``fused=False``.

Example:
    python tools/benchmarks/optimizer_step.py --threads 1
"""

from __future__ import annotations

import argparse
import json
import os

import torch
from training_step import ours

from mmlmseg.lab import speed
from mmlmseg.lab.noise import build

OPTIONS = {
    'merged': dict(),
    'merged-unfused': dict(optimizer=dict(fused=False)),
    'default': dict(constructor='DefaultOptimWrapperConstructor'),
}


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    cfg = ours('lmseg', 'float32')
    cfg.merge_from_dict(dict(optim_wrapper=OPTIONS[args.side]))
    model, wrapper = build(cfg)
    trained = [p for p in model.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.grad = torch.randn_like(parameter) * 1e-3
    groups = wrapper.optimizer.param_groups
    counts = dict(groups=len(groups), parameters=len(trained), millions=sum(p.numel() for p in trained) / 1e6)
    print(json.dumps({**speed.measure(wrapper.optimizer.step, args.repeats, warmup=3), **counts}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    speed.add_arguments(parser, rounds=3, repeats=20)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    before = os.getloadavg()[0]
    own = ['--repeats', args.repeats, '--threads', args.threads]
    figures = speed.in_turn(dict.fromkeys(OPTIONS, own), args.rounds)
    sizes = dict(model='LMSeg R50', threads=args.threads)
    for side in ('merged', 'merged-unfused'):
        goal = 'at most 6 groups, 2.5 times as fast' if side == 'merged' else ''
        speed.report("optimiser's step", figures, side, 'default', goal, sizes, before, args.out)


if __name__ == '__main__':
    main()
