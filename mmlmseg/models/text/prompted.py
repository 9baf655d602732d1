"""A CLIP text tower behind a learnable prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checkpoint import TextSource
from ...errors import OptionError
from ...registry import MODELS
from ..open_clip_loader import model_config
from .table import Shared, TextEncoder
from .tower import TextTower, require_causal_text


@MODELS.register_module()
class OpenClipText(TextEncoder):
    """Reads ``[v]_1 ... [v]_L [class name]`` with a frozen CLIP text tower (paper, section 3.2).

    The L vectors are learned and shared by all label spaces. The tower is built when first needed: a checkpoint serves
    its own label spaces without it.

    Args:
        model: An open_clip model name whose text side is a causal transformer as CLIP has it, e.g. ``RN50-quickgelu``
            or ``ViT-B-16``; not SigLIP, CoCa or one with a Hugging Face text model. OpenAI's weights need a
            ``-quickgelu`` model.
        pretrained: A local weight file, a hub tag of open_clip, or None for random weights.
        prompt_length: L.
        template: What follows the learned vectors, with ``{name}`` in it.

    Raises:
        CheckpointError: On an unknown model.
        TextBankError: Where the model's text side is of another kind.
        OptionError: Where the template has no place for the name.
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
        require_causal_text(model)
        config = model_config(model)
        self._width: int = config['embed_dim']
        self.prompt = nn.Parameter(0.02 * torch.randn(prompt_length, config['text_cfg']['width']))
        self._shared: Shared[TextTower] = Shared()
        self._tokens: dict[str, list[int]] = {}

    @property
    def tower(self) -> TextTower:
        """The frozen text tower, built at first use."""
        if self._shared.value is None:
            self._shared.value = TextTower(self.model, self.pretrained)
        return self._shared.value

    @property
    def width(self) -> int:
        return self._width

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
                self._tokens[name] = tower.tokenise(self.template.replace('{name}', name))
        return F.normalize(tower.encode([self._tokens[name] for name in names], self.prompt), dim=-1)

    def _source(self, weights: str) -> TextSource:
        prompt = f'[{len(self.prompt)} learned] {self.template}'
        return TextSource(f'open_clip:{self.model}', prompt, self._width, weights)
