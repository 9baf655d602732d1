"""The frozen CLIP text tower, and the hash that tells its weights from others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate, chain
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TextBankError
from ..numerics import no_autocast
from ..open_clip_loader import load_open_clip

# Texts per sequence: attention costs the square of a sequence's length.
PACK = 128


def no_causal_text(model: str) -> TextBankError:
    """The error about an open_clip model of another kind."""
    return TextBankError(
        f'open_clip model {model!r} has no causal CLIP text transformer (SigLIP, EVA, CoCa and models with a Hugging '
        'Face text model have another); use one of the plain CLIP models, such as RN50-quickgelu or ViT-B-16'
    )


class TextTower:
    """The text transformer of an open_clip model, frozen, in float32.

    It is no module on purpose: it stays out of state dicts, optimisers, DDP and weight averaging, and deep copies share
    it.

    Args:
        model: An open_clip model name.
        pretrained: A local weight file, a hub tag, or None for random weights.

    Raises:
        TextBankError: Where the model's text tower is not a causal CLIP transformer.
    """

    def __init__(self, model: str, pretrained: str | None) -> None:
        import open_clip

        clip: Any = load_open_clip(model, pretrained)
        if not isinstance(clip, open_clip.CLIP) or clip.text_pool_type != 'argmax' or clip.attn_mask is None:
            raise no_causal_text(model)
        clip.visual = nn.Identity()  # the image tower is not needed here
        self.clip: Any = clip.requires_grad_(False)
        self.tokeniser: Any = open_clip.get_tokenizer(model)
        self.digest = weights_digest({k: v for k, v in clip.state_dict().items() if k != 'logit_scale'})

    def __deepcopy__(self, memo: Any) -> TextTower:
        return self

    def to(self, device: torch.device) -> TextTower:
        """Moves the tower where it is needed; nothing happens where it already is there."""
        if self.clip.positional_embedding.device != device:
            self.clip.to(device)
        return self

    def tokenise(self, text: str) -> list[int]:
        """The tokens of a text, without start and end."""
        return self.tokeniser.encode(text)

    def encode_texts(self, texts: list[str]) -> Tensor:
        """Embeds whole texts: ``[n, width]``, not scaled to unit norm."""
        return self.encode([self.tokenise(text) for text in texts], self.clip.positional_embedding[:0])

    def encode(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        """Embeds ``[start] [prompt vectors] [tokens] [end]``, with gradient to the prompt vectors.

        The transformer is causal, so start and prompt are the same for all texts, and nothing after an end matters.
        Texts are therefore packed into one sequence behind one shared prompt, each seeing the prompt and itself:
        the same numbers as one padded sequence per text, four to five times faster for ADE20K's names.

        Args:
            tokens: Token ids per text, without start and end.
            prompt: ``[P, w]`` vectors shared by all texts, in the tower's token width w.

        Returns:
            float32 ``[len(tokens), width]``, not scaled to unit norm.
        """
        longest = max(tokens, key=len)
        length = 1 + len(prompt) + len(longest) + 1
        position = self.clip.positional_embedding  # [longest text, w]
        if length > len(position):
            raise TextBankError(
                f'{self.tokeniser.decode(longest)!r} makes {length} tokens, the text tower takes {len(position)}; '
                'shorten the name'
            )
        with no_autocast(position):
            packs = [tokens[i : i + PACK] for i in range(0, len(tokens), PACK)]
            return torch.cat([self._encode_pack(pack, prompt.to(position)) for pack in packs])

    def _encode_pack(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        device = prompt.device
        texts = [[*text, self.tokeniser.eot_token_id] for text in tokens]
        lead = 1 + len(prompt)
        ids = torch.tensor([self.tokeniser.sot_token_id, *chain.from_iterable(texts)], device=device)
        position = torch.tensor([*range(lead), *(lead + i for text in texts for i in range(len(text)))], device=device)
        owner = torch.tensor([0] * lead + [i for i, text in enumerate(texts, 1) for _ in text], device=device)  # [S]
        ends = torch.tensor([*accumulate(map(len, texts), initial=lead - 1)][1:], device=device)
        words = self.clip.token_embedding(ids)
        x = torch.cat([words[:1], prompt, words[1:]]) + self.clip.positional_embedding[position]  # [S, w]
        sees = ((owner[None] == 0) | (owner[None] == owner[:, None])).tril()  # [S, S]
        mask = torch.zeros(sees.shape, device=device).masked_fill(~sees, -torch.inf)
        x = self.clip.transformer(x[None], attn_mask=mask)[0]
        return self.clip.ln_final(x[ends]) @ self.clip.text_projection  # [n, width]


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over tensors by name, as float32: equal for equal weights, however they were stored."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to('cpu', torch.float32).contiguous()
        digest.update(f'{name}{tuple(tensor.shape)}'.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
