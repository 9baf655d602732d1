"""ONNX files answer as the model does: any sizes, any number of images, any class list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmlmseg.errors import OptionError
from mmlmseg.export.module import ExportedModel
from mmlmseg.export.precision import Calibration, save_fp16, save_int8
from mmlmseg.export.program import save_torch, traced
from mmlmseg.export.verification import runs_onnx, runs_torch, verify
from mmlmseg.label_space import LabelSpace

Write = Callable[[ExportedModel], Path]
pytestmark = pytest.mark.slow  # an export takes half a minute


def kinds(file: Path) -> set[str]:
    """The operators of a graph, with their domain where it is not ONNX's own."""
    import onnx

    return {f'{node.domain}:{node.op_type}'.lstrip(':') for node in onnx.load(file).graph.node}


@pytest.mark.parametrize('presence', [None, dict(top=4)])  # then lists are shorter and longer than what guides
def test_one_graph_takes_other_images_and_other_classes(
    tiny: Callable[..., Any], to_onnx: Write, presence: dict[str, Any] | None
) -> None:
    module = ExportedModel(
        tiny(presence=presence), [LabelSpace.create('custom', ['sky', 'house'])], text_input=True
    ).eval()
    file = to_onnx(module)
    verify(module, runs_onnx(file), tolerance=1e-5)
    run, images, rows = runs_onnx(file), torch.rand(2, 3, 45, 80) * 255, torch.randn(6, 32)
    with torch.no_grad():
        (own,) = module(images, rows)
    (other,) = run([images, rows])
    assert own.shape == (2, 6, 45, 80)
    torch.testing.assert_close(other, own, atol=1e-4, rtol=0)
    assert (other.argmax(1) == own.argmax(1)).float().mean() > 0.9999
    assert not [name for name in kinds(file) if ':' in name or name == 'GridSample']


def test_resi_reads_points_without_grid_sample(
    tiny: Callable[..., Any], to_onnx: Write, spaces: list[LabelSpace]
) -> None:
    module = ExportedModel(tiny(resi=True), spaces, 'panoptic').eval()
    file = to_onnx(module)
    verify(module, runs_onnx(file), tolerance=1e-4)
    assert not [name for name in kinds(file) if ':' in name or name == 'GridSample']


def test_a_file_of_torch_export_takes_any_size(tiny: Callable[..., Any], street: LabelSpace, tmp_path: Path) -> None:
    module = ExportedModel(tiny(), [street]).eval()
    save_torch(traced(module), tmp_path / 'model.pt2')
    verify(module, runs_torch(tmp_path / 'model.pt2'), tolerance=1e-5)


def test_lower_precision_and_openvino(
    tiny: Callable[..., Any],
    to_onnx: Write,
    street: LabelSpace,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    module = ExportedModel(tiny(), [street]).eval()
    exact = to_onnx(module)
    images = [np.random.default_rng(i).uniform(0, 255, (1, 3, 64, 64)).astype('float32') for i in range(3)]
    save_fp16(exact, tmp_path / 'fp16.onnx')
    save_int8(exact, tmp_path / 'int8.onnx', Calibration(images, module))
    assert 'Please consider' not in caplog.text
    image = torch.from_numpy(images[0])
    (own,) = runs_onnx(exact)([image])
    for name, apart in ('fp16', 0.01), ('int8', 0.2):
        file = tmp_path / f'{name}.onnx'
        (other,) = runs_onnx(file)([image])
        assert (own - other).abs().mean() <= apart * own.abs().max()
        assert file.stat().st_size < exact.stat().st_size
    import openvino

    compiled = openvino.Core().compile_model(str(exact), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    for size in ((1, 3, 64, 96), (2, 3, 50, 70)):
        given = torch.rand(*size) * 255
        with torch.no_grad():
            (expected,) = module(given)
        found = torch.from_numpy(compiled(given.numpy())[0].copy())
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_a_graph_that_keeps_a_size_is_refused(tiny: Callable[..., Any], street: LabelSpace) -> None:
    module = ExportedModel(tiny(), [street]).eval()

    def keeps(given: Any) -> Any:
        with torch.no_grad():
            return [torch.zeros_like(own) for own in module(*given)]

    with pytest.raises(OptionError, match='keeps the size of the example'):
        verify(module, keeps)
