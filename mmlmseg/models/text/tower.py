"""The frozen CLIP text tower, and the hash that tells its weights from others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TextBankError
from ..numerics import no_autocast
from ..open_clip_loader import load_open_clip, model_config
from .blocks import FrozenBlock
from .packs import Packs

# Texts that go through the tower at once; 1,024 names hold some 30 MB of a layer's widest tensor in float32.
CHUNK = 1024

_NOT_OF_THE_TEXT = ('logit_scale', 'logit_bias')


def require_causal_text(model: str) -> None:
    """Makes sure, from the configuration alone, that the text side of an open_clip model is one that is read here.

    Raises:
        CheckpointError: On an unknown model.
        TextBankError: Where its text side is of another kind.
    """
    config = model_config(model)
    text = config['text_cfg']
    if 'multimodal_cfg' in config:
        raise _other_text(model, 'is a CoCa, which adds a token of its own')
    if text.get('hf_model_name'):
        raise _other_text(model, f'has a Hugging Face text model ({text["hf_model_name"]})')
    if text.get('hf_tokenizer_name'):
        raise _other_text(model, f'has a tokenizer of its own ({text["hf_tokenizer_name"]})')
    if text.get('no_causal_mask') or text.get('embed_cls'):
        raise _other_text(model, 'has a text transformer that is not causal')
    if text.get('pool_type', 'argmax') != 'argmax':
        raise _other_text(model, f'does not read a text at its end token, but by the pooling {text["pool_type"]!r}')
    if text.get('proj_bias') or text.get('proj_type', 'linear') != 'linear':
        raise _other_text(model, 'has another projection after its text transformer')


def _other_text(model: str, what: str) -> TextBankError:
    return TextBankError(
        f'open_clip model {model!r} {what}; the text is read by causal transformers as CLIP has them, such as those of '
        'RN50-quickgelu and ViT-B-16'
    )


class TextTower:
    """The text transformer of an open_clip model, frozen.

    Under autocast its linear layers run in the type of autocast, from weights that are brought to it once, and kept;
    embeddings, norms, the sum over layers and the output stay in float32.

    It is no module on purpose: it stays out of state dicts, optimisers, DDP and weight averaging, and deep copies share
    it.

    Args:
        model: An open_clip model name.
        pretrained: A local weight file, a hub tag, or None for random weights.

    Raises:
        CheckpointError: On an unknown model, or unfit weights.
        TextBankError: Where the model's text side is of another kind, before weights are read.
    """

    def __init__(self, model: str, pretrained: str | None) -> None:
        import open_clip
        from open_clip.transformer import ResidualAttentionBlock

        require_causal_text(model)  # weights may be gigabytes, and a download
        clip: Any = load_open_clip(model, pretrained)
        clip.visual = nn.Identity()  # the image tower is not needed here
        text = getattr(clip, 'text', clip)  # some models keep their text transformer apart, most have its parts
        if any(type(block) is not ResidualAttentionBlock for block in text.transformer.resblocks):
            raise _other_text(model, 'has other blocks in its text transformer')
        self.clip: Any = text.requires_grad_(False)
        self.tokeniser: Any = open_clip.get_tokenizer(model)
        self._blocks: tuple[torch.dtype, list[FrozenBlock]] | None = None  # in the type asked for last
        self.digest = weights_digest({k: v for k, v in text.state_dict().items() if k not in _NOT_OF_THE_TEXT})

    def __deepcopy__(self, memo: Any) -> TextTower:
        return self

    def to(self, device: torch.device) -> TextTower:
        """Moves the tower where it is needed; nothing happens where it already is there."""
        if self.clip.positional_embedding.device != device:
            self.clip.to(device)
            self._blocks = None
        return self

    def tokenise(self, text: str) -> list[int]:
        """The tokens of a text, without start and end."""
        return self.tokeniser.encode(text)

    def encode_texts(self, texts: list[str]) -> Tensor:
        """Embeds whole texts: ``[n, width]``, not scaled to unit norm."""
        return self.encode([self.tokenise(text) for text in texts], self.clip.positional_embedding[:0])

    def encode(self, tokens: list[list[int]], prompt: Tensor) -> Tensor:
        """Embeds ``[start] [prompt vectors] [tokens] [end]``, with gradient to the prompt vectors.

        The transformer is causal, so start and prompt are the same for all texts, nothing after an end matters, and of
        the last layer only the ends do. So start and prompt are computed once, and texts stand behind them in
        :class:`Packs`: the same numbers as from one padded sequence a text.

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
        device = position.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else position.dtype
        with no_autocast(position):
            chunks = [tokens[i : i + CHUNK] for i in range(0, len(tokens), CHUNK)]
            return torch.cat([self._encode(chunk, prompt.to(position), self.blocks(dtype)) for chunk in chunks])

    def blocks(self, dtype: torch.dtype) -> list[FrozenBlock]:
        """The layers with linear weights in a type."""
        if self._blocks is None or self._blocks[0] != dtype:
            self._blocks = (dtype, [FrozenBlock.of(block, dtype) for block in self.clip.transformer.resblocks])
        return self._blocks[1]

    def _encode(self, tokens: list[list[int]], prompt: Tensor, blocks: list[FrozenBlock]) -> Tensor:
        clip, start, end = self.clip, self.tokeniser.sot_token_id, self.tokeniser.eot_token_id
        lead = 1 + len(prompt)
        packs = Packs.of([[*text, end] for text in tokens], lead, prompt.device)
        x = (clip.token_embedding(packs.tokens) + clip.positional_embedding[packs.position]).flatten(0, 1)  # [P * T, w]
        first = torch.cat([clip.token_embedding.weight[start][None], prompt]) + clip.positional_embedding[:lead]
        x = torch.cat([first, x[lead:]])
        for block in blocks[:-1]:
            x = block(x, packs)
        x = blocks[-1](x, packs, packs.ends)  # [n, w]
        return clip.ln_final(x) @ clip.text_projection  # [n, width]


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over tensors by name, as float32: equal for equal weights, however they were stored."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to('cpu', torch.float32).contiguous()
        digest.update(f'{name}{tuple(tensor.shape)}'.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
