"""A frozen text tower of open_clip behind a learnable prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checkpoint import TextSource
from ...errors import OptionError, TextBankError
from ...registry import MODELS
from .encoder import Shared, TextEncoder
from .open_tower import open_tower, prompt_width
from .text_side import text_side
from .tower import TextTower


@MODELS.register_module()
class OpenClipText(TextEncoder):
    """Reads ``[v]_1 ... [v]_L [class name]`` with a frozen text tower of open_clip (paper, section 3.2).

    The L vectors are learned and shared by all label spaces. The tower is built when first needed: a checkpoint serves
    its own label spaces without it.

    Args:
        model: An open_clip model, e.g. ``RN50-quickgelu`` or ``ViT-B-16-SigLIP``, or ``local-dir:FOLDER`` with an
            ``open_clip_config.json``; docs/text_encoders.md says what each kind needs. OpenAI's weights need a
            ``-quickgelu`` model.
        pretrained: A local weight file, a hub tag of open_clip, or None: for random weights, or those in the folder.
        prompt_length: L.
        template: What follows the learned vectors, with ``{name}`` in it.

    Raises:
        CheckpointError: On an unknown model.
        TextBankError: Where the model's text side cannot be read.
        OptionError: Where the template has no place for the name, or the prompt leaves none.
    """

    def __init__(
        self,
        model: str = 'RN50-quickgelu',
        pretrained: str | None = None,
        prompt_length: int = 8,
        template: str = '{name}',
    ) -> None:
        super().__init__()
        if '{name}' not in template:
            raise OptionError(f'the template {template!r} has no place for the class name; write {{name}} into it')
        self.model, self.pretrained, self.template = model, pretrained, template
        self.side = text_side(model)
        context = self.side.config.context_length
        if not 0 <= prompt_length < context - 2:  # a start, an end and a word
            raise OptionError(
                f'prompt_length is {prompt_length}; the text tower of {model} takes {context} tokens with start, end '
                'and class name'
            )
        # Without a prompt nobody needs the width of one, which a Hugging Face model says in a file of its own.
        width = prompt_width(self.side) if prompt_length else 0
        self.prompt = nn.Parameter(0.02 * torch.randn(prompt_length, width))
        self._shared: Shared[TextTower] = Shared()
        self._tokens: dict[str, list[int]] = {}
        self._names: dict[tuple[int, ...], str] = {}  # by their tokens

    @property
    def tower(self) -> TextTower:
        """The frozen text tower, built at first use."""
        if self._shared.value is None:
            self._shared.value = open_tower(self.model, self.pretrained)
        return self._shared.value

    @property
    def width(self) -> int:
        return self.side.width

    def source(self) -> TextSource:
        return self._checked(self._source(self.tower.digest), f'open_clip {self.model} ({self.pretrained or "random"})')

    def expect(self, source: TextSource) -> None:
        super().expect(source)
        # The weights are compared when the tower is built.
        source.require(self._source(source.weights), f'open_clip {self.model}')

    def encode(self, names: Sequence[str], device: torch.device) -> Tensor:
        self.source()
        tower = self.tower.to(device)
        for name in names:
            if name not in self._tokens:
                self._tokens[name] = self._tokenised(name, tower)
        return F.normalize(tower.encode([self._tokens[name] for name in names], self.prompt), dim=-1)

    def _tokenised(self, name: str, tower: TextTower) -> list[int]:
        tokens = tower.tokenise(self.template.replace('{name}', name))
        other = self._names.setdefault(tuple(tokens), name)
        if _letters(other) != _letters(name):  # some tokenizers leave out punctuation, by design
            raise TextBankError(
                f'the tokenizer of open_clip model {self.model!r} reads {other!r} and {name!r} as the same tokens, so '
                'that no model could tell them apart: it lacks these words; take a model that has them'
            )
        return tokens

    def _source(self, weights: str) -> TextSource:
        prompt = f'[{len(self.prompt)} learned] {self.template}'
        return TextSource(f'open_clip:{self.side.title}', prompt, self.side.width, weights)


def _letters(name: str) -> str:
    return ''.join(filter(str.isalnum, name.casefold()))
