"""Export a model: a graph of images to scores or masks, in ONNX or for torch.export, and a JSON that describes it.

Examples:
    python tools/export.py CONFIG WEIGHTS --label-space camvid11 --out camvid11.onnx
    python tools/export.py CONFIG WEIGHTS --classes "sky, house, motorbike" --text-input --out any_classes.onnx
    python tools/export.py CONFIG WEIGHTS --label-spaces camvid11,ccp --task panoptic --out both.onnx
    python tools/export.py CONFIG WEIGHTS --label-space camvid11 --precision int8 --score 100 --out camvid11_int8.onnx
    python tools/export.py CONFIG WEIGHTS --label-space camvid11 --format torch --out camvid11.pt2
    python tools/export.py CONFIG WEIGHTS --web page/ --runtime package/ --examples photos/

docs/export.md says what can be exported, and how an exported file is run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Export an mmlmseg model to ONNX or torch.export.')
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights')
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument('--label-space', metavar='NAME', help='answer in this label space of the model')
    asked.add_argument('--label-spaces', metavar='A,B', help='answer in several, each with outputs of its own')
    asked.add_argument('--classes', metavar='LIST', help='answer with these classes, e.g. "sky, house, motorbike"')
    parser.add_argument(
        '--text-input',
        action='store_true',
        help='take the text rows of classes (tools/build_text_rows.py) as an input: a new class list needs no export',
    )
    parser.add_argument('--task', choices=['semantic', 'panoptic'], default='semantic', help='default: semantic')
    parser.add_argument('--format', choices=['onnx', 'torch'], default='onnx', help='default: onnx')
    parser.add_argument(
        '--precision', choices=['fp32', 'fp16', 'int8'], default='fp32', help='of weights and products (default: fp32)'
    )
    parser.add_argument(
        '--calibrate',
        type=int,
        default=32,
        metavar='N',
        help='training images that int8 is calibrated on (default: 32)',
    )
    parser.add_argument(
        '--score',
        type=int,
        default=0,
        metavar='N',
        help='score fp16 or int8 beside fp32 on the first N images that the model is tested on',
    )
    parser.add_argument('--out', metavar='FILE', help='file to write; FILE.json is written beside it')
    web = parser.add_argument_group('a page without a server, in place of --out')
    web.add_argument(
        '--web', metavar='DIR', help='write a page into this folder, in which the model runs in the browser'
    )
    web.add_argument(
        '--runtime', metavar='DIR', help='the unpacked npm package onnxruntime-web, copied beside the page'
    )
    web.add_argument('--names', metavar='FILE', help='the names that can be typed (default: those of the text bank)')
    web.add_argument('--examples', metavar='IMAGES', help='images to offer: a file, folder or glob')
    web.add_argument('--title', default='mmlmseg', help='of the page (default: %(default)s)')
    args = parser.parse_args(argv)
    if (args.out is None) == (args.web is None):
        parser.error('give --out FILE or --web DIR, one of them')
    if args.web is not None:
        if args.runtime is None:
            parser.error('--web needs --runtime: the folder `package` of `npm pack onnxruntime-web`, unpacked')
        graph = (args.classes, args.label_spaces, args.text_input or None, args.score or None)
        if any(graph) or (args.task, args.format, args.precision) != ('semantic', 'onnx', 'fp32'):
            parser.error('--web says what is exported: leave all but --label-space out')
    elif any((args.runtime, args.names, args.examples)):
        parser.error('--runtime, --names and --examples are of --web')
    if args.format == 'torch' and args.precision != 'fp32':
        parser.error(f'--precision {args.precision} is made of ONNX only; leave --format torch out')
    if args.score and args.precision == 'fp32':
        parser.error('--score compares fp16 or int8 with fp32; give --precision')
    if args.calibrate < 1 or args.score < 0:
        parser.error('--calibrate and --score are numbers of images')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

from mmlmseg import cli
from mmlmseg.apis import LMSegInferencer
from mmlmseg.export.web import write_page
from mmlmseg.export.writing import Request, export_model
from mmlmseg.models.text.bank import read_names


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    if args.web is not None:
        return write_web(args)
    spaces = args.label_spaces
    request = Request(
        label_space=args.label_space,
        classes=args.classes,
        label_spaces=None if spaces is None else [name.strip() for name in spaces.split(',')],
        text_input=args.text_input,
        task=args.task,
        format=args.format,
        precision=args.precision,
        calibrate=args.calibrate,
        score=args.score,
    )
    with cli.one_line_errors():
        request.check(args.out)
        inferencer = LMSegInferencer(args.config, args.checkpoint, device='cpu')
        for line in export_model(inferencer, request, Path(args.out)):
            print(line, flush=True)
    return 0


def write_web(args: argparse.Namespace) -> int:
    """``--web``."""
    with cli.one_line_errors():
        names = None if args.names is None else read_names(args.names)
        inferencer = LMSegInferencer(args.config, args.checkpoint, device='cpu')
        page = dict(label_space=args.label_space, names=names, examples=args.examples, title=args.title)
        for line in write_page(inferencer, Path(args.web), args.runtime, **page):
            print(line, flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
