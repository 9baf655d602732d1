"""Opens the text tower of an open_clip model: what is small first, so that what is missing stops before a download."""

from __future__ import annotations

from ...errors import TextBankError
from ..open_clip_loader import check_weights
from .hugging_face_tower import HuggingFaceTower, token_width
from .packed_tower import PackedTower
from .padded_tower import PaddedTower
from .text_side import TextSide, text_side
from .text_weights import load_text
from .tokens import Tokeniser, open_tokeniser
from .tower import TextTower

_TOWERS: dict[str, type[TextTower]] = {
    'packed': PackedTower,
    'padded': PaddedTower,
    'hugging face': HuggingFaceTower,
}


def open_tower(model: str, pretrained: str | None) -> TextTower:
    """Opens a frozen text tower.

    Args:
        model: A model that open_clip knows: one of its own, or ``local-dir:FOLDER`` with an ``open_clip_config.json``.
        pretrained: A local weight file, a hub tag, or None for random weights (of a folder, for the weights in it).

    Raises:
        CheckpointError: On an unknown model, or unfit weights.
        TextBankError: Where the text side cannot be read, before weights are.
    """
    side, tokeniser = ready(model, pretrained)
    return _TOWERS[side.kind](load_text(side, pretrained), tokeniser)


def ready(model: str, pretrained: str | None) -> tuple[TextSide, Tokeniser]:
    """Everything about a text tower that is known, or fetched as a small file, before its weights are; see
    :func:`open_tower`."""
    side = text_side(model)
    check_weights(model, pretrained)
    tokeniser = open_tokeniser(side)
    if side.kind == 'hugging face':
        token_width(side)
    elif side.config.pool_type == 'eos' and side.config.eos_id not in tokeniser.end:
        raise TextBankError(
            f'open_clip model {model!r} reads a text at the token {side.config.eos_id}, but its tokenizer ends a text '
            f'with {tokeniser.end}: they are not of one model'
        )
    elif side.config.embed_cls and side.config.pad_id != tokeniser.pad:
        raise TextBankError(
            f'open_clip model {model!r} masks the token {side.config.pad_id}, but its tokenizer pads with '
            f'{tokeniser.pad}: they are not of one model'
        )
    return side, tokeniser


def prompt_width(side: TextSide) -> int:
    """Channels of a learned prompt vector."""
    return token_width(side) if side.kind == 'hugging face' else side.config.width
