"""Text models of Hugging Face, as open_clip puts a pooling and a projection behind them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ...errors import TextBankError
from ..numerics import no_autocast
from .padded_tower import PaddedTower, behind, padded
from .text_side import TextSide
from .tokens import Tokeniser
from .tower import TextTower


class HuggingFaceTower(PaddedTower):
    """open_clip's ``HFTextEncoder``. It masks padding, so texts are as long as the longest of about their length."""

    def __init__(self, text: Any, tokeniser: Tokeniser) -> None:
        TextTower.__init__(self, text, tokeniser)
        self.full_context = False
        if tokeniser.pad != text.config.pad_token_id:
            raise TextBankError(
                f'the tokenizer pads with {tokeniser.pad}, but the text model masks {text.config.pad_token_id}: they '
                'are not of one model'
            )

    @property
    def embedding(self) -> nn.Embedding:
        return self.text.transformer.get_input_embeddings()

    def _batch(self, tokens: list[list[int]], prompt: Tensor, length: int) -> Tensor:
        ids = padded(tokens, self.tokeniser, length - len(prompt)).to(prompt.device)
        lead = len(self.tokeniser.start)
        x = behind(self.embedding(ids), prompt, lead)
        seen = (ids != self.text.config.pad_token_id).long()
        seen = behind(seen, seen.new_ones(len(prompt)), lead)
        out = self.text.transformer(inputs_embeds=x, attention_mask=seen)
        with no_autocast(x):
            return self.text.proj(self.text.pooler(out, seen).float())


def token_width(side: TextSide) -> int:
    """Channels of a token embedding, from the ``config.json`` of a Hugging Face model, which is fetched if need be.

    Raises:
        TextBankError: Where it is not there, or the model is of a type that open_clip does not read.
    """
    from open_clip.hf_configs import arch_dict

    side.require_transformers()
    from transformers import AutoConfig

    name = side.config.hf_model_name
    try:
        config: Any = AutoConfig.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split('\n')[0]
        raise TextBankError(
            f'open_clip model {side.model!r}: the configuration of {name!r} cannot be read ({reason}). Bring it into '
            'the cache of Hugging Face (HF_HOME), or write the folder that holds it as hf_model_name'
        ) from None
    if config.model_type not in arch_dict:
        raise TextBankError(
            f'open_clip model {side.model!r}: {name!r} is of the type {config.model_type!r}, which open_clip does not '
            f'read; it reads {", ".join(arch_dict)}'
        )
    return getattr(config, arch_dict[config.model_type]['config_names']['width'])
