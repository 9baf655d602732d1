"""Training in bfloat16 on whatever device there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.optim import OptimWrapper
from torch import nn

from ..models.numerics import precision_context
from ..registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Runs the forward pass under bfloat16 autocast; weights, gradients and losses stay in float32.

    For models that do not choose their precision themselves, as ours do (``precision`` of
    :class:`mmlmseg.models.MultiSpaceSegmentor`). Unlike mmengine's AmpOptimWrapper it needs no accelerator and no loss
    scaling; where bfloat16 is emulated it says so. Arguments are those of mmengine's OptimWrapper.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocasts on the device of the model."""
        device = next(model.parameters()).device
        with super().optim_context(model), precision_context('bfloat16', device):
            yield
