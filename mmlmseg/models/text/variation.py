"""Class lists that change in training, so that a model learns what names mean instead of which list it was given.

LMSeg always trains with one name per class and one list per dataset (section 3.2). The category-guided decoder reads
the whole list, so a synonym in it also costs the classes whose names stayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...audit.concepts import Concepts
from ...errors import LabelSpaceError, OptionError
from ...label_space import LabelSpace
from ...names import name_key
from ..structures import Categories, Targets


def with_lexicon(space: LabelSpace, concepts: Concepts, readable: Callable[[str], bool]) -> LabelSpace:
    """A space with more synonyms: the names of the lexicon that mean the same as a class, and no other class.

    Args:
        space: Its own synonyms stay.
        concepts: The lexicon of the audit; it tells nothing of a class whose concept it had to make up.
        readable: Whether the text encoder can read a name.
    """
    names_of: dict[str, list[str]] = {}
    for name, concept in concepts.called.items():
        names_of.setdefault(concept, []).append(name)
    found = [names_of.get(concept, []) if concept else [] for concept in concepts.of(space)]
    more = [
        tuple(name for name in own if name_key(main) != name and readable(name))
        for main, own in zip(space.names, found, strict=True)
    ]
    synonyms = zip(space.synonyms, more, strict=True)
    return replace(space, synonyms=tuple(tuple(dict.fromkeys([*own, *others])) for own, others in synonyms))


def check_choices(choices: Iterable[Sequence[tuple[str, ...]]]) -> None:
    """Refuses to draw where no class of the label spaces has a second text."""
    if not any(len(group) > 1 for groups in choices for group in groups):
        raise LabelSpaceError(
            'synonyms shall be sampled, but no class of the label spaces has one; give a space some, as in '
            "dict(path='FOLDER', synonyms={'car': ['automobile']}), take those of the lexicon "
            "(sample_synonyms='lexicon'), or leave sample_synonyms out"
        )


def draw_texts(groups: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """One text of each class, independently and uniformly, by PyTorch's global generator."""
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
