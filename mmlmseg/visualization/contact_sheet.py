"""Contact sheets of datasets: samples as they leave the pipeline, which is what the model sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed
from mmseg.structures import SegDataSample

from ..config import parts_of
from ..datasets import MultiDataset
from ..errors import DataError, OptionError, did_you_mean
from ..label_space import LabelSpace
from .drawing import Panel, Picture, as_picture, panel_grid
from .label_panel import TITLES, label_panels

_SAMPLES_PER_ROW = 2
_PANEL_WIDTH = 320


def build_datasets(config: Mapping[str, Any], split: str, only: str | None = None) -> MultiDataset:
    """Builds the datasets of a split.

    Args:
        config: A whole config; the dataset of the loader may be ``mmlmseg.MultiDataset`` or any single one.
        split: ``train``, ``val`` or ``test``.
        only: Build just the dataset of this name; files of the others may be missing.

    Raises:
        OptionError: Where the config has no such split, or the split no such dataset.
        DataError: Where files are missing.
    """
    loader = config.get(f'{split}_dataloader')
    if not loader:
        raise OptionError(f'--split {split}: the config has no {split}_dataloader')
    parts = parts_of(loader['dataset'])
    if only is not None:
        if only not in parts:
            raise OptionError(
                f'--dataset {only}: is none of the {split} datasets ({", ".join(parts)}).{did_you_mean(only, parts)}'
            )
        parts = {only: parts[only]}
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmseg')):
        return MultiDataset(list(parts.values()), list(parts))


def contact_sheet(dataset: MultiDataset, name: str, number: int, seed: int) -> Picture:
    """Draws samples of a dataset after its pipeline: the image beside its labels, with a legend of their classes.

    Args:
        dataset: The datasets.
        name: Which of them.
        number: How many samples to draw, at random and each once; all where there are fewer.
        seed: Of the choice and of the augmentation; a sheet does not depend on those of other datasets.

    Returns:
        RGB, uint8 [H, W, 3].
    """
    which = dataset.names.index(name)
    size, first = dataset.sizes[which], sum(dataset.sizes[:which])
    chosen = np.random.default_rng(seed).choice(size, min(number, size), replace=False)
    set_random_seed(seed)  # transforms draw from the global generators
    panels = [sample_panels(dataset[first + index], dataset.spaces[which]) for index in sorted(chosen.tolist())]
    rows = [panels[i : i + _SAMPLES_PER_ROW] for i in range(0, len(panels), _SAMPLES_PER_ROW)]
    return panel_grid([[panel for sample in row for panel in sample] for row in rows], panel_width=_PANEL_WIDTH)


def sample_panels(sample: Mapping[str, Any], spaces: Sequence[LabelSpace]) -> Sequence[Panel]:
    """Draws a packed sample: ``inputs``, [bands, H, W] of values from 0 to 255, and ``data_samples``.

    Returns:
        The image, titled with file and size, and its labels where it has any, a panel for each space, see
        :func:`label_panels`.
    """
    inputs, packed = sample.get('inputs'), sample.get('data_samples')
    if (
        not isinstance(packed, SegDataSample)
        or not isinstance(inputs, torch.Tensor)
        or (inputs.dtype != torch.uint8 and 'image_format' not in packed.metainfo)
    ):
        raise DataError(
            f'dataset {"+".join(s.name for s in spaces)!r}: its pipeline packs no uint8 image to draw (keys: '
            f'{", ".join(sample)}); end it with PackSegInputs, without views of test-time augmentation and without '
            'Normalize'
        )
    image = as_picture(inputs.numpy().transpose(1, 2, 0))  # RGB [H, W, 3]
    title = f'{image.shape[1]}x{image.shape[0]}, {Path(packed.metainfo.get("img_path", "")).stem}'
    heading = TITLES['gt'] if len(spaces) == 1 else ''  # where there are several, their names say enough
    return [Panel(image, title), *label_panels(packed, 'gt', image, spaces, heading)]
