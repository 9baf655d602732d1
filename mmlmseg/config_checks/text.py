"""Text towers of a training: they can be read, and what reads them is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config


def check_text_towers(cfg: Config) -> None:
    """Looks at each text tower, so that what it lacks stops a run before weights of other parts are fetched.

    Raises:
        CheckpointError: On an unknown model or tag, or a missing file.
        TextBankError: Where its text cannot be read, or its tokenizer or a package is missing.
    """
    for encoder in _towers(cfg.get('model')):
        from ..models.text.open_tower import ready  # open_clip takes a while to import

        ready(encoder.get('model', 'RN50-quickgelu'), encoder.get('pretrained'))


def _towers(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if str(value.get('type')).rpartition('.')[2] == 'OpenClipText':
            yield value
        for inner in value.values():
            yield from _towers(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _towers(inner)
