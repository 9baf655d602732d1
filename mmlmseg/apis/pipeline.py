"""The transforms between a loaded image and the model, taken from a config."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope

from ..config import innermost, space_names
from .inputs import Image


def inference_pipeline(config: Mapping[str, Any], space: str | None) -> list[dict]:
    """Find the test transforms of a config, without those that load files or annotations.

    Args:
        config: A whole config.
        space: Name of the label space that is asked for; None for a free class list.

    Returns:
        Configs of the transforms: those of the test dataset with this label space (or else with this name), as
        `tools/test.py` uses them; else ``test_pipeline`` of the config; else those of the first test dataset; else only
        packing.
    """
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    members = [innermost(member) for member in dataset.get('datasets') or ([dataset] if dataset else [])]
    pipeline = (
        _pipeline_of(space, members, dataset.get('names') or ())
        or config.get('test_pipeline')
        or (members[0].get('pipeline') if members else None)
        or [dict(type='PackSegInputs')]
    )
    return [copy.deepcopy(dict(step)) for step in pipeline if not _bare(step['type']).startswith('Load')]


def _pipeline_of(space: str | None, members: Sequence[Any], names: Sequence[str]) -> list[dict] | None:
    """The pipeline of the dataset with a label space, or of this name."""
    for known in (['+'.join(space_names(member)) if 'type' in member else None for member in members], names):
        if space is not None and space in known:
            return members[list(known).index(space)].get('pipeline')
    return None


def _bare(name: Any) -> str:
    return (name if isinstance(name, str) else name.__name__).rsplit('.', 1)[-1]


def build_pipeline(steps: list[dict]) -> Compose:
    """Build transforms with mmseg's names in reach."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        return Compose([TRANSFORMS.build(step) for step in steps])


def prepare(pipeline: Compose, image: Image, name: str) -> dict:
    """Run the transforms.

    Args:
        pipeline: Of :func:`build_pipeline`.
        image: BGR, uint8 [H, W, 3].
        name: Where it comes from, for messages.

    Returns:
        ``inputs``: [3, h, w], ``data_samples``: with the original shape in its metainfo.
    """
    size = image.shape[:2]
    return pipeline(dict(img=image, img_path=name, img_shape=size, ori_shape=size))
