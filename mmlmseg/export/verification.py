"""Whether a graph answers as the model that it was made of, also for other sizes than it was made with.

Code below a model may turn a size that is a symbol into the number of the example: the graph is then right for images
of that size, and silently wrong for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import OptionError
from .libraries import needed
from .module import ExportedModel

Run = Callable[[Sequence[Tensor]], Sequence[Tensor]]
_TOLERANCE = 1e-3  # of the largest value, on average: a graph of another size is far beyond


@torch.no_grad()
def verify(module: ExportedModel, run: Run, tolerance: float = _TOLERANCE) -> None:
    """Compares a graph with its module on noise: one image and three, of sizes that are padded and that are not.

    Args:
        module: What the graph was made of.
        run: From the inputs of the graph to its outputs.
        tolerance: The mean difference, as a share of the largest value.

    Raises:
        OptionError: Where they differ; says where, and by how much.
    """
    side, channels = module.size_divisor, len(module.mean)
    noise = torch.Generator().manual_seed(0)
    for number, height, width in ((1, 5 * side, 3 * side), (3, 2 * side + 1, 4 * side - 3)):
        given = [torch.rand(number, channels, height, width, generator=noise) * 255]
        if module.text_input:
            given.append(torch.randn(number + 1, module.no_object.shape[-1], generator=noise))
        where = f'{number} image(s) of {height}x{width}'
        try:
            answers = run(given)
        except Exception as error:
            raise OptionError(f'the exported graph does not take {where}: {str(error)[:300]}') from error
        for name, own, other in zip(module.outputs, module(*given), answers, strict=True):
            apart = float((own - other).abs().mean() / own.abs().max()) if own.shape == other.shape else torch.inf
            if not apart <= tolerance:
                raise OptionError(
                    f'the exported graph gives {name} {tuple(other.shape)} for {where}, the model {tuple(own.shape)}, '
                    f'apart by {apart:.2g} of the largest value: a part of the model keeps the size of the example, or '
                    'is not exported as it computes; export a model with another backbone or pixel decoder'
                )


def runs_torch(path: str | Path) -> Run:
    """Runs a file of torch.export."""
    program = torch.export.load(path).module()
    return lambda given: program(*given)


def runs_onnx(path: str | Path) -> Run:
    """Runs an ONNX file in ONNX Runtime."""
    session = needed('onnxruntime').InferenceSession(str(path), providers=['CPUExecutionProvider'])
    names = [own.name for own in session.get_inputs()]

    def run(given: Sequence[Tensor]) -> Sequence[Tensor]:
        inputs = {name: own.numpy() for name, own in zip(names, given, strict=True)}
        return [torch.from_numpy(own) for own in session.run(None, inputs)]

    return run
