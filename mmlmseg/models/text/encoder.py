"""What a text encoder is, and the encoder that reads a text bank."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ...registry import MODELS
from .bank import SHIPPED_BANK, TextBank, TextSource

T = TypeVar('T')


class Shared(Generic[T]):
    """Holds what is frozen, once it is opened; deep copies of a model (weight averaging makes one) share it."""

    def __init__(self) -> None:
        self.value: T | None = None

    def __deepcopy__(self, memo: Any) -> Shared[T]:
        return self


class TextEncoder(BaseModule):
    """From class names to text embeddings of unit norm.

    Whatever is frozen (a text tower, a bank) is no part of the module's state: it is not saved, trained, moved or
    averaged, is opened when first needed, and is shared by deep copies.
    """

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
            TextBankError: Where that cannot be opened.
        """
        raise NotImplementedError

    def encode(self, names: Sequence[str], device: torch.device) -> Tensor:
        """Embeds normalised names: float32 ``[len(names), width]`` of unit norm, with gradient to what is learned.

        Raises:
            TextBankError: Where a name cannot be embedded, or the source is not the one a checkpoint was trained with.
        """
        raise NotImplementedError

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


@MODELS.register_module()
class TextBankEncoder(TextEncoder):
    """Reads embeddings from a text bank. Nothing is learned: the rows are fixed, only the adapter behind them learns.

    Args:
        bank: The file of a bank; ``minilm`` is the shipped one (sentence embeddings, no CLIP).
        names: For a ``.npy`` bank, the file of its names, one per line; by default the ``.txt`` beside it.
    """

    def __init__(self, bank: str = SHIPPED_BANK, names: str | None = None) -> None:
        super().__init__()
        self.path, self.names_path = bank, names
        self._shared: Shared[TextBank] = Shared()

    @property
    def bank(self) -> TextBank:
        """The bank, read at first use."""
        if self._shared.value is None:
            self._shared.value = TextBank.load(self.path, self.names_path)
        return self._shared.value

    @property
    def width(self) -> int | None:
        if self.path != SHIPPED_BANK and not Path(self.path).is_file():
            return None  # a checkpoint serves its own label spaces without the bank's file
        return self.bank.source.width

    def source(self) -> TextSource:
        return self._checked(self.bank.source, self.bank.where)

    def expect(self, source: TextSource) -> None:
        super().expect(source)
        if self.width is not None:
            self.source()

    def encode(self, names: Sequence[str], device: torch.device) -> Tensor:
        self.source()
        return F.normalize(self.bank.rows(names), dim=-1).to(device)
