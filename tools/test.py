"""Test a model and evaluate it, each dataset in its own label space."""

from __future__ import annotations

import argparse

from common_arguments import add_common_arguments


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a model and evaluate it.')
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation, by tta_model of the config')
    parser.add_argument('--out', metavar='FILE.pkl', help='write the predictions, with their metainfo, to this file')
    parser.add_argument('--show-dir', metavar='DIR', help='draw image, truth and prediction of every image into DIR')
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out: {args.out} must end in .pkl; for pictures use --show-dir')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.runner import Runner

from mmlmseg import cli
from mmlmseg.checkpoint_files import check_checkpoint_file
from mmlmseg.evaluation.report import write_report
from mmlmseg.processes import leave_processes


def main() -> None:
    args = parse_args()
    with cli.one_line_errors():
        cfg = cli.load_config(args)
        check_checkpoint_file(args.checkpoint)
        cfg.load_from = args.checkpoint
        if args.tta:
            cli.use_tta(cfg)
        cli.skip_unscored(cfg, written=bool(args.out or args.show_dir))
        if args.show_dir:
            cli.use_show_dir(cfg, args.show_dir)
        runner = Runner.from_cfg(cfg)
        if args.out:
            runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
        results = runner.test()
        if results and is_main_process():
            write_report(Path(runner.log_dir, 'results.json'), results, runner.test_evaluator)
            print(f'every number, with what it means: {runner.log_dir}/results.json')
        del runner
    leave_processes()


if __name__ == '__main__':
    main()
