"""Causal text towers that are read at the end token, as CLIP's: all texts share the prompt's share of the work."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..numerics import no_autocast
from .blocks import FrozenBlock
from .packs import Packs
from .tokens import Tokeniser
from .tower import TextTower, project

# Texts that go through the tower at once; 1,024 names hold some 30 MB of a layer's widest tensor in float32.
CHUNK = 1024


class PackedTower(TextTower):
    """A causal ``TextTransformer`` that is read at the end token.

    Start and prompt are the same for all texts, nothing after an end matters, and of the last layer only the ends do.
    So start and prompt are computed once, and texts stand behind them in :class:`Packs`: the same numbers as from one
    padded sequence a text.

    Under autocast its linear layers run in the type of autocast, from weights that are brought to it once, and kept;
    embeddings, norms, the sum over layers and the output stay in float32.
    """

    def __init__(self, text: Any, tokeniser: Tokeniser) -> None:
        super().__init__(text, tokeniser)
        self._blocks: tuple[torch.dtype, list[FrozenBlock]] | None = None  # in the type asked for last

    def to(self, device: torch.device) -> TextTower:
        if self.embedding.weight.device != device:
            self._blocks = None
        return super().to(device)

    def blocks(self, dtype: torch.dtype) -> list[FrozenBlock]:
        """The layers with linear weights in a type."""
        if self._blocks is None or self._blocks[0] != dtype:
            self._blocks = (dtype, [FrozenBlock.of(block, dtype) for block in self.text.transformer.resblocks])
        return self._blocks[1]

    def _encode(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        device = prompt.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else prompt.dtype
        with no_autocast(prompt):
            chunks = [tokens[i : i + CHUNK] for i in range(0, len(tokens), CHUNK)]
            return torch.cat([self._encode_chunk(chunk, prompt, self.blocks(dtype)) for chunk in chunks])

    def _encode_chunk(self, tokens: list[list[int]], prompt: Tensor, blocks: list[FrozenBlock]) -> Tensor:
        text, start, end = self.text, self.tokeniser.start, self.tokeniser.end
        lead = len(start) + len(prompt)
        packs = Packs.of([[*words, *end] for words in tokens], lead, prompt.device)
        x = (text.token_embedding(packs.tokens) + text.positional_embedding[packs.position]).flatten(0, 1)  # [P * T, w]
        first = torch.cat([text.token_embedding.weight[start], prompt]) + text.positional_embedding[:lead]
        x = torch.cat([first, x[lead:]])
        for block in blocks[:-1]:
            x = block(x, packs)
        x = blocks[-1](x, packs, packs.ends)  # [n, w]
        return project(text, text.ln_final(x))  # [n, width]
