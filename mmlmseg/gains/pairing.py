"""Which models stand against each other on which dataset, and what stands against nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from ..errors import OptionError
from .counts import CountedModel, ImageCounts


@dataclass(frozen=True)
class Pair:
    """Two models on one dataset, each as one or several trainings that differ in their seeds.

    Attributes:
        dataset: Its name.
        joint, single: What was found by each seed of the two.
        single_names: What the single model's seeds are called.
        trained_on: The label spaces that the single model was trained on.
    """

    dataset: str
    joint: tuple[ImageCounts, ...]
    single: tuple[ImageCounts, ...]
    single_names: tuple[str, ...]
    trained_on: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """What was not compared.

    Attributes:
        dataset: Its name.
        name: A class of it; None for the whole dataset.
        why: For people.
    """

    dataset: str
    name: str | None
    why: str


def pairs_of(joint: Sequence[CountedModel], single: Sequence[CountedModel]) -> tuple[list[Pair], list[LeftOut]]:
    """Finds the single model of each dataset of the joint one.

    Args:
        joint: Seeds of one model.
        single: Models of one dataset or more, each with one or more seeds.

    Returns:
        The pairs in the order of the joint model's datasets, and the datasets without one.

    Raises:
        OptionError: Where models that stand for one are none, or one is given twice; or no dataset is in common.
    """
    _require_seeds('--joint', joint)
    datasets = [own.dataset for own in joint[0].datasets]
    for model in joint[1:]:
        if {own.dataset for own in model.datasets} != {*datasets}:
            raise OptionError(
                f'--joint: {joint[0].name} was counted on {_listed(joint[0])}, {model.name} on {_listed(model)}; count '
                'all seeds on the same datasets'
            )
    pairs, left_out = [], []
    for dataset in datasets:
        seeds = [model for model in single if any(own.dataset == dataset for own in model.datasets)]
        if not seeds:
            left_out.append(LeftOut(dataset, None, 'no single model was counted on it'))
            continue
        _require_seeds(f'--single, {dataset}', seeds)
        sides = [
            tuple(own for model in side for own in model.datasets if own.dataset == dataset) for side in (joint, seeds)
        ]
        names = tuple(model.name for model in seeds)
        pairs.append(Pair(dataset, sides[0], sides[1], names, seeds[0].trained_on))
    for dataset in dict.fromkeys(own.dataset for model in single for own in model.datasets):
        if dataset not in datasets:
            left_out.append(LeftOut(dataset, None, 'the joint model was not counted on it'))
    if not pairs:
        others = '; '.join(f'{model.name}: {_listed(model)}' for model in single)
        raise OptionError(f'no dataset in common: the joint model was counted on {_listed(joint[0])}, {others}')
    return pairs, left_out


def grouped(left_out: Sequence[LeftOut]) -> dict[tuple[str, str], list[str]]:
    """By dataset and reason, the classes that were left out; none where it is the whole dataset."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in left_out:
        groups.setdefault((one.dataset, one.why), []).extend([] if one.name is None else [one.name])
    return groups


def _require_seeds(where: str, models: Sequence[CountedModel]) -> None:
    """Refuses models that are not one model with several seeds."""
    first = models[0]
    for model in models[1:]:
        if (model.spaces.names, model.architecture) != (first.spaces.names, first.architecture):
            what = 'built alike' if model.spaces.names == first.spaces.names else 'trained on the same label spaces'
            raise OptionError(
                f'{where}: {first.name} (trained on {", ".join(first.trained_on)}) and {model.name} (trained on '
                f'{", ".join(model.trained_on)}) are not {what}, so they are no seeds of one model; compare with one '
                'of them'
            )
    for one, other in combinations(models, 2):
        ours, theirs = ({own.dataset: own.areas for own in model.datasets} for model in (one, other))
        if ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours):
            raise OptionError(
                f'{where}: {one.name} and {other.name} found the same in every image: one training given twice would '
                'count as two seeds; give each once'
            )


def _listed(model: CountedModel) -> str:
    return ', '.join(own.dataset for own in model.datasets)
