"""Large images in tiles: the cut, the blend, and that one tile is no tile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.postprocess.semantic import all_scores
from mmlmseg.models.segmentors.result_options import ResultOptions
from mmlmseg.models.segmentors.results import predict_groups
from mmlmseg.models.segmentors.tiled_image import TiledImage
from mmlmseg.models.segmentors.tiles import Tiles, shares, spans
from mmlmseg.models.structures import Prediction

SPACE = LabelSpace.create('one', ['a', 'b', 'c'])


class PixelModel:
    """Reads each cell of 4 x 4 pixels by itself, so that a tile sees what a whole image shows; notes its tiles."""

    size_divisor = 32

    def __init__(self, spaces: int = 1, **test_cfg: Any) -> None:
        self.spaces, self.seen = spaces, list[tuple[int, ...]]()
        self.options = ResultOptions.from_config(test_cfg, LabelSpaces([SPACE]))
        self.classes = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).softmax(-1)

    def predictions(self, images: Tensor, metas: Sequence[dict[str, Any]]) -> list[list[Prediction]]:
        self.seen += [(*images.shape[-2:], *meta['img_shape'][:2]) for meta in metas]
        cells = F.avg_pool2d(images, 4)  # [B, 3, h, w]
        logits = torch.cat([cells, -cells], 1)
        return [[Prediction(self.classes, own, SPACE)] * self.spaces for own in logits]


def meta(height: int, width: int) -> dict[str, Any]:
    return dict(img_shape=(height, width), ori_shape=(height, width), label_spaces=('one',))


@pytest.mark.parametrize('length', [1, 96, 97, 160, 200, 333, 1000])
@pytest.mark.parametrize('overlap', [0, 32])
def test_spans_cover_the_side(length: int, overlap: int) -> None:
    found = spans(length, 96, overlap)
    assert found[0].start == 0
    assert found[-1].stop == length
    assert len({len(own) for own in found}) == 1
    assert len(found[0]) <= 96
    assert all(one.stop - other.start >= overlap for one, other in pairwise(found))
    torch.testing.assert_close(shares(found).sum(0), torch.ones(length))


def test_scores_are_the_shares_of_all_tiles() -> None:
    model, tiles = PixelModel(), Tiles((96, 96), 32)
    image, about = torch.randn(3, 192, 160, dtype=torch.float64), meta(170, 150)
    got = all_scores(TiledImage(model, image, about, tiles).class_scores())
    down, across = spans(192, 96, 32), spans(160, 96, 32)
    expected = torch.zeros(3, 192, 160, dtype=torch.float64)
    for y, share_y in zip(down, shares(down)):
        for x, share_x in zip(across, shares(across)):
            own = PixelModel().predictions(image[None, :, y.start : y.stop, x.start : x.stop], [about])[0][0]
            size = (len(y), len(x))
            masks = F.interpolate(own.mask_logits[None], size=size, mode='bilinear', align_corners=False)[0].sigmoid()
            scores = torch.einsum('nk,nhw->khw', own.classes[:, :-1], masks)
            weight = share_y[y.start : y.stop, None] * share_x[x.start : x.stop]
            expected[:, y.start : y.stop, x.start : x.stop] += scores * weight
    torch.testing.assert_close(got, expected)
    assert len(model.seen) == len(down) * len(across)  # each tile is read once
    assert model.seen[-1][2:] == (170 - down[-1].start, 150 - across[-1].start)


def test_one_tile_changes_nothing() -> None:
    image = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    results = []
    for test_cfg in (dict(tiles=dict(size=(64, 96), overlap=0)), dict()):
        model = PixelModel(keep_probabilities=True, **test_cfg)
        (sample,) = predict_groups(model, image, [SegDataSample(metainfo=meta(60, 90))])
        assert len(model.seen) == 1
        results.append(sample)
    tiled, plain = results
    assert torch.equal(tiled.seg_logits.data, plain.seg_logits.data)
    assert torch.equal(tiled.pred_sem_seg.data, plain.pred_sem_seg.data)


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        (dict(tiles=dict(size=(100, 96))), 'multiples of 32'),
        (dict(tiles=dict(size=(96, 96), overlap=64)), 'a third of the size'),
        (dict(tiles=dict(size=(96, 96), overlap=-32)), 'a third of the size'),
    ],
)
def test_unusable_tiles_are_errors(test_cfg: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ResultOptions.from_config(test_cfg, LabelSpaces([SPACE]))
