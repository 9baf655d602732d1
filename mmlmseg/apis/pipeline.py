"""The transforms between a loaded image and the model, taken from a config."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS, DefaultScope

from ..label_space import default_space_name
from .inputs import Image


def inference_pipeline(config: Mapping[str, Any], space: str | None) -> list[dict]:
    """Find the test transforms of a config, without those that load files or annotations.

    Args:
        config: A whole config.
        space: Label space that is asked for. Where datasets have their own test pipelines, that of the dataset with
            this label space is used; for a free class list (None) the first one.

    Returns:
        Configs of the transforms: ``test_pipeline`` if the config has that key, else from its test datasets, else
        only packing.
    """
    pipeline = config.get('test_pipeline') or _dataset_pipeline(config, space) or [dict(type='PackSegInputs')]
    return [copy.deepcopy(dict(step)) for step in pipeline if not _bare(step['type']).startswith('Load')]


def _dataset_pipeline(config: Mapping[str, Any], space: str | None) -> list[dict] | None:
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    members = dataset.get('datasets')
    if not members:
        return dataset.get('pipeline')
    names = dataset.get('names') or [None] * len(members)
    for member, name in zip(members, names, strict=True):
        if space is not None and space in (name, default_space_name(str(member['type']))):
            return member.get('pipeline')
    return members[0].get('pipeline')


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
