"""The label spaces of a config: those of its datasets; and what it says of others, taken away."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..class_weights import is_by_frequency
from ..label_space import LabelSpace
from ..relations import Relations
from .parts import innermost, parts_of


def training_spaces(dataset: Any) -> tuple[LabelSpace, ...]:
    """The label spaces of the datasets of a loader, each once, in their order; no list of samples is read."""
    from ..datasets import MultiDataset  # brings mmdet and mmseg, which take seconds and are needed here alone

    parts = {name: {**innermost(part), 'pipeline': []} for name, part in parts_of(dataset).items()}
    joined = MultiDataset(list(parts.values()), list(parts), lazy_init=True)
    first: dict[str, LabelSpace] = {}
    for space in (space for own in joined.spaces for space in own):
        first.setdefault(space.name, space)
    return tuple(first.values())


def leave_spaces(model: Any, names: Collection[str]) -> None:
    """Takes away what the config of a model says of other label spaces: relations, thresholds, adapters, weights of
    classes, templates."""
    for place, key in (model.decode_head, 'relations'), (model.get('test_cfg', {}).get('mixed', {}), 'relations'):
        if place.get(key) is not None:
            place[key] = Relations.from_config(place[key]).among(names).to_dict()
    thresholds = model.get('test_cfg', {}).get('panoptic', {}).get('per_space', {})
    weights = model.decode_head.get('class_weights') or {}
    templates = (model.decode_head.get('text') or {}).get('templates') or {}
    for by_space in (
        thresholds,
        model.decode_head.get('adapters', {}),
        {} if is_by_frequency(weights) else weights,
        templates,
    ):
        for name in by_space.keys() - set(names):
            del by_space[name]
