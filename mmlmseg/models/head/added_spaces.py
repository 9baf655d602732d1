"""Label spaces that are added to a trained model: what they train, and how a checkpoint without them is read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmengine.logging import print_log
from torch import nn

from ...checkpoint import EXTRA_STATE
from ...errors import LabelSpaceError
from ...label_space import LabelSpaces
from .per_space import PerSpace

if TYPE_CHECKING:
    from . import QueryHead

__all__ = ['add_to_checkpoint', 'check_added', 'check_learned', 'check_something_learns', 'kept_parameters']


def check_added(label_spaces: LabelSpaces, added: Sequence[str]) -> tuple[str, ...]:
    """Checks which label spaces are to be added.

    Parameters of single spaces lie in lists, so the trained spaces keep their places only if the added ones come last.

    Args:
        label_spaces: All spaces of the model.
        added: Names of those that the trained model lacks.

    Returns:
        The names, in the order of the label spaces.

    Raises:
        LabelSpaceError: On an unknown name, or where they are not the last spaces, behind at least one other.
    """
    for name in added:
        label_spaces.get(name)  # refuses an unknown one
    trained = tuple(name for name in label_spaces.names if name not in added)
    if not trained:
        raise LabelSpaceError('added_spaces names all label spaces; it names those that a trained model lacks')
    if label_spaces.names[: len(trained)] != trained:
        raise LabelSpaceError(
            f'added_spaces must come last in label_spaces, behind those of the trained model: {", ".join(trained)}, '
            f'then {", ".join(added)}; the config has {", ".join(label_spaces.names)}'
        )
    return label_spaces.names[len(trained) :]


def check_something_learns(head: QueryHead) -> None:
    """Checks that every added space has something to train.

    Raises:
        LabelSpaceError: Where one has nothing of its own, or the classifier cannot take a space more.
    """
    if head.added_spaces and not head.classifier.can_grow:
        raise LabelSpaceError(
            f'a label space cannot be added to a model with {type(head.classifier).__name__}: its one layer serves all '
            'label spaces, so none can learn while the others stay; train the model anew on all of them'
        )
    for space in head.added_spaces:
        if not _own_parameters(head, space):
            raise LabelSpaceError(
                f'label space {space!r} is added, but nothing would be trained for it: neither queries nor classifier '
                'have parameters of its own. Such a model reads class names, so it predicts in any label space as it '
                f"is; to train for this one, give it an adapter: adapters=dict({space}=dict(type='mmlmseg."
                "SpaceAdapter'))"
            )


def check_learned(head: QueryHead, spaces: Sequence[Any], metas: Sequence[dict[str, Any]]) -> None:
    """Checks that training sees samples of the added spaces only, where there are some.

    Args:
        head: The head.
        spaces: The label space of each sample.
        metas: Metainfo of the samples.

    Raises:
        LabelSpaceError: On a sample of a frozen space, from which nothing could be learned.
    """
    for space, meta in zip(spaces, metas, strict=True):
        if head.added_spaces and space not in head.added_spaces:
            raise LabelSpaceError(
                f'{meta.get("img_path", "a sample")} is labelled in {space!r}, whose parameters are frozen; only '
                f'{", ".join(head.added_spaces)} are trained: name no other datasets in train_dataloader'
            )


def kept_parameters(model: nn.Module, head: QueryHead) -> tuple[str, ...]:
    """Names the parameters that training would change, but must not where spaces are added to the head of the model."""
    if not head.added_spaces:
        return ()
    learned = {id(parameter) for space in head.added_spaces for parameter in _own_parameters(head, space)}
    return tuple(name for name, p in model.named_parameters() if p.requires_grad and id(p) not in learned)


def add_to_checkpoint(head: QueryHead, state_dict: dict[str, Any], prefix: str) -> None:
    """Turns the checkpoint of a model without the added spaces into one with them, which they have not trained yet.

    Args:
        head: The head that will be loaded.
        state_dict: The checkpoint's; changed in place, but for its tensors.
        prefix: Where the head stands in it, with the final dot.

    Raises:
        CheckpointError: Where its class scores mean something else.
        TextBankError: Where a new class name cannot be embedded.
    """
    head.set_extra_state(state_dict[prefix + EXTRA_STATE])  # refuses it, before the head's own takes its place
    for place, part in _parts(head):
        first = f'{prefix}{place}.'
        trained = {key.removeprefix(first): value for key, value in state_dict.items() if key.startswith(first)}
        for space in head.added_spaces:
            state_dict.update({first + name: value for name, value in part.start(space, trained).items()})
    if head.text is not None:
        head.text.extend(state_dict, f'{prefix}text.')
    state_dict[prefix + EXTRA_STATE] = head.get_extra_state()
    print_log(
        f'the checkpoint lacks the added label spaces {", ".join(head.added_spaces)}: what is theirs starts untrained',
        'current',
        logging.WARNING,
    )


def _parts(head: QueryHead) -> list[tuple[str, PerSpace]]:
    return [(name, part) for name, part in head.named_children() if isinstance(part, PerSpace)]


def _own_parameters(head: QueryHead, space: str) -> list[nn.Parameter]:
    return [parameter for _, part in _parts(head) for parameter in part.parameters_of(space).values()]
