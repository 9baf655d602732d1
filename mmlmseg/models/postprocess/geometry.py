"""From the padded input of the model back to the original image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

_FLIPPED_AXES = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes maps ``[C, h, w]`` to ``[C, H, W]``, bilinear; C must not be 0."""
    return F.interpolate(maps[None], size=size, mode='bilinear', align_corners=False)[0]


def restore(maps: Tensor, meta: Mapping[str, Any]) -> Tensor:
    """Bring the maps of one sample back to its original image: no padding, no flip, original size.

    One sample at a time, because original sizes differ and [C, H0, W0] in float32 can be large.

    Args:
        maps: Maps of any kind, such as scores or mask logits, at the padded input size [C, H, W]; padding lies right
            and below.
        meta: The sample's metainfo: ``img_shape`` (before padding), ``ori_shape``, and ``flip`` with
            ``flip_direction`` if the image was flipped.

    Returns:
        Maps [C, H0, W0]; they may share memory with the input.
    """
    height, width = meta['img_shape'][:2]
    maps = maps[:, :height, :width]
    if meta.get('flip'):
        direction = meta.get('flip_direction')
        if direction not in _FLIPPED_AXES:
            raise ValueError(f'flip_direction {direction!r} is unknown; use one of {", ".join(_FLIPPED_AXES)}.')
        maps = maps.flip(_FLIPPED_AXES[direction])
    size = tuple(meta['ori_shape'][:2])
    return maps if maps.shape[-2:] == size else resize(maps, size)
