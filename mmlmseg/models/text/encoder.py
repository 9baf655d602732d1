"""The interface of a text encoder, and how it holds what is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ...checkpoint import TextSource

T = TypeVar('T')


class Shared(Generic[T]):
    """Holds what is frozen, once it is opened; deep copies of a model (weight averaging makes one) share it."""

    def __init__(self) -> None:
        self.value: T | None = None

    def __deepcopy__(self, memo: Any) -> Shared[T]:
        return self


class TextEncoder(BaseModule):
    """From class names, or other texts, to text embeddings of unit norm.

    Whatever is frozen (a text tower, a bank) is no part of the module's state: it is not saved, trained, moved or
    averaged, is opened when first needed, and is shared by deep copies.

    Attributes:
        of_names_alone: Whether it reads class names and no other text.
    """

    of_names_alone = False

    def __init__(self) -> None:
        super().__init__()
        self.expected: TextSource | None = None

    @property
    def width(self) -> int | None:
        """Channels of an embedding; None where a missing file keeps it unknown."""
        raise NotImplementedError

    def source(self) -> TextSource:
        """What makes the embeddings; opens whatever is needed to know it.

        Raises:
            TextBankError: Where that cannot be opened, or is not what a checkpoint was trained with.
        """
        raise NotImplementedError

    def encode(self, names: Sequence[str], device: torch.device) -> Tensor:
        """Embeds normalised names: float32 ``[len(names), width]`` of unit norm, with gradient to what is learned.

        Raises:
            TextBankError: As :meth:`source`, and where a name cannot be embedded.
        """
        raise NotImplementedError

    def can_read(self, name: str) -> bool:
        """Whether a normalised name can be embedded."""
        return True

    def expect(self, source: TextSource) -> None:
        """Demands the source that a loaded checkpoint was trained with, at once as far as it is known without loading.

        Raises:
            TextBankError: Where it is another.
        """
        self.expected = source

    def _checked(self, source: TextSource, where: str) -> TextSource:
        if self.expected is not None:
            self.expected.require(source, where)
        return source
