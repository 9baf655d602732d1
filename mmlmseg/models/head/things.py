"""Instance segmentation: things are all there is to find, and stuff is background (Mask2Former, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import LabelSpaceError
from ...label_space import LabelSpace


def thing_columns(spaces: Sequence[LabelSpace], width: int) -> Tensor:
    """Which columns of the class logits are things.

    A space without things is refused rather than skipped: its images would teach nothing, not even that they hold no
    thing of another space.

    Args:
        spaces: The label space of each sample, length B.
        width: K.

    Returns:
        bool ``[B, K]``.

    Raises:
        LabelSpaceError: Where a space has no thing.
    """
    for space in spaces:
        if not space.things:
            raise LabelSpaceError(
                f'label space {space.name!r} has no things, so a model with things_only=True has nothing to find in '
                'it; leave it out, or name its things, as in dict(path=..., things=[...]) of label_spaces'
            )
    return torch.tensor([[*space.is_thing, *[False] * (width - space.num_classes)] for space in spaces])
