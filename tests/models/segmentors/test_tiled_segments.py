"""Segments of images in tiles: what a whole image shows, however it is cut."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.segmentors.result_options import ResultOptions
from mmlmseg.models.segmentors.results import predict_groups
from mmlmseg.models.segmentors.tiles import shares, spans
from mmlmseg.models.structures import Prediction
from mmlmseg.segments import EncodedMaskSet, SegmentMap

STREET = LabelSpace.create('street', ['road', 'car', 'bus'], things=['car', 'bus'])
ROOFS = LabelSpace.create('roofs', ['ground', 'car'], things=['car'])
TILES = dict(size=(96, 96), overlap=32)


class Seer:
    """Sees every object of a tile, as the values of its pixels number them, and is a little less sure of small pieces.

    Args:
        classes: The class of object 0, 1, ... in each space, -1 where the space has none for it.
    """

    size_divisor = 32

    def __init__(self, classes: dict[str, list[int]], **test_cfg: Any) -> None:
        self.spaces = LabelSpaces([STREET, ROOFS])
        self.classes, self.tiles = classes, 0
        self.options = ResultOptions.from_config(test_cfg, self.spaces)

    def predictions(self, images: Tensor, metas: Sequence[dict[str, Any]]) -> list[list[Prediction]]:
        self.tiles += len(images)
        return [
            [self._said(image[0].long(), self.spaces.get(name)) for name in meta['label_spaces']]
            for image, meta in zip(images, metas, strict=True)
        ]

    def _said(self, numbers: Tensor, space: LabelSpace) -> Prediction:
        own = [(n, self.classes[space.name][n]) for n in numbers.unique().tolist() if self.classes[space.name][n] >= 0]
        masks = torch.stack([numbers == n for n, _ in own]) if own else numbers.new_zeros(0, *numbers.shape)
        certain = 0.9 + 0.1 * masks.flatten(1).double().mean(1)
        classes = torch.zeros(len(own), space.num_classes + 1, dtype=torch.float64)
        classes[:, -1] = 1 - certain
        classes[range(len(own)), [label for _, label in own]] = certain
        return Prediction(classes, masks.double() * 40 - 20, space)


def scene(height: int = 150, width: int = 220) -> tuple[Tensor, dict[str, list[int]]]:
    """A road with cars and buses, small and large, some of which cross seams: numbers [H, W], and their classes."""
    numbers = torch.zeros(height, width)
    boxes = [
        (5, 10, 20, 40),
        (30, 60, 60, 130),
        (70, 5, 140, 25),
        (90, 90, 100, 215),
        (110, 30, 145, 60),
        (64, 64, 70, 70),
    ]
    for number, (top, left, bottom, right) in enumerate(boxes, 1):
        numbers[top:bottom, left:right] = number
    return numbers, dict(street=[0, 1, 2, 1, 2, 1, 1], roofs=[0, 1, -1, 1, -1, 1, 1])


def asked(
    numbers: Tensor, names: Sequence[str], original: tuple[int, int] | None = None
) -> tuple[Tensor, SegDataSample]:
    """The image, padded to whole cells, and its sample."""
    height, width = numbers.shape
    image = F.pad(numbers, (0, -width % 32, 0, -height % 32))[None, None].expand(1, 3, -1, -1)
    meta = dict(img_shape=(height, width), ori_shape=original or (height, width), label_spaces=tuple(names))
    return image, SegDataSample(metainfo=meta)


def predict(
    task: str, names: Sequence[str], tiles: dict | None, original: tuple[int, int] | None = None, **test_cfg: Any
):
    numbers, classes = scene()
    model = Seer(classes, tasks=[task], tiles=tiles, panoptic=dict(object=0.5, overlap=0.8), **test_cfg)
    (sample,) = predict_groups(model, *(lambda image, own: (image, [own]))(*asked(numbers, names, original)))
    return sample, model


def rows(found: Any) -> list[tuple[int, str]]:
    """Class and mask of each segment, in an order of their own."""
    masks = found.to_masks()
    pairs = zip(masks.labels.tolist(), masks.masks.numpy(), strict=True)
    return sorted((label, hashlib.sha256(mask.tobytes()).hexdigest()) for label, mask in pairs)


@pytest.mark.parametrize('original', [None, (75, 110), (300, 441), (333, 222)])
@pytest.mark.parametrize('tiles', [TILES, dict(size=(160, 96), overlap=32)])
@pytest.mark.parametrize('task', ['panoptic', 'instance'])
def test_segments_are_those_of_the_whole_image(task: str, tiles: dict, original: tuple[int, int] | None) -> None:
    field = dict(panoptic='pred_segments', instance='pred_instances')[task]
    (whole, _), (cut, model) = (predict(task, ['street'], own, original) for own in (None, tiles))
    assert model.tiles > 2
    assert type(cut.get(field)) is type(whole.get(field))
    if task == 'instance' and original and original > (150, 220):
        # In an enlarged image the pixels at the end of a tile lack the neighbour that they lie half in.
        got, expected = (found.pred_instances.masks.flatten(1).double() for found in (cut, whole))
        iou = got @ expected.T / (got.sum(1)[:, None] + expected.sum(1) - got @ expected.T)
        assert got.shape == expected.shape
        assert bool((iou.max(0).values > 0.95).all())
    else:
        assert rows(cut.get(field)) == rows(whole.get(field))
    if task == 'panoptic':
        assert isinstance(cut.pred_segments, SegmentMap)
        assert bool((cut.pred_segments.ids > 0).all())
    else:
        assert cut.pred_instances.scores.tolist() == sorted(cut.pred_instances.scores.tolist(), reverse=True)


@pytest.mark.parametrize('task', ['semantic', 'panoptic', 'instance'])
def test_three_tiles_may_share_a_pixel(task: str) -> None:
    """250 pixels in tiles of 128: the third has to start before the first ends."""
    assert [own.start for own in spans(250, 128, 32)] == [0, 96, 122]
    numbers, classes = scene(250, 250)
    meta = dict(img_shape=(250, 250), ori_shape=(250, 250), label_spaces=('street',))
    found = []
    for tiles in (None, dict(size=(128, 128), overlap=32)):
        model = Seer(classes, tasks=[task], tiles=tiles)
        image = numbers[None, None].expand(1, 3, -1, -1)
        found += predict_groups(model, image, [SegDataSample(metainfo=meta)])
    whole, cut = found
    assert model.tiles == 9  # none is read twice
    if task == 'semantic':
        assert torch.equal(cut.pred_sem_seg.data, whole.pred_sem_seg.data)
    else:
        field = 'pred_segments' if task == 'panoptic' else 'pred_instances'
        assert rows(cut.get(field)) == rows(whole.get(field))


@pytest.mark.parametrize('mixed', [dict(duplicate_iou=None), dict(duplicate_iou=0.5)])
def test_several_label_spaces(mixed: dict) -> None:
    (whole, _), (cut, _) = (predict('panoptic', ['street', 'roofs'], own, mixed=mixed) for own in (None, TILES))
    assert isinstance(cut.pred_segments, EncodedMaskSet)
    assert rows(cut.pred_segments) == rows(whole.pred_segments)
    several = {len(origins) for origins in cut.pred_segments.origins}
    assert several == ({1} if mixed['duplicate_iou'] is None else {1, 2})


def test_the_score_of_an_object_is_the_mean_of_its_pieces() -> None:
    cut, _ = predict('instance', ['street'], TILES)
    numbers, _ = scene()
    bus = next(
        score
        for mask, score in zip(cut.pred_instances.masks, cut.pred_instances.scores.tolist(), strict=True)
        if mask.equal(numbers == 3 + 1)
    )
    padded = F.pad(numbers, (0, -220 % 32, 0, -150 % 32))
    pieces = [
        int((padded[y.start : y.stop, x.start : x.stop] == 4).sum())
        for y in spans(160, 96, 32)
        for x in spans(224, 96, 32)
    ]
    size = len(spans(160, 96, 32)[0]) * len(spans(224, 96, 32)[0])
    expected = sum(piece * (0.9 + 0.1 * piece / size) for piece in pieces) / sum(pieces)
    assert bus == pytest.approx(expected, abs=1e-3)  # mask probabilities of 1 - 2e-9


class Talker(Seer):
    """Says something of its own of every tile."""

    def predictions(self, images: Tensor, metas: Sequence[dict[str, Any]]) -> list[list[Prediction]]:
        torch.manual_seed(int(images.sum()) % 1000)
        height, width = images.shape[-2:]
        masks = 3 * torch.randn(5, height // 4, width // 4, dtype=torch.float64)
        self.said = (2 * torch.randn(5, 4, dtype=torch.float64)).softmax(-1), masks
        return [[Prediction(*self.said, STREET)]]


def test_a_pixel_goes_to_whom_the_tiles_give_most() -> None:
    """Pieces that nobody joins, against a loop over tiles and candidates: each counts by the share of its tile."""
    torch.manual_seed(1)
    image = torch.randint(0, 255, (1, 3, 160, 128)).double()
    meta = dict(img_shape=(160, 128), ori_shape=(160, 128), label_spaces=('street',))
    thresholds = dict(object=0.3, overlap=0.0, pixel=0.4)
    model = Talker({}, tasks=['panoptic'], tiles=TILES, panoptic=thresholds)
    (sample,) = predict_groups(model, image, [SegDataSample(metainfo=meta)])
    down, across = spans(160, 96, 32), spans(128, 96, 32)
    best, label, certain = np.zeros((160, 128)), np.full((160, 128), -1), np.zeros((160, 128))
    for y, share_y in zip(down, shares(down)):
        for x, share_x in zip(across, shares(across)):
            tile = image[..., y.start : y.stop, x.start : x.stop]
            model.predictions(tile, [meta])
            classes, logits = model.said
            masks = F.interpolate(logits[None], tile.shape[-2:], mode='bilinear', align_corners=False)[0].sigmoid()
            share = (share_y[y.start : y.stop, None] * share_x[x.start : x.stop]).double()
            for own, mask in zip(classes, masks, strict=True):
                score, k = own.max(0)
                if k == 3 or score <= 0.3:
                    continue
                value, window = (mask * score * share).numpy(), np.s_[y.start : y.stop, x.start : x.stop]
                more = value > best[window]
                for there, new in ((best, value), (label, int(k)), (certain, mask.numpy())):
                    there[window] = np.where(more, new, there[window])
    label[certain < 0.4] = -1
    segments = sample.pred_segments
    found = np.array([-1, *segments.labels.tolist()])[segments.ids[0].numpy()]
    assert (found == label).mean() > 0.999  # candidates that win no pixel of their mask leave void
    assert len(set(label.ravel().tolist())) == 4


@pytest.mark.parametrize('task', ['semantic', 'panoptic', 'instance'])
def test_one_tile_changes_nothing(task: str) -> None:
    (whole, _), (cut, model) = (predict(task, ['street'], own) for own in (None, dict(size=(160, 224), overlap=0)))
    assert model.tiles == 1
    for field in ('pred_segments', 'pred_instances'):
        if field in whole:
            assert rows(cut.get(field)) == rows(whole.get(field))
            assert torch.equal(cut.get(field).scores, whole.get(field).scores)
    if task == 'semantic':
        assert torch.equal(cut.pred_sem_seg.data, whole.pred_sem_seg.data)


def test_nothing_found() -> None:
    classes = dict(street=[-1] * 7)
    for task in ('panoptic', 'instance'):
        model = Seer(classes, tasks=[task], tiles=TILES)
        image, sample = asked(scene()[0], ['street'])
        (sample,) = predict_groups(model, image, [sample])
        found = sample.pred_segments if task == 'panoptic' else sample.pred_instances
        assert len(found.labels) == 0
        assert found.size == (150, 220)


def test_most_instances_of_a_tile() -> None:
    few, _ = predict('instance', ['street'], None, instance=dict(max_per_image=2))
    assert len(few.pred_instances.labels) == 2
    with pytest.raises(OptionError, match=r'max_per_image must be an integer from 1 on, got 0'):
        Seer({}, instance=dict(max_per_image=0))


def test_a_flipped_image_has_no_tiles_of_segments() -> None:
    model = Seer(scene()[1], tasks=['panoptic'], tiles=TILES)
    image, sample = asked(scene()[0], ['street'])
    sample.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    with pytest.raises(OptionError, match='flipped'):
        predict_groups(model, image, [sample])
