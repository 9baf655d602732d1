"""The interface of a frozen text tower, and the hash that tells its weights from others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TextBankError
from .tokens import Tokeniser


class TextTower:
    """A frozen text encoder whose token embeddings are within reach, so that learned vectors can stand among them.

    It is no module on purpose: it stays out of state dicts, optimisers, DDP and weight averaging, and deep copies share
    it.

    Args:
        text: open_clip's text module, with its weights.
        tokeniser: What it reads.
    """

    def __init__(self, text: Any, tokeniser: Tokeniser) -> None:
        self.text: Any = text.requires_grad_(False).eval()
        self.tokeniser = tokeniser
        self.digest = weights_digest(text.state_dict())

    def __deepcopy__(self, memo: Any) -> TextTower:
        return self

    @property
    def embedding(self) -> nn.Embedding:
        """Of tokens."""
        return self.text.token_embedding

    def to(self, device: torch.device) -> TextTower:
        """Moves the tower where it is needed; nothing happens where it already is there."""
        if self.embedding.weight.device != device:
            self.text.to(device)
        return self

    def tokenise(self, text: str) -> list[int]:
        """The tokens of the words of a text, without those that stand before and behind every text."""
        return self.tokeniser.words(text)

    def encode_texts(self, texts: list[str]) -> Tensor:
        """Embeds whole texts: ``[n, width]``, not scaled to unit norm; equal to open_clip's ``encode_text``."""
        return self.encode([self.tokenise(text) for text in texts], self.embedding.weight[:0])

    def encode(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        """Embeds ``[start] [prompt vectors] [words] [end]``, with gradient to the prompt vectors.

        Args:
            tokens: Of the words of each text, from :meth:`tokenise`.
            prompt: ``[P, w]`` vectors shared by all texts, in the tower's token width w.

        Returns:
            float32 ``[len(tokens), width]``, not scaled to unit norm.

        Raises:
            TextBankError: Where a text is too long, or holds a token that the tower does not know.
        """
        around = len(self.tokeniser.start) + len(prompt) + len(self.tokeniser.end)
        longest = max(tokens, key=len)
        if around + len(longest) > self.tokeniser.context:
            raise TextBankError(
                f'{self.tokeniser.decode(longest)!r} makes {around + len(longest)} tokens, the text tower takes '
                f'{self.tokeniser.context}; shorten the name'
            )
        largest, known = max(map(max, filter(None, tokens)), default=0), self.embedding.num_embeddings
        if largest >= known:
            raise TextBankError(
                f'the tokenizer makes the token {largest}, but the text tower knows {known}: they are not of one model'
            )
        return self._encode(tokens, prompt.to(self.embedding.weight)).float()

    def _encode(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        raise NotImplementedError


def project(text: Any, x: Tensor) -> Tensor:
    """The projection behind a ``TextTransformer``, where it has one: ``[n, w]`` to ``[n, width]``."""
    projection = text.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Linear) else x @ projection


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over tensors by name, as float32: equal for equal weights, however they were stored."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to('cpu', torch.float32).contiguous()
        digest.update(f'{name}{tuple(tensor.shape)}'.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
