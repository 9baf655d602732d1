"""Train a model from a config."""

from __future__ import annotations

import argparse

from common_arguments import add_common_arguments


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model.')
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint; without a file, from the last one in the work directory, if there is one',
    )
    parser.add_argument('--iterations', type=int, metavar='N', help='length of the training; its schedule follows')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision (needs an accelerator)')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate by the actual over the base batch size'
    )
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.checkpoint_files import check_checkpoint_file
from mmlmseg.processes import leave_processes
from mmlmseg.runner_options import build_runner


def main() -> None:
    args = parse_args()
    with cli.one_line_errors():
        cfg = cli.load_config(args)
        if args.amp:
            cli.use_amp(cfg)
        if args.auto_scale_lr:
            cli.use_auto_scale_lr(cfg)
        if args.resume or (cfg.get('resume') and not cfg.get('load_from')):
            cli.use_resume(cfg, args.resume or 'auto')
        elif cfg.get('load_from'):
            check_checkpoint_file(cfg.load_from, resume=cfg.get('resume', False))
        build_runner(cfg).train()
    leave_processes()


if __name__ == '__main__':
    main()
