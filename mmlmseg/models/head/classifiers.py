"""Classifiers: from decoded segment queries to class logits in each sample's label space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import OptionError
from ...label_space import LabelSpace, LabelSpaces
from ...registry import MODELS
from ...taxonomy import SAME_NAMES, Taxonomy
from ..numerics import at_least_float32, no_autocast
from ..structures import Categories, FinerClasses
from .adapters import PerSpace, join_idle


class Classifier(BaseModule):
    """What turns decoded queries into class logits. Most have one column for each class of a sample's own space."""

    def forward(self, queries: Tensor, categories: Categories) -> Tensor:
        """Computes class logits.

        Args:
            queries: ``[L, B, N, C]``.
            categories: What the samples may be classified as.

        Returns:
            ``[L, B, N, K + 1]``, finite, no-object last; 0 where a class is not valid.
        """
        raise NotImplementedError

    def of_finer(self, queries: Tensor, finer: FinerClasses) -> Tensor:
        """The logits ``[L, B, N, E]`` of finer classes; only of a classifier that reads text."""
        raise NotImplementedError

    def valid(self, categories: Categories) -> Tensor:
        """The columns of the logits that exist for each sample, ``[B, K + 1]`` bool."""
        return categories.valid

    def trained_columns(self, space: LabelSpace) -> tuple[int | None, ...]:
        """The column that a query of each class of a space is trained to; None for a class that is not trained."""
        return tuple(range(space.num_classes))


@MODELS.register_module()
class TextClassifier(Classifier):
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
        if categories.rows is None:
            raise OptionError('TextClassifier needs text rows: give the head a text=dict(...)')
        return self._aligned(queries, categories.rows)  # [L, B, N, K + 1], 0 where a class is not valid

    def of_finer(self, queries: Tensor, finer: FinerClasses) -> Tensor:
        return self._aligned(queries, finer.rows)

    def _aligned(self, queries: Tensor, rows: Tensor) -> Tensor:
        with no_autocast(queries):
            queries = F.normalize(at_least_float32(queries), dim=-1)
            rows = F.normalize(at_least_float32(rows), dim=-1).to(queries.dtype)
            scale = self.log_scale.clamp(max=self.max_log_scale).exp()
            return scale * queries @ rows.transpose(-1, -2)


@MODELS.register_module()
class LinearClassifier(PerSpace, Classifier):
    """One linear layer per label space: MaskFormer's with one space, the multi-head baseline with several.

    Args:
        channels: C, the width of the queries.
        label_spaces: The spaces of the model.
        init_cfg: See mmengine's BaseModule.
    """

    parts = 'layers'

    def __init__(self, channels: int, label_spaces: LabelSpaces, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.position = {space.name: i for i, space in enumerate(label_spaces)}
        self.layers = nn.ModuleList([nn.Linear(channels, space.num_classes + 1) for space in label_spaces])

    def forward(self, queries: Tensor, categories: Categories) -> Tensor:
        width = categories.valid.shape[1]
        logits = []
        for b, space in enumerate(categories.spaces):
            if space not in self.position:
                known = ', '.join(self.position)
                raise KeyError(f'a linear classifier only knows {known}; {space!r} needs a text model')
            own = self.layers[self.position[space]](queries[:, b])  # [L, N, K_k + 1]
            classes = F.pad(own[..., :-1], (0, width - own.shape[-1]))
            logits.append(torch.cat([classes, own[..., -1:]], dim=-1))
        return join_idle(torch.stack(logits, dim=1), self.layers.parameters())


@MODELS.register_module()
class UnifiedClassifier(Classifier):
    """One linear layer over a taxonomy that unites all label spaces: the manual-taxonomy baseline (section 4.2).

    Training: every sample is classified among all unified classes, also those its dataset does not annotate.
    Evaluation: the asked space's classes take the logits of their unified classes, and no other class takes part. Where
    the taxonomy merges classes of one space, they get equal logits, of which the first wins.

    Args:
        channels: C, the width of the queries.
        label_spaces: The spaces of the model.
        taxonomy: See :meth:`Taxonomy.from_config`.
        init_cfg: See mmengine's BaseModule.
    """

    def __init__(
        self,
        channels: int,
        label_spaces: LabelSpaces,
        taxonomy: str | Mapping[str, Any] = SAME_NAMES,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.taxonomy = Taxonomy.from_config(taxonomy, label_spaces)
        self.layer = nn.Linear(channels, len(self.taxonomy.classes) + 1)

    def forward(self, queries: Tensor, categories: Categories) -> Tensor:
        logits = self.layer(queries)  # [L, B, N, U + 1]
        if self.training:
            return logits
        index = self._asked(categories).clamp(min=0)  # [B, K + 1]
        return logits.gather(-1, index[None, :, None].expand(*logits.shape[:3], -1))

    def valid(self, categories: Categories) -> Tensor:
        if self.training:
            return categories.valid.new_ones(len(categories.spaces), self.layer.out_features)
        return (self._asked(categories) >= 0) & categories.valid

    def trained_columns(self, space: LabelSpace) -> tuple[int | None, ...]:
        return self.taxonomy.columns[space.name]

    def _asked(self, categories: Categories) -> Tensor:
        """The unified class of each column of the asked spaces, -1 where there is none: long ``[B, K + 1]``."""
        width = categories.valid.shape[1] - 1
        rows = []
        for space in categories.spaces:
            columns = [-1 if column is None else column for column in self.taxonomy.columns[space]]
            rows.append([*columns, *[-1] * (width - len(columns)), self.layer.out_features - 1])
        return torch.tensor(rows, device=categories.valid.device)
