"""Classifiers: from decoded segment queries to class logits in each sample's label space."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..label_space import LabelSpaces
from ..registry import MODELS
from .precision import at_least_float32, no_autocast
from .structures import Categories

__all__ = ['LinearClassifier', 'TextClassifier', 'mask_classes']


def mask_classes(logits: Tensor, valid: Tensor) -> Tensor:
    """Takes the classes that a sample's space lacks out of a softmax. Apply it just before the softmax, nowhere else.

    Args:
        logits: ``[..., B, N, K + 1]``.
        valid: ``[B, K + 1]`` bool.

    Returns:
        The logits, minus infinity where a class is not valid.
    """
    return logits.masked_fill(~valid[:, None], -torch.inf)


@MODELS.register_module()
class TextClassifier(BaseModule):
    """Aligns segment queries with text rows (LMSeg, section 3.3, equation 1).

    Logits are cosine similarities over a temperature; the paper writes a bare dot product, whose scale would depend on
    the adapter. Computed in fp32 (or better), also under autocast.

    Args:
        channels: C, the width of queries and text rows.
        label_spaces: Unused; every classifier is built with them.
        tau: The temperature, 0.07 in the paper.
        learn_tau: Learn log(1 / tau), clamped to at most log(100) as CLIP does.
        init_cfg: See mmengine's BaseModule.
    """

    max_log_scale = math.log(100.0)

    def __init__(
        self,
        channels: int,
        label_spaces: LabelSpaces | None = None,
        tau: float = 0.07,
        learn_tau: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        log_scale = torch.tensor(math.log(1.0 / tau))
        self.log_scale: Tensor
        if learn_tau:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer('log_scale', log_scale, persistent=False)

    def forward(self, queries: Tensor, categories: Categories) -> Tensor:
        """Computes class logits.

        Args:
            queries: ``[L, B, N, C]``.
            categories: With text rows ``[B, K + 1, C]``.

        Returns:
            ``[L, B, N, K + 1]``, finite; 0 where a class is not valid.
        """
        if categories.rows is None:
            raise ValueError('TextClassifier needs text rows: give the head a text=dict(type="mmlmseg.TextTable", ...)')
        with no_autocast(queries):
            queries = F.normalize(at_least_float32(queries), dim=-1)
            rows = F.normalize(at_least_float32(categories.rows), dim=-1).to(queries.dtype)
            scale = self.log_scale.clamp(max=self.max_log_scale).exp()
            return scale * queries @ rows.transpose(-1, -2)  # [L, B, N, K + 1]


@MODELS.register_module()
class LinearClassifier(BaseModule):
    """One linear layer per label space: MaskFormer's with one space, the multi-head baseline with several.

    Args:
        channels: C, the width of the queries.
        label_spaces: The spaces of the model.
        init_cfg: See mmengine's BaseModule.
    """

    def __init__(self, channels: int, label_spaces: LabelSpaces, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.position = {space.name: i for i, space in enumerate(label_spaces)}
        # A list: names of spaces may hold dots, which module names must not.
        self.layers = nn.ModuleList([nn.Linear(channels, space.num_classes + 1) for space in label_spaces])

    def forward(self, queries: Tensor, categories: Categories) -> Tensor:
        """Computes class logits.

        Args:
            queries: ``[L, B, N, C]``.
            categories: The spaces of the samples.

        Returns:
            ``[L, B, N, K + 1]``, finite; 0 where a class is not valid. Layers that no sample asks for join with weight
            0, so that distributed training sees a gradient for every parameter.

        Raises:
            KeyError: On a free class list, which no linear layer knows.
        """
        width = categories.valid.shape[1]
        idle = sum(p.sum() * 0.0 for layer in self.layers for p in layer.parameters())
        logits = []
        for b, space in enumerate(categories.spaces):
            if space not in self.position:
                raise KeyError(
                    f'a linear classifier only knows {", ".join(self.position)}; {space!r} needs a text model'
                )
            own = self.layers[self.position[space]](queries[:, b])  # [L, N, K_k + 1]
            classes = F.pad(own[..., :-1], (0, width - own.shape[-1]))
            logits.append(torch.cat([classes, own[..., -1:]], dim=-1))
        return torch.stack(logits, dim=1) + idle
