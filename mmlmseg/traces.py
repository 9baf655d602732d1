"""What a sample tells of the way from its file to the tensor, beyond OpenMMLab's own metainfo.

``mmlmseg.Trace`` writes it between the steps of a pipeline, the preprocessor refuses what cannot be right, and
predictions are brought back to the file by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRACES = (
    'content_shape',  # (height, width) of the image before Pad, which pads right and below
    'flip_shape',  # (height, width) in which the image was flipped, where Pad came later
    'moved_by',  # the crop, rotation, ... that it went through
    'labels_after_flip',  # whether the image was flipped when its labels were loaded
    'padded_labels',  # whether there were labels before Pad
    'image_format',  # what its dataset declares of it, where it does
)


def fault_of_traces(meta: Mapping[str, Any], training: bool) -> str | None:
    """Why a sample cannot be trained on, or why its prediction cannot be brought back to its file; mostly None.

    Args:
        meta: Its metainfo, as packed.
        training: Which of the two.
    """
    if training:
        return 'labels are loaded after RandomFlip; load them before' if meta.get('labels_after_flip') else None
    if 'moved_by' in meta:
        return (
            f'{meta["moved_by"]} changes which part of the file the image shows, and results are of the whole file; '
            'leave it out of the test pipeline, where Pad comes right before packing (for large images there is '
            'model.test_cfg.tiles)'
        )
    if meta.get('flip') and meta.get('labels_after_flip') is False:
        return 'RandomFlip turned the labels, and results are as the file is; in a test, load labels after it'
    if meta.get('padded_labels'):
        return 'Pad padded the labels, and results are as large as the file; in a test, load labels after it'
    return None
