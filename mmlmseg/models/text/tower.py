"""The frozen CLIP text tower."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TextBankError
from ..open_clip_loader import load_open_clip
from .digest import weights_digest


class TextTower:
    """The text transformer of an open_clip model, frozen, in float32.

    It is no module on purpose: it stays out of state dicts, optimisers, DDP and weight averaging, and deep copies share
    it.

    Args:
        model: An open_clip model name.
        pretrained: A local weight file, a hub tag, or None for random weights.

    Raises:
        TextBankError: Where the model's text tower is not a causal CLIP transformer.
        CheckpointError: Where the weights cannot be opened.
    """

    def __init__(self, model: str, pretrained: str | None) -> None:
        import open_clip

        clip: Any = load_open_clip(model, pretrained)
        if not isinstance(clip, open_clip.CLIP) or clip.text_pool_type != 'argmax' or clip.attn_mask is None:
            raise TextBankError(
                f'open_clip model {model!r} has no causal CLIP text transformer; use one such as RN50-quickgelu'
            )
        self.token_embedding: nn.Embedding = clip.token_embedding
        self.positional_embedding: Tensor = clip.positional_embedding
        self.transformer: nn.Module = clip.transformer
        self.ln_final: nn.Module = clip.ln_final
        self.text_projection: Tensor = clip.text_projection
        self.attn_mask: Tensor = clip.attn_mask
        clip.visual = nn.Identity()  # the image tower is not needed here
        self._clip = clip.requires_grad_(False)
        self.tokeniser: Any = open_clip.get_tokenizer(model)
        self.digest = weights_digest({k: v for k, v in clip.state_dict().items() if k != 'logit_scale'})

    def __deepcopy__(self, memo: Any) -> TextTower:
        return self

    @property
    def width(self) -> int:
        """Channels of a text embedding."""
        return self.text_projection.shape[1]

    def to(self, device: torch.device) -> TextTower:
        """Moves the tower where it is needed; nothing happens where it already is there."""
        if self.positional_embedding.device != device:
            self._clip.to(device)
            self.positional_embedding, self.text_projection = (
                self._clip.positional_embedding,
                self._clip.text_projection,
            )
            self.attn_mask = self._clip.attn_mask
        return self

    def tokenise(self, text: str) -> list[int]:
        """The tokens of a text, without start and end."""
        return self.tokeniser.encode(text)

    def encode_texts(self, texts: list[str]) -> Tensor:
        """Embeds whole texts: ``[n, width]``, not scaled to unit norm."""
        empty = self.positional_embedding.new_zeros(0, self.positional_embedding.shape[1])
        return self.encode([self.tokenise(text) for text in texts], empty)

    def encode(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        """Embeds ``[start] [prompt vectors] [tokens] [end]``, with gradient to the prompt vectors.

        The transformer is causal: what follows a text's end cannot change it. So the batch is only as long as its
        longest text, and padding needs no mask.

        Args:
            tokens: Token ids per text, without start and end.
            prompt: ``[P, w]`` vectors shared by all texts, in the tower's token width w.

        Returns:
            float32 ``[len(tokens), width]``, not scaled to unit norm.

        Raises:
            TextBankError: Where a text is too long for the tower.
        """
        start, end = self.tokeniser.sot_token_id, self.tokeniser.eot_token_id
        lead = 1 + len(prompt)
        last = [lead + len(text) for text in tokens]  # where each text ends
        length = max(last) + 1
        if length > len(self.positional_embedding):
            text = self.tokeniser.decode(max(tokens, key=len))
            raise TextBankError(
                f'{text!r} makes {length} tokens, the text tower takes {len(self.positional_embedding)}; '
                'shorten the name'
            )
        device = self.positional_embedding.device
        ids = torch.full((len(tokens), 1 + length - lead), end)
        ids[:, 0] = start
        for row, text in zip(ids, tokens, strict=True):
            row[1 : 1 + len(text)] = torch.tensor(text, dtype=torch.long)
        with torch.autocast(device.type, enabled=False):
            words = self.token_embedding(ids.to(device))  # [n, 1 + T, w]
            shared = prompt.to(words).expand(len(tokens), -1, -1)
            x = torch.cat([words[:, :1], shared, words[:, 1:]], dim=1) + self.positional_embedding[:length]
            x = self.transformer(x, attn_mask=self.attn_mask[:length, :length])
            ends = x[torch.arange(len(tokens), device=device), torch.tensor(last, device=device)]  # [n, w]
            return self.ln_final(ends) @ self.text_projection
