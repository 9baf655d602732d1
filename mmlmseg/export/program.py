"""From the module of a model to a graph, and the graph to a file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch.export import Dim, ExportedProgram

from ..errors import OptionError
from .libraries import needed
from .module import ExportedModel

FORMATS = {'onnx': '.onnx', 'torch': '.pt2'}
"""The endings of files by format."""

INPUTS = ('images', 'rows')
_EXAMPLE = (2, 7)  # images and classes: any numbers but 0 and 1, which torch takes for constants


def traced(module: ExportedModel) -> ExportedProgram:
    """The graph of a module, for any number of images, of any height and width, and of rows where they are given."""
    images, classes = _EXAMPLE
    side = module.size_divisor
    example: tuple[torch.Tensor, ...] = (torch.zeros(images, len(module.mean), 4 * side - 1, 5 * side - 1),)
    if module.text_input:
        example += (torch.randn(classes, module.no_object.shape[-1]),)
    dynamic = tuple(dict.fromkeys(names, Dim.DYNAMIC) for names in _sizes(module))
    with torch.no_grad(), warnings.catch_warnings(), _sizes_stay_symbols():
        warnings.simplefilter('ignore')  # of torch to itself
        program = torch.export.export(
            module,
            example,
            dynamic_shapes=dynamic,
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    _drop_assertions(program)
    return program


@contextmanager
def _sizes_stay_symbols() -> Iterator[None]:
    """Lets timm divide positions by ``float(size)``, which makes a number of a symbol."""
    try:
        from timm.layers import pos_embed_sincos
    except ImportError:
        yield
        return
    with mock.patch.object(pos_embed_sincos, 'float', torch.sym_float, create=True):
        yield


def _drop_assertions(program: ExportedProgram) -> None:
    """Takes off what torch believes of sizes, such as that an image which is cut is never whole: what is asked there is
    whether memory is copied. :func:`~mmlmseg.export.verification.verify` shows whether results hold."""
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:
            graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()


def save_torch(program: ExportedProgram, path: str | Path) -> None:
    """Writes a graph for ``torch.export.load``."""
    torch.export.save(program, _placed(path))


def save_onnx(program: ExportedProgram, module: ExportedModel, path: str | Path) -> None:
    """Writes a graph as ONNX.

    Raises:
        OptionError: Where the libraries of the extra ``export`` are missing.
    """
    needed('onnx', 'onnxscript')
    names, sizes = INPUTS[: 1 + module.text_input], _sizes(module)
    logging.getLogger('onnxscript').setLevel(logging.ERROR)  # it tells each constant that it leaves
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        made = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(names),
            output_names=list(module.outputs),
            dynamic_shapes=sizes,  # the graph has them already, but not by name
            verbose=False,
        )
    assert made is not None
    made.save(str(_placed(path)))


def _sizes(module: ExportedModel) -> tuple[dict[int, str], ...]:
    """The names of the dimensions of the inputs that may be of any length."""
    return ({0: 'batch', 2: 'height', 3: 'width'}, {0: 'classes'})[: 1 + module.text_input]


def check_file(path: str | Path, kind: str) -> None:
    """Says at once, before anything is built, that a file has another ending than its format."""
    if Path(path).suffix != FORMATS[kind]:
        raise OptionError(f'--out {path}: format {kind} is written to a file that ends in {FORMATS[kind]}')


def _placed(path: str | Path) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)
