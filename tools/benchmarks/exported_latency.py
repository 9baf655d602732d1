"""Time an image of noise through a model in PyTorch, and through its ONNX file in ONNX Runtime and OpenVINO.

The figure is that of the graph: from pixels to a label map in float32, without reading and resizing of files. Sides run
in turn, each in a process of its own. With ``--peer``, mmseg's MaskFormer (ResNet-50, ADE20K, random weights)
runs beside them in PyTorch.

Example:
    python tools/benchmarks/exported_latency.py CONFIG WEIGHTS camvid11.onnx --label-space camvid11 --threads 2
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmlmseg.lab import speed


def eager(args: argparse.Namespace) -> Callable[[Any], Any]:
    """The model as the inferencer runs it, up to the label map of the image."""
    from mmengine.config import Config
    from mmseg.structures import SegDataSample

    from mmlmseg.allocator import keep_freed_memory
    from mmlmseg.apis import LMSegInferencer
    from mmlmseg.config import read_config

    keep_freed_memory()  # as tools/test.py does
    config: Config = read_config(args.config)
    config.model.precision = 'float32'
    model = LMSegInferencer(config, args.checkpoint, device='cpu').model

    @torch.no_grad()
    def run(image: Any) -> Any:
        sample = SegDataSample()
        size = image.shape[2:]
        sample.set_metainfo(dict(img_shape=size, ori_shape=size, label_spaces=(args.label_space,)))
        return model.test_step(dict(inputs=[torch.from_numpy(image[0])], data_samples=[sample]))

    return run


def onnxruntime_side(args: argparse.Namespace) -> Callable[[Any], Any]:
    """The file in ONNX Runtime, and the label map made of its scores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.file, options, providers=['CPUExecutionProvider'])
    return lambda image: session.run(None, dict(images=image))[0].argmax(1)


def openvino_side(args: argparse.Namespace) -> Callable[[Any], Any]:
    """The file in OpenVINO, in float32, and the label map made of its scores."""
    import openvino

    hints = dict(INFERENCE_NUM_THREADS=args.threads, INFERENCE_PRECISION_HINT='f32', PERFORMANCE_HINT='LATENCY')
    compiled = openvino.Core().compile_model(args.file, 'CPU', hints)
    return lambda image: compiled(image)[0].argmax(1)


def mmseg_side(args: argparse.Namespace) -> Callable[[Any], Any]:
    """mmseg's MaskFormer in PyTorch, up to the label map of the image."""
    from mmseg.structures import SegDataSample
    from training_step import peer

    from mmlmseg.lab.noise import build

    model = build(peer('maskformer', 'float32'))[0].eval()

    @torch.no_grad()
    def run(image: Any) -> Any:
        size = image.shape[2:]
        sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0)))
        return model.test_step(dict(inputs=[torch.from_numpy(image[0])], data_samples=[sample]))

    return run


SIDES = {'eager': eager, 'onnxruntime': onnxruntime_side, 'openvino': openvino_side}
PEER = {'mmseg-maskformer': mmseg_side}


def play(args: argparse.Namespace) -> None:
    """Measures one side and prints its figures."""
    torch.set_num_threads(args.threads)
    run = (SIDES | PEER)[args.side](args)
    image = np.random.default_rng(0).integers(0, 256, (1, 3, *args.size)).astype(np.float32)
    print(json.dumps(speed.measure(lambda: run(image), args.repeats, warmup=3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('file', help='what tools/export.py wrote for this label space')
    parser.add_argument('--label-space', required=True)
    parser.add_argument('--size', type=int, nargs=2, default=(512, 512), metavar=('H', 'W'))
    parser.add_argument('--peer', action='store_true', help="mmseg's MaskFormer beside them")
    speed.add_arguments(parser, rounds=4, repeats=10)
    args = parser.parse_args()
    if args.side:
        play(args)
        return
    own = [args.config, args.checkpoint, args.file, '--label-space', args.label_space, '--size', *args.size]
    own += ['--repeats', args.repeats, '--threads', args.threads]
    before = os.getloadavg()[0]
    figures = speed.in_turn(dict.fromkeys(SIDES | (PEER if args.peer else {}), own), args.rounds)
    sizes = dict(size=list(args.size), threads=args.threads, file=os.path.basename(args.file))
    for side in ('onnxruntime', 'openvino'):
        for other in ('eager', *PEER) if args.peer else ('eager',):
            speed.report(f'exported, {side}', figures, side, other, '>= 2x', sizes, before, args.out)


if __name__ == '__main__':
    main()
