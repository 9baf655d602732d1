"""Class lists that change in training, so that a model learns what names mean instead of which list it was given.

LMSeg always trains with one name per class and one list per dataset (section 3.2). The category-guided decoder reads
the whole list, so a synonym in it also costs the classes whose names stayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ...errors import LabelSpaceError, OptionError
from ...label_space import LabelSpace
from ...names import name_key
from ..structures import Categories, Targets


def readings(space: LabelSpace) -> list[tuple[str, ...]]:
    """The names by which each class of a space may be read: its main name first, then its synonyms.

    A synonym that two classes share, or that is the main name of another class, is left out: it would not tell them
    apart.

    Example:
        >>> readings(LabelSpace.create('s', ['wall', 'screen, panel'], synonyms={'wall': ['panel', 'brickwork']}))
        [('wall', 'brickwork'), ('screen',)]
    """
    groups = [(main, *synonyms) for main, synonyms in zip(space.names, space.synonyms, strict=True)]
    owners = Counter(key for group in groups for key in {name_key(name) for name in group})
    return [(main, *(name for name in others if owners[name_key(name)] == 1)) for main, *others in groups]


def all_synonyms(spaces: Iterable[LabelSpace]) -> list[str]:
    """Every name beside the main ones that :func:`draw_names` may draw; refused where there is none."""
    found = [name for space in spaces for _, *synonyms in readings(space) for name in synonyms]
    if not found:
        raise LabelSpaceError(
            'synonyms shall be sampled, but no class of the label spaces has one; give a space some, as in '
            "dict(path='FOLDER', synonyms={'car': ['automobile']}), or leave sample_synonyms out"
        )
    return found


def draw_names(space: LabelSpace) -> tuple[str, ...]:
    """One of the :func:`readings` of each class, independently and uniformly, by PyTorch's global generator."""
    groups = readings(space)
    return tuple(group[int(u * len(group))] for group, u in zip(groups, torch.rand(len(groups)).tolist(), strict=True))


def present_classes(targets: Sequence[Targets], num_classes: int) -> Tensor:
    """Which of the K classes occur in the truth of each sample: bool ``[B, K]``, B over all groups in order."""
    found = []
    for group in targets:
        present = torch.zeros(len(group.labels), num_classes + 1, dtype=torch.bool, device=group.labels.device)
        slots = torch.where(group.valid, group.labels, num_classes)  # slots without a target mark a column of their own
        found.append(present.scatter_(1, slots, True)[:, :num_classes])
    return torch.cat(found)


def drop_absent(categories: Categories, present: Tensor, probability: float) -> Categories:
    """Takes classes that a sample does not show off its list, each with the same probability.

    Drawn anew for each sample, by PyTorch's global generator of the device; see :meth:`Categories.restricted`.

    Args:
        categories: Of the batch.
        present: The classes that occur in the truth of each sample, bool ``[B, K]``; they and no-object stay.
        probability: Of a class to be dropped, in [0, 1).

    Raises:
        OptionError: Where the probability lies outside of that range.
    """
    if not 0 <= probability < 1:
        raise OptionError(f'drop_absent is a probability in [0, 1), got {probability}')
    dropped = (torch.rand(present.shape, device=present.device) < probability) & ~present  # [B, K]
    return categories.restricted(~dropped)
