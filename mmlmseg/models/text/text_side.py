"""What the text side of an open_clip model is, told from its configuration alone: nothing is built, read or fetched."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...errors import CheckpointError, TextBankError, did_you_mean
from ..open_clip_loader import model_config

if TYPE_CHECKING:
    from open_clip import CLIPTextCfg

TowerKind = Literal['packed', 'padded', 'hugging face']
"""By which tower a text is read: :class:`~.packed_tower.PackedTower`, :class:`~.padded_tower.PaddedTower`,
:class:`~.hugging_face_tower.HuggingFaceTower`."""

# What CLIPTextCfg may ask of a block beyond a plain pre-norm one.
_OF_CUSTOM_BLOCKS = ('qk_norm', 'scaled_cosine_attn', 'scale_heads', 'scale_attn_inner', 'scale_attn', 'scale_fc')
_POOLINGS = ('argmax', 'eos', 'last', 'first')
_HF_POOLERS = ('mean_pooler', 'cls_pooler', 'cls_last_hidden_state_pooler')
_HF_PROJECTIONS = ('mlp', 'linear', None)
WAY_OUT = 'docs/text_encoders.md lists what is read; a text bank is another way (tools/build_text_bank.py)'


@dataclass(frozen=True)
class TextSide:
    """The text side of an open_clip model.

    Attributes:
        model: As open_clip knows it.
        config: open_clip's ``CLIPTextCfg``.
        width: Channels of an embedding.
        quick_gelu: Whether its layers have OpenAI's activation.
        kind: How it is read.
    """

    model: str
    config: CLIPTextCfg
    width: int
    quick_gelu: bool
    kind: TowerKind

    @property
    def title(self) -> str:
        """What the model is called in checkpoints and banks: of a folder its name, not where it lies."""
        folder = self.model.removeprefix('local-dir:')
        return self.model if folder == self.model else Path(folder).resolve().name

    @property
    def needs_transformers(self) -> bool:
        """Whether the text is read with Hugging Face's library."""
        return bool(self.config.hf_model_name or self.config.hf_tokenizer_name)

    def require_transformers(self) -> None:
        """Raises a TextBankError where the text cannot be read for want of a package."""
        if self.needs_transformers and find_spec('transformers') is None:
            what = self.config.hf_model_name or self.config.hf_tokenizer_name
            raise TextBankError(
                f'open_clip model {self.model!r} reads text with {what!r} of Hugging Face, which needs a package that '
                'is not there: pip install "mmlmseg[hf]"'
            )


def text_side(model: str) -> TextSide:
    """Reads what the text side of an open_clip model is.

    Raises:
        CheckpointError: On an unknown model, or a configuration that is none.
        TextBankError: Where no vector of a text comes out of it, or open_clip itself cannot run it.
    """
    from open_clip import CLIPTextCfg

    config = model_config(model)
    if lacking := [key for key in ('embed_dim', 'text_cfg') if key not in config]:
        raise CheckpointError(f'the configuration of open_clip model {model!r} has no {" and no ".join(lacking)}')
    for key in config['text_cfg']:
        if key not in (known := [field.name for field in fields(CLIPTextCfg)]):
            near = did_you_mean(key, known)
            raise CheckpointError(f'open_clip model {model!r}: its text_cfg has the unknown key {key!r}.{near}')
    text = CLIPTextCfg(**config['text_cfg'])
    if reason := _unreadable(text, model):
        raise TextBankError(f'the text side of open_clip model {model!r} cannot be read: {reason}. {WAY_OUT}')
    projected = text.hf_model_name or text.proj_type != 'none'
    width = config['embed_dim'] if projected else text.width
    return TextSide(model, text, width, bool(config.get('quick_gelu')), tower_kind(text))


def tower_kind(text: CLIPTextCfg) -> TowerKind:
    """How a text side is read.

    Packed is four to five times as fast, and needs that nothing behind the end of a text matters: a causal transformer
    that is read at the end token. All others of open_clip's own transformers are padded.
    """
    if text.hf_model_name:
        return 'hugging face'
    # The end token of CLIP's own tokenizer is the largest of all, of another it is found by its id.
    read_at_end = text.pool_type == 'eos' or (text.pool_type == 'argmax' and not text.hf_tokenizer_name)
    plain = not text.no_causal_mask and not text.embed_cls and not has_custom_blocks(text)
    return 'packed' if read_at_end and plain else 'padded'


def has_custom_blocks(text: CLIPTextCfg) -> bool:
    """Whether the blocks are others than ``ResidualAttentionBlock``."""
    return text.block_type == 'custom' or (text.block_type is None and any(_asked(text, _OF_CUSTOM_BLOCKS)))


def _asked(text: CLIPTextCfg, options: tuple[str, ...]) -> list[Any]:
    return [getattr(text, option) for option in options]


def _unreadable(text: CLIPTextCfg, model: str) -> str | None:
    if text.tokenizer_mode:
        return f'its tokenizer has the mode {text.tokenizer_mode!r}, whose last token stands behind the padding'
    if text.hf_model_name:
        if text.hf_pooler_type not in (*_HF_POOLERS, None):
            return f'open_clip has no pooling {text.hf_pooler_type!r} that runs (it has {", ".join(_HF_POOLERS)})'
        if text.hf_proj_type not in _HF_PROJECTIONS:
            return f'open_clip has no projection {text.hf_proj_type!r} (it has mlp and linear)'
        return None if text.hf_tokenizer_name else 'it has a Hugging Face model, but names no hf_tokenizer_name'
    if not text.embed_cls and text.pool_type not in _POOLINGS:
        return f'the pooling {text.pool_type!r} does not make one vector of a text (these do: {", ".join(_POOLINGS)})'
    if text.width % text.heads:
        return f'its width {text.width} is no multiple of its {text.heads} heads'
    if has_custom_blocks(text) and text.scaled_cosine_attn:
        return "open_clip's own scaled_cosine_attn does not run"
    if 'siglip' in model.lower() and not text.hf_tokenizer_name and 'local-dir:' not in model:
        return 'open_clip would choose a tokenizer by the name of the model; write hf_tokenizer_name into its text_cfg'
    return None
