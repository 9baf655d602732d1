"""Any other of open_clip's text transformers: one padded sequence a text, through open_clip's own layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..numerics import no_autocast
from .tokens import Tokeniser
from .tower import TextTower, project

# Tokens that go through the tower at once, padding counted: some 0.5 GB a layer of width 768, with gradients.
BATCH_TOKENS = 8192
# Texts whose lengths differ by less are padded to one length.
LENGTH_STEP = 4


class PaddedTower(TextTower):
    """A ``TextTransformer`` of any attention and pooling.

    Where tokens attend to padding (no mask at all, as in SigLIP, MobileCLIP and CLIPA), or the last place of the whole
    context is read, all texts keep the full context. Where padding does not matter (causal and read at the end token;
    CoCa, which masks it), texts are as long as the longest of about their length.
    """

    def __init__(self, text: Any, tokeniser: Tokeniser) -> None:
        super().__init__(text, tokeniser)
        masks_padding = text.cls_emb is not None
        self.full_context = not masks_padding and (text.attn_mask is None or text.pool_type == 'last')

    def _encode(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        around = len(self.tokeniser.start) + len(prompt) + len(self.tokeniser.end)
        context = self.tokeniser.context
        # One place of padding stays: CoCa's mask leaves out all but the first.
        lengths = [context if self.full_context else min(around + len(words) + 1, context) for words in tokens]
        groups = batches(lengths, context)
        # Of several batches only one keeps what its gradients need: the others are computed again.
        again = len(groups) > 1 and torch.is_grad_enabled() and prompt.requires_grad
        rows = torch.cat([self._rows([tokens[i] for i in group], prompt, length, again) for length, group in groups])
        return rows[torch.tensor([i for _, group in groups for i in group]).argsort()]

    def _rows(self, tokens: list[list[int]], prompt: Tensor, length: int, again: bool) -> Tensor:
        if not again:
            return self._batch(tokens, prompt, length)
        return checkpoint(self._batch, tokens, prompt, length, use_reentrant=False, preserve_rng_state=False)

    def _batch(self, tokens: list[list[int]], prompt: Tensor, length: int) -> Tensor:
        text, read = self.text, self.tokeniser
        ids = padded(tokens, read, length - len(prompt)).to(prompt.device)  # [n, L - P]
        lead = len(read.start)
        x = behind(text.token_embedding(ids), prompt, lead)  # [n, L, w]
        # In the place of prompt vectors stands an id that neither pooling nor mask takes for anything.
        neutral = next(i for i in range(3) if i not in (text.pad_id, text.eos_id))
        ids = behind(ids, ids.new_full((len(prompt),), neutral), lead)
        position, mask = text.positional_embedding[:length], text.attn_mask
        if text.cls_emb is not None:
            x = torch.cat([x, text.cls_emb.expand(len(x), 1, -1)], 1)
            position = torch.cat([position, text.positional_embedding[-1:]])
        size = x.shape[1]
        if mask is not None:
            mask = mask[:size, :size]
        if text.cls_emb is not None:
            unseen = text._build_additive_mask(ids, size, x.dtype)  # [n * heads, size, size]
            mask = unseen if mask is None else mask + unseen
        x = text.transformer(x + position, attn_mask=mask)
        with no_autocast(x):
            return project(text, self._pooled(x.float(), ids))

    def _pooled(self, x: Tensor, ids: Tensor) -> Tensor:
        from open_clip.transformer import text_global_pool

        text = self.text
        if text.cls_emb is not None:
            return text.ln_final(x[:, -1])
        return text_global_pool(text.ln_final(x), ids, text.pool_type, eos_token_id=text.eos_id)


def padded(tokens: Sequence[Sequence[int]], read: Tokeniser, length: int) -> Tensor:
    """Texts with what stands around them, filled up to a length: ids ``[n, length]``."""
    rows = [[*read.start, *words, *read.end] for words in tokens]
    return torch.tensor([row + [read.pad] * (length - len(row)) for row in rows])


def behind(x: Tensor, shared: Tensor, lead: int) -> Tensor:
    """Puts ``[P, ...]``, which all rows share, behind the first ``lead`` places of ``[n, T, ...]``."""
    return torch.cat([x[:, :lead], shared.expand(len(x), *shared.shape), x[:, lead:]], 1)


def batches(lengths: Sequence[int], longest: int) -> list[tuple[int, list[int]]]:
    """Puts texts of like length together.

    Args:
        lengths: Of the texts.
        longest: That a text may be.

    Returns:
        Batches of at most :data:`BATCH_TOKENS` tokens: the length to pad to, which texts.

    Example:
        >>> batches([3, 9, 4, 10], 10)
        [(4, [0, 2]), (10, [1, 3])]
    """
    alike: dict[int, list[int]] = {}
    for i, length in enumerate(lengths):
        alike.setdefault(min(-(-length // LENGTH_STEP) * LENGTH_STEP, longest), []).append(i)
    made = []
    for length, texts in sorted(alike.items()):
        size = max(BATCH_TOKENS // length, 1)
        made += [(length, texts[i : i + size]) for i in range(0, len(texts), size)]
    return made
