"""A page in the browser that shows what a model says of images in several label spaces at once.

Examples:
    python tools/demo_app.py configs/lmseg/lmseg_r18_clash5.py best.pth
    python tools/demo_app.py configs/lmseg/lmseg_r18_clash5.py best.pth --examples photos --port 8000
    python tools/demo_app.py configs/lmseg/lmseg_r18_clash5.py best.pth --audit audit.html
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument(
        '--host', default='127.0.0.1', help='address to bind to; by default this machine alone reaches it (%(default)s)'
    )
    parser.add_argument('--port', type=int, help='port (default: the first free one from 7860 on)')
    parser.add_argument('--examples', metavar='DIR', help='folder of images that visitors can pick')
    parser.add_argument('--device', help='e.g. cpu or cuda:0; by default an accelerator if there is one')
    parser.add_argument('--audit', metavar='FILE', help='show this report of tools/audit.py (HTML) on a second page')
    parser.add_argument(
        '--cross-space', metavar='FILE', help='show these scores of tools/cross_space.py (cross_space.json) there'
    )
    parser.add_argument(
        '--max-mb', type=float, default=20, metavar='N', help='most megabytes of an image file (default: %(default)s)'
    )
    parser.add_argument(
        '--max-mp', type=float, default=16, metavar='N', help='most megapixels of an image (default: %(default)s)'
    )
    args = parser.parse_args(argv)
    if args.port is not None and not 0 < args.port < 65536:
        parser.error(f'--port {args.port}: a port is a number from 1 to 65535')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import signal
import tempfile
from pathlib import Path

from mmlmseg import cli
from mmlmseg.apis import LMSegInferencer
from mmlmseg.app.page import Demo
from mmlmseg.app.reports import audit_frame, cross_space_tables
from mmlmseg.app.serve import gradio_module, is_loopback, list_examples, serve
from mmlmseg.app.uploads import Limits


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as after Ctrl-C, uploads are deleted
    with cli.one_line_errors(), tempfile.TemporaryDirectory(prefix='mmlmseg-demo-') as folder:
        gradio_module(Path(folder))  # what is missing is said before the model is read
        reports = {}
        if args.audit:
            reports['Audit of the label spaces'] = audit_frame(args.audit)
        if args.cross_space:
            reports['Across label spaces'] = cross_space_tables(args.cross_space)
        demo = Demo(
            inferencer=LMSegInferencer(args.config, args.checkpoint, args.device),
            folder=Path(folder),
            limits=Limits(args.max_mb, args.max_mp),
            examples=list_examples(args.examples) if args.examples else [],
            reports=reports,
        )
        page = serve(demo, args.host, args.port)
        print(f'{page.local_url} shows the demo; Ctrl-C ends it.', flush=True)
        if not is_loopback(args.host):
            print(f'Whoever reaches this machine at {args.host} can use it: there is no password.', flush=True)
        page.block_thread()
    return 0


if __name__ == '__main__':
    sys.exit(main())
