"""Masks as results: from samples, to files and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from pycocotools import mask as coco_mask

from mmlmseg.apis import MaskSegmentation
from mmlmseg.apis.masks import masks_of
from mmlmseg.label_space import LabelSpace


@pytest.fixture
def mixed(spaces: list[LabelSpace]) -> MaskSegmentation:
    """A car of the street that a wall of the facade overlaps, and a building that both spaces name."""
    pixels = torch.zeros(3, 4, 6, dtype=torch.bool)
    pixels[0, :2], pixels[1, 1:3], pixels[2, 3] = True, True, True
    found = InstanceData(
        masks=pixels,
        labels=torch.tensor([4, 5, 1]),
        scores=torch.tensor([0.9, 0.8, 0.7]),
        origins=[(4,), (5,), (1, 7)],
    )
    sample = SegDataSample(pred_masks=found)
    return MaskSegmentation(Path('a.jpg'), (4, 6), tuple(spaces), masks_of(sample, spaces))


def test_names_carry_their_label_space(mixed: MaskSegmentation) -> None:
    names = [mixed.names_of(mask) for mask in mixed.masks]
    assert names == [['street:car'], ['facade:wall'], ['street:building', 'facade:building']]
    assert mixed.shares() == [('street:car', 0.5), ('facade:wall', 0.5), ('street:building = facade:building', 0.25)]


def test_layers_hold_what_their_space_says(mixed: MaskSegmentation, tmp_path: Path) -> None:
    mixed.write(tmp_path, 'a')
    street, facade = (np.asarray(Image.open(tmp_path / f'a_{name}.png')) for name in ('street', 'facade'))
    assert street.tolist() == [[4] * 6, [4] * 6, [255] * 6, [1] * 6]
    assert facade.tolist() == [[255] * 6, [0] * 6, [0] * 6, [2] * 6]
    described = json.loads((tmp_path / 'a.json').read_text())
    for entry, mask in zip(described, mixed.masks, strict=True):
        assert np.array_equal(coco_mask.decode(entry['segmentation']).astype(bool), mask.pixels)
        assert entry['area'] == mask.pixels.sum()
        assert entry['score'] == pytest.approx(mask.score, abs=1e-5)


def test_the_better_of_overlapping_instances_is_on_top(spaces: list[LabelSpace]) -> None:
    pixels = torch.ones(2, 2, 2, dtype=torch.bool)
    pixels[1, 0] = False
    found = InstanceData(masks=pixels, labels=torch.tensor([4, 4]), scores=torch.tensor([0.5, 0.6]))
    result = MaskSegmentation(None, (2, 2), (spaces[0],), masks_of(SegDataSample(pred_instances=found), spaces[:1]))
    ids, labels = result.segment_map(spaces[0])
    assert ids.tolist() == [[1, 1], [2, 2]]
    assert labels == [4, 4]
    assert result.names_of(result.masks[0]) == ['car']


def test_panoptic_segments_are_masks_too(spaces: list[LabelSpace]) -> None:
    ids = torch.tensor([[[0, 1], [2, 2]]], dtype=torch.int32)
    sample = SegDataSample(pred_panoptic_seg=PixelData(data=ids, metainfo=dict(labels=[3, 0], scores=[0.5, 0.25])))
    masks = masks_of(sample, spaces[:1])
    assert [mask.pixels.sum() for mask in masks] == [1, 2]
    assert [mask.origins for mask in masks] == [(('street', 3),), (('street', 0),)]


def test_draws_a_panel_for_each_space(mixed: MaskSegmentation) -> None:
    picture = mixed.draw(np.zeros((4, 6, 3), np.uint8))
    assert picture.shape[1] == 3 * 320 + 4 * 10
