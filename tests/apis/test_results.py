"""Results: from samples, to files and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from pycocotools import mask as coco_mask

from mmlmseg.apis.results import MaskSegmentation, Segmentation, Stems, result_of
from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import MaskSet, SegmentMap

PALETTE = tuple((index % 256, index // 256, 7) for index in range(300))


def _result(label_map: np.ndarray, num_classes: int) -> Segmentation:
    names = tuple(f'class {index}' for index in range(num_classes))
    space = LabelSpace.create('space', names, palette=PALETTE[:num_classes])
    return Segmentation(Path('x.jpg'), (space,), label_map)


def test_shares_are_named_and_sorted() -> None:
    result = _result(np.array([[2, 2, 2, 0]], np.uint8), 3)
    assert result.shares() == [('class 2', 0.75), ('class 0', 0.25)]


@pytest.mark.parametrize(('num_classes', 'mode'), [(3, 'P'), (300, 'I;16')])
def test_saved_label_maps_hold_the_ids(tmp_path: Path, num_classes: int, mode: str) -> None:
    label_map = np.arange(12).reshape(3, 4) * (num_classes - 1) // 11
    image = np.zeros((3, 4, 3), np.uint8)
    _result(label_map, num_classes).save(image, tmp_path, 'x')
    with Image.open(tmp_path / 'pred' / 'x.png') as saved:
        assert saved.mode == mode
        assert np.array_equal(np.asarray(saved), label_map)
    with Image.open(tmp_path / 'vis' / 'x.png') as picture:
        assert picture.width == 2 * 320 + 3 * 10


def test_stems_never_clash() -> None:
    stems = Stems()
    paths = [Path('a/x.png'), Path('b/x.png'), Path('x_1.png'), Path('c/x.png'), None]
    assert [stems.next(path) for path in paths] == ['x', 'x_1', 'x_1_2', 'x_3', 'image_4']


@pytest.mark.parametrize(('num_classes', 'dtype'), [(3, np.uint8), (300, np.int32)])
def test_classes_of_pixels_are_read_from_a_sample(num_classes: int, dtype: type) -> None:
    space = LabelSpace.create('space', [f'class {index}' for index in range(num_classes)])
    result = result_of(None, SegDataSample(pred_sem_seg=PixelData(data=torch.tensor([[[2, 0]]]))), (space,))
    assert isinstance(result, Segmentation)
    assert result.label_map.dtype == dtype
    assert result.label_map.tolist() == [[2, 0]]


@pytest.fixture
def mixed(spaces: list[LabelSpace]) -> MaskSegmentation:
    """A car of the street that a wall of the facade overlaps, and a building that both spaces name."""
    pixels = torch.zeros(3, 4, 6, dtype=torch.bool)
    pixels[0, :2], pixels[1, 1:3], pixels[2, 3] = True, True, True
    labels, scores = torch.tensor([4, 5, 1]), torch.tensor([0.9, 0.8, 0.7])
    sample = SegDataSample(pred_segments=MaskSet(pixels, labels, scores=scores, origins=[(4,), (5,), (1, 7)]))
    result = result_of(Path('a.jpg'), sample, tuple(spaces))
    assert isinstance(result, MaskSegmentation)
    return result


def test_names_carry_their_label_space(mixed: MaskSegmentation) -> None:
    names = [mask.names for mask in mixed.masks]
    assert names == [('street:car',), ('facade:wall',), ('street:building', 'facade:building')]
    assert mixed.shares() == [('street:car', 0.5), ('facade:wall', 0.5), ('street:building = facade:building', 0.25)]


def test_layers_hold_what_their_space_says(mixed: MaskSegmentation, tmp_path: Path) -> None:
    mixed.write(tmp_path, 'a')
    street, facade = (np.asarray(Image.open(tmp_path / f'a_{name}.png')) for name in ('street', 'facade'))
    assert street.tolist() == [[4] * 6, [4] * 6, [255] * 6, [1] * 6]
    assert facade.tolist() == [[255] * 6, [0] * 6, [0] * 6, [2] * 6]
    described = json.loads((tmp_path / 'a.json').read_text())
    for entry, mask in zip(described, mixed.masks, strict=True):
        assert np.array_equal(coco_mask.decode(entry['segmentation']).astype(bool), mask.pixels)
        assert entry['category'] == list(mask.names)
        assert entry['area'] == mask.pixels.sum()
        assert entry['score'] == pytest.approx(mask.score, abs=1e-5)


def test_the_better_of_overlapping_instances_is_on_top(spaces: list[LabelSpace]) -> None:
    pixels = torch.ones(3, 2, 2, dtype=torch.bool)
    pixels[1, 0] = False
    found = MaskSet(pixels, torch.tensor([4, 4, 4]), scores=torch.tensor([0.5, 0.6, 0.4]))
    result = result_of(None, SegDataSample(pred_instances=found), (spaces[0],), min_score=0.5)
    assert isinstance(result, MaskSegmentation)
    ids, labels = result.layer(0)
    assert ids.tolist() == [[1, 1], [2, 2]]
    assert labels == [4, 4]
    assert result.masks[0].names == ('car',)


def test_panoptic_segments_are_masks_too(spaces: list[LabelSpace]) -> None:
    ids = torch.tensor([[[0, 1], [2, 2]]], dtype=torch.int32)
    found = SegmentMap(ids, torch.tensor([3, 0]), scores=torch.tensor([0.5, 0.25]))
    result = result_of(None, SegDataSample(pred_segments=found), (spaces[0],))
    assert isinstance(result, MaskSegmentation)
    assert [mask.pixels.sum() for mask in result.masks] == [1, 2]
    assert [mask.names for mask in result.masks] == [('road',), ('sky',)]
    assert [mask.score for mask in result.masks] == [0.5, 0.25]


def test_draws_a_panel_for_each_space(mixed: MaskSegmentation) -> None:
    picture = mixed.draw(np.zeros((4, 6, 3), np.uint8))
    assert picture.shape[1] == 3 * 320 + 4 * 10
