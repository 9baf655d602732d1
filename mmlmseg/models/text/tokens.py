"""Tokens of texts as the tokenizer of an open_clip model makes them, and the proof that it knows words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import TextBankError
from .text_side import TextSide

PROBES = ('sky', 'car', 'road', 'tree', 'water', 'wall')
"""Words that every tokenizer of a text encoder tells apart."""


class Tokeniser:
    """From a text to tokens, without padding: those before its words, its words, those behind.

    Args:
        context: How many tokens a text may have.
        start: The tokens before the words of every text; none or one.
        end: Those behind them.
        pad: What a text is filled up with.
        words: From a text to the tokens of its words.
        decode: The way back, for messages.
    """

    def __init__(
        self,
        context: int,
        start: Sequence[int],
        end: Sequence[int],
        pad: int,
        words: Callable[[str], list[int]],
        decode: Callable[[list[int]], str],
    ) -> None:
        self.context, self.pad = context, pad
        self.start, self.end = list(start), list(end)
        self.words, self.decode = words, decode

    @classmethod
    def of_clip(cls, tokenizer: Any, context: int) -> Tokeniser:
        """open_clip's ``SimpleTokenizer``: CLIP's own."""
        start, end = [tokenizer.sot_token_id], [tokenizer.eot_token_id]
        return cls(context, start, end, 0, tokenizer.encode, tokenizer.decode)

    @classmethod
    def of_hugging_face(cls, tokenizer: Any, context: int, where: str) -> Tokeniser:
        """open_clip's ``HFTokenizer``.

        Raises:
            TextBankError: Where it knows no words, cannot pad, or puts more around a text than one token before it.
        """
        inner = tokenizer.tokenizer

        def tokens(text: str, special: bool) -> list[int]:
            return list(inner(tokenizer.clean_fn(text), add_special_tokens=special)['input_ids'])

        def words(text: str) -> list[int]:
            return tokens(text, special=False)

        require_words([words(probe) for probe in PROBES], where)
        if inner.pad_token_id is None:
            raise TextBankError(f'{where}: its tokenizer has no token to pad with; its files are of another model')
        whole, own = tokens(PROBES[0], special=True), words(PROBES[0])
        first = next((i for i in range(len(whole)) if whole[i : i + len(own)] == own), len(whole))
        start, end = whole[:first], whole[first + len(own) :]
        if len(start) > 1 or first == len(whole):
            raise TextBankError(
                f'{where}: its tokenizer makes {whole} of {PROBES[0]!r}; at most one token before a text is understood'
            )
        if tokenizer.strip_sep_token:  # as HFTokenizer does it
            end = [0 if token == inner.sep_token_id else token for token in end]
        return cls(context, start, end, inner.pad_token_id, words, inner.decode)


def open_tokeniser(side: TextSide) -> Tokeniser:
    """The tokenizer of an open_clip model. That of Hugging Face is fetched where it is not there; it is small.

    Raises:
        TextBankError: Where its files or a package are missing, or it knows no words.
    """
    import open_clip

    side.require_transformers()
    context = side.config.context_length
    if not side.config.hf_tokenizer_name:
        return Tokeniser.of_clip(open_clip.get_tokenizer(side.model), context)
    where = f'open_clip model {side.model!r}, tokenizer {side.config.hf_tokenizer_name!r}'
    try:
        tokenizer = open_clip.get_tokenizer(side.model)
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = str(error).strip().split('\n')[0]
        raise TextBankError(
            f'{where}: cannot be opened ({reason}). Bring its files: into the cache of Hugging Face (HF_HOME), or into '
            "a folder beside open_clip_config.json, as the model 'local-dir:FOLDER'"
        ) from None
    return Tokeniser.of_hugging_face(tokenizer, context, where)


def require_words(readings: Sequence[Sequence[Any]], where: str) -> None:
    """Raises a TextBankError where all :data:`PROBES` are read alike.

    transformers 5 makes a tokenizer without words, and says nothing, where the files of one are missing.

    Args:
        readings: What was made of the probes, tokens or numbers.
        where: Of whom the message is.
    """
    if len({tuple(reading) for reading in readings}) == 1:
        raise TextBankError(
            f'{where}: reads {", ".join(map(repr, PROBES[:-1]))} and {PROBES[-1]!r} alike: its tokenizer knows no '
            'words. Bring the files of the tokenizer (tokenizer.json, vocab.txt, spiece.model or what it has), which '
            'were left out when the encoder was copied'
        )
