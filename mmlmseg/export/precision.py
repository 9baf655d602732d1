"""Half and quarter precision of an ONNX file, by the tools of ONNX Runtime."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .libraries import needed
from .module import ExportedModel

PRECISIONS = ('fp32', 'fp16', 'int8')

# What ends in a probability, and where positions are computed, whose numbers half precision does not hold.
_KEPT = ('Softmax', 'Resize', 'Range', 'CumSum', 'Sin', 'Cos', 'Floor', 'Mod', 'ReduceL2', 'GatherND', 'GatherElements')


def save_fp16(exact: Path, out: Path) -> None:
    """Writes an ONNX file with weights and products in fp16; what goes in and comes out stays float32.

    Args:
        exact: The file in fp32.
        out: The file to write.
    """
    onnx = needed('onnx')
    converter = needed('onnxruntime.transformers.float16')
    kept = [*converter.DEFAULT_OP_BLOCK_LIST, *_KEPT]
    with _constants_folded(exact) as folded:
        model = converter.convert_float_to_float16(onnx.load(folded), keep_io_types=True, op_block_list=kept)
    onnx.save(model, out)


@contextmanager
def _constants_folded(exact: Path) -> Iterator[Path]:
    """A file whose weights are constants: an exported one still scales those of convolutions by the norm behind them,
    and turns those of linear layers."""
    runtime = needed('onnxruntime')
    with tempfile.TemporaryDirectory() as folder:
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC  # no operators of its own
        options.optimized_model_filepath = str(Path(folder) / 'folded.onnx')
        options.log_severity_level = 3
        runtime.InferenceSession(str(exact), options, providers=['CPUExecutionProvider'])
        yield Path(options.optimized_model_filepath)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without ONNX Runtime's word to everyone to prepare the graph before, as :func:`_constants_folded` has done."""

    def is_other(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith('Please consider')

    root = logging.getLogger()
    root.addFilter(is_other)
    try:
        yield
    finally:
        root.removeFilter(is_other)


class Calibration:
    """Images that an int8 graph is calibrated on; ONNX Runtime asks for one after the other.

    Args:
        images: ``[1, C, H, W]`` each.
        module: The model that is exported.
    """

    def __init__(self, images: Iterable[NDArray[np.float32]], module: ExportedModel) -> None:
        assert not module.text_input
        self._rest: Iterator[NDArray[np.float32]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The inputs of the graph; None behind the last image."""
        image = next(self._rest, None)
        return None if image is None else dict(images=image)


def save_int8(exact: Path, out: Path, calibration: Any) -> None:
    """Writes an ONNX file whose convolutions and linear layers are int8 (static; a scale of each channel of weights).

    Products of two computed tensors, such as attention and masks, stay float32.

    Args:
        exact: The file in fp32.
        out: The file to write.
        calibration: See :class:`Calibration`.
    """
    tools = needed('onnxruntime.quantization', 'onnx')
    reader = type('Reader', (tools.CalibrationDataReader,), dict(get_next=lambda self: calibration.get_next()))()
    with _constants_folded(exact) as folded, _without_advice():
        graph = needed('onnx').load(folded).graph
        weights = {own.name for own in graph.initializer}
        tools.quantize_static(
            str(folded),
            str(out),
            reader,
            quant_format=tools.QuantFormat.QDQ,
            op_types_to_quantize=['Conv', 'MatMul', 'Gemm'],
            per_channel=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            nodes_to_exclude=[n.name for n in graph.node if n.op_type == 'MatMul' and n.input[1] not in weights],
        )
