"""Label spaces that all images of a batch ask alike, so that no list is as long as the batch and a graph takes any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..models.structures import Categories, FinerClasses


@dataclass(frozen=True)
class AskedAlike:
    """What stands for the names of the label spaces of B * S samples where each of B images asks for the same S.

    Attributes:
        names: The S label spaces.
        images: B, which may be a symbol.
    """

    names: tuple[str, ...]
    images: Any

    def __len__(self) -> int:
        """S, as that of one image: a length must be a number."""
        return len(self.names)


def of_all_images(one: Categories, images: Any) -> Categories:
    """The categories of S samples, those of one image, for each of B images: B * S samples."""

    def repeated(own: Tensor | None) -> Tensor | None:
        return None if own is None else own.repeat(images, *[1] * (own.ndim - 1))

    finer = one.finer
    return Categories(
        cast(Any, AskedAlike(one.spaces, images)),
        cast(Tensor, repeated(one.valid)),
        repeated(one.rows),
        None if finer is None else FinerClasses(*map(cast(Any, repeated), (finer.rows, finer.members))),
    )


def _of_one_image(categories: Categories) -> Categories:
    """The inverse of :func:`of_all_images`."""
    asked = cast(AskedAlike, categories.spaces)
    number, rows = len(asked), categories.rows
    return Categories(asked.names, categories.valid[:number], None if rows is None else rows[:number])


def _as_of_one_image(function: Callable[[Tensor], Tensor], queries: Tensor, asked: AskedAlike) -> Tensor:
    """Runs what looks at each query by itself, ``[L, S, N', C]`` to ``[L, S, N', D]``, on those ``[L, B * S, N, C]`` of
    all images: as one image with B * N queries."""
    by_space = queries.unflatten(1, (asked.images, len(asked))).transpose(1, 2)  # [L, S, B, N, C]
    done = function(by_space.flatten(2, 3)).unflatten(2, (asked.images, queries.shape[2]))
    return done.transpose(1, 2).flatten(1, 2)


class QueriesOfSpaces(nn.Module):
    """The queries of some label spaces, in place of a query module that takes any.

    Args:
        queries: That module.
        names: The S label spaces.
    """

    def __init__(self, queries: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        content, position = queries(names)
        self.content: Tensor
        self.position: Tensor
        self.register_buffer('content', content.detach().clone())
        self.register_buffer('position', position.detach().clone())

    def forward(self, asked: AskedAlike) -> tuple[Tensor, Tensor]:
        """Contents and positions ``[B * S, N, C]``."""
        return self.content.repeat(asked.images, 1, 1), self.position.repeat(asked.images, 1, 1)


class AdaptersOfSpaces(nn.Module):
    """:class:`~mmlmseg.models.head.adapters.SpaceAdapters` of images that ask alike."""

    def __init__(self, adapters: nn.Module) -> None:
        super().__init__()
        self.adapters = adapters

    def forward(self, queries: Tensor, asked: AskedAlike) -> Tensor:
        """``[L, B * S, N, C]`` to the same."""
        return _as_of_one_image(lambda own: self.adapters(own, asked.names), queries, asked)


class ClassifierOfSpaces(nn.Module):
    """Any :class:`~mmlmseg.models.head.classifiers.Classifier` of images that ask alike."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier: Any = classifier

    def forward(self, queries: Tensor, categories: Categories) -> Tensor:
        """``[L, B * S, N, C]`` to ``[L, B * S, N, K + 1]``."""
        own = _of_one_image(categories)
        asked = cast(AskedAlike, categories.spaces)
        return _as_of_one_image(lambda one: self.classifier(one, own), queries, asked)

    def of_finer(self, queries: Tensor, finer: FinerClasses) -> Tensor:
        """As the classifier does, whose rows are those of all samples."""
        found: Tensor = self.classifier.of_finer(queries, finer)
        return found

    def valid(self, categories: Categories) -> Tensor:
        """``[B * S, K + 1]``."""
        valid: Tensor = self.classifier.valid(_of_one_image(categories))
        return valid.repeat(cast(AskedAlike, categories.spaces).images, 1)


def ask_alike(head: Any, names: Sequence[str]) -> None:
    """Puts the parts of a head that look at single samples in order for images that ask for the same label spaces.

    Args:
        head: Changed in place; from then on it answers categories made by :func:`of_all_images`.
        names: The S label spaces.
    """
    with torch.no_grad():
        head.queries = QueriesOfSpaces(head.queries, names)
    used = any(name in head.adapters.position for name in names)
    head.adapters = AdaptersOfSpaces(head.adapters) if used else _NoAdapters()
    head.classifier = ClassifierOfSpaces(head.classifier)


class _NoAdapters(nn.Module):
    def forward(self, queries: Tensor, asked: AskedAlike) -> Tensor:
        return queries
