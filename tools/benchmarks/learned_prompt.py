"""Time the text rows of a training step with a learned prompt beside those of a bank, and say which share of a step the
difference is.

The names are ADE20K's. Forward and backward of ``TextTable.categories``, in the precision that a training takes.

Example:
    python tools/benchmarks/learned_prompt.py --step-seconds 1.3  # of training_step.py lmseg
"""

from __future__ import annotations

import argparse
import json
import os

import torch

import mmlmseg  # noqa: F401  (registers its modules)
from mmlmseg.allocator import keep_freed_memory
from mmlmseg.lab import speed
from mmlmseg.label_space import LabelSpaces
from mmlmseg.models.numerics import precision_context
from mmlmseg.registry import MODELS

ENCODERS = {
    'bank': dict(type='mmlmseg.TextBankEncoder'),
    'prompt': dict(type='mmlmseg.OpenClipText', model='RN50-quickgelu', prompt_length=8),  # random weights
}


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as tools/train.py does
    spaces = LabelSpaces.from_config([dict(dataset='ADE20KDataset')])
    table = MODELS.build(
        dict(type='mmlmseg.TextTable', label_spaces=spaces, channels=256, encoder=ENCODERS[args.side])
    ).train()
    gradient = torch.randn(2, spaces.max_classes + 1, 256)

    def step() -> None:
        table.zero_grad()
        with precision_context(args.precision, torch.device('cpu')):
            rows = table.categories(spaces.names * 2).rows
        rows.backward(gradient)

    print(json.dumps(speed.measure(step, args.repeats, warmup=2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--precision', default='auto', help="'auto', 'bfloat16' or 'float32'")
    parser.add_argument('--step-seconds', type=float, default=1.3, help='with the bank: R50, 2 x 512x512')
    speed.add_arguments(parser, rounds=3, repeats=15)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    own = ['--precision', args.precision, '--step-seconds', args.step_seconds]
    own += ['--repeats', args.repeats, '--threads', args.threads]
    before = os.getloadavg()[0]
    figures = speed.in_turn(dict.fromkeys(ENCODERS, own), args.rounds)
    extra = figures['prompt']['wall'] - figures['bank']['wall']
    figures['prompt'] |= dict(extra=extra, share=extra / args.step_seconds)
    sizes = dict(names=151, prompt=8, precision=args.precision, threads=args.threads, step=args.step_seconds)
    goal = 'extra at most 5 % of a step'
    speed.report('learned prompt', figures, 'prompt', 'bank', goal, sizes, before, args.out)


if __name__ == '__main__':
    main()
