from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlmseg.label_space import LabelSpace
from mmlmseg.models.numerics import class_probabilities
from mmlmseg.models.postprocess import panoptic
from mmlmseg.models.postprocess.panoptic import PanopticThresholds, candidates
from mmlmseg.models.postprocess.view import View
from mmlmseg.models.structures import Prediction
from mmlmseg.segments import SegmentMap

SKY, CAR, ROAD, BUS = range(4)
IS_THING = torch.tensor([False, True, False, True])
AS_IT_IS = dict(img_shape=(8, 8), ori_shape=(8, 8))


def panoptic_segments(
    class_logits: Tensor,
    valid: Tensor,
    mask_logits: Tensor,
    is_thing: Tensor,
    size: tuple[int, int],
    meta: dict[str, Any],
    thresholds: PanopticThresholds,
) -> SegmentMap:
    names = [f'class {k}' for k in range(len(is_thing))]
    space = LabelSpace.create('one', names, things=[name for name, thing in zip(names, is_thing) if thing])
    own = Prediction(class_probabilities(class_logits, valid, 'softmax'), mask_logits, space)
    found = candidates(own, View(size, meta), thresholds.object)
    segments = panoptic.panoptic_segments([found], [space], [thresholds])
    assert isinstance(segments, SegmentMap)
    return segments


def reference(
    class_logits: Tensor,
    valid: Tensor,
    mask_logits: Tensor,
    is_thing: Tensor,
    size: tuple[int, int],
    meta: dict[str, Any],
    thresholds: PanopticThresholds,
) -> tuple[Tensor, list[int], list[float]]:
    """One query and one pixel count at a time, on Python numbers; all masks at full size."""
    masks = F.interpolate(mask_logits[None], size=size, mode='bilinear', align_corners=False)[0]
    axes = dict(horizontal=[-1], vertical=[-2], diagonal=[-2, -1]).get(meta.get('flip_direction'), [])
    masks = masks[:, : meta['img_shape'][0], : meta['img_shape'][1]].flip(axes)
    masks = F.interpolate(masks[None], size=meta['ori_shape'][:2], mode='bilinear', align_corners=False)[0].sigmoid()
    columns = [k for k, is_valid in enumerate(valid.tolist()) if is_valid]
    taking_part = []
    for n, logits in enumerate(class_logits[:, columns].softmax(-1).tolist()):
        best = max(range(len(columns)), key=logits.__getitem__)
        if best < len(columns) - 1 and logits[best] > thresholds.object:
            taking_part.append((n, columns[best], logits[best]))
    result = torch.zeros(meta['ori_shape'][:2], dtype=torch.int32)
    if not taking_part:
        return result, [], []

    winner = torch.stack([p * masks[n] for n, _, p in taking_part]).max(0).indices
    stuff: dict[int, list[tuple[Tensor, float]]] = {}
    things = []
    for i, (n, label, p) in enumerate(taking_part):
        won, inside = int((winner == i).sum()), int((masks[n] >= 0.5).sum())
        got = (winner == i) & (masks[n] >= thresholds.pixel)
        if int(got.sum()) == 0 or inside == 0 or won / inside < thresholds.overlap:
            continue
        if is_thing[label]:
            things.append((label, [(got, p)]))
        else:
            stuff.setdefault(label, []).append((got, p))
    labels, scores = [], []
    for label, parts in [*sorted(stuff.items()), *things]:
        labels.append(label)
        for pixels, _ in parts:
            result[pixels] = len(labels)
        area = sum(int(pixels.sum()) for pixels, _ in parts)
        scores.append(sum(int(pixels.sum()) * p for pixels, p in parts) / area)
    return result, labels, scores


def check(segments: SegmentMap, expected: tuple[Tensor, list[int], list[float]], rtol: float = 1e-12) -> None:
    assert segments.ids.dtype == torch.int32
    assert segments.labels.dtype == torch.long
    assert torch.equal(segments.ids[0], expected[0])
    assert segments.labels.tolist() == expected[1]
    scores = torch.tensor(expected[2], dtype=torch.float64)
    torch.testing.assert_close(segments.scores.double(), scores, rtol=rtol, atol=0)


def random_case(seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Twenty queries that share six noisy blobs, so that they compete, merge and lose; one column is foreign."""
    torch.manual_seed(seed)
    blobs = 5 * torch.randn(6, 6, 8, dtype=dtype)
    mask_logits = blobs[torch.randint(6, (20,))] + torch.randn(20, 6, 8, dtype=dtype)
    class_logits = 4 * torch.randn(20, 7, dtype=dtype)
    valid = torch.tensor([True, True, False, True, True, True, True])
    return class_logits, valid, mask_logits, torch.tensor([False, True, True, False, True, False])


@pytest.mark.parametrize('flip', [None, 'horizontal', 'vertical', 'diagonal'])
@pytest.mark.parametrize('thresholds', [(0.8, 0.4), (0.5, 0.2), (0.0, 0.0), (0.3, 0.2, 0.5), (0.0, 0.0, 0.9)])
@pytest.mark.parametrize('seed', range(5))
def test_equals_loops_over_queries(flip: str | None, thresholds: tuple[float, ...], seed: int) -> None:
    meta = dict(img_shape=(20, 27), ori_shape=(31, 40), flip=flip is not None, flip_direction=flip)
    given = (*random_case(seed), (24, 32), meta, PanopticThresholds(*thresholds))
    segments = panoptic_segments(*given)
    assert segments.ids[0].shape == (31, 40)
    check(segments, reference(*given))


def test_the_random_cases_have_all_outcomes() -> None:
    """Stuff that merges, things of one class, and void: what the test above would miss if its cases were dull."""
    rest = ((24, 32), dict(img_shape=(20, 27), ori_shape=(31, 40)), PanopticThresholds(0.5, 0.2))
    merged = twins = void = 0
    for seed in range(5):
        *predictions, is_thing = random_case(seed)
        segments = panoptic_segments(*predictions, is_thing, *rest)
        merged += len(panoptic_segments(*predictions, torch.ones_like(is_thing), *rest).labels) - len(segments.labels)
        twins += len(segments.labels) - len(segments.labels.unique())
        void += int((segments.ids == 0).sum())
    assert min(merged, twins, void) > 0


def sure_of(*labels: int, strength: float = 6.0) -> Tensor:
    """Class logits [N, 5] of queries that are sure of one class each; -1 is no-object."""
    logits = torch.zeros(len(labels), 5, dtype=torch.float64)
    logits[range(len(labels)), list(labels)] = strength
    return logits


def rows(*spans: tuple[int, int]) -> Tensor:
    """Mask logits [N, 8, 8] of queries that cover the rows from start to stop each."""
    masks = torch.full((len(spans), 8, 8), -8.0, dtype=torch.float64)
    for mask, (start, stop) in zip(masks, spans):
        mask[start:stop] = 8.0
    return masks


def segment(class_logits: Tensor, mask_logits: Tensor, foreign: int | None = None, **thresholds: float) -> SegmentMap:
    valid = torch.tensor([k != foreign for k in range(5)])
    given = (class_logits, valid, mask_logits, IS_THING, (8, 8), AS_IT_IS, PanopticThresholds(**thresholds))
    segments = panoptic_segments(*given)
    check(segments, reference(*given))
    return segments


def first_column(segments: SegmentMap) -> list[int]:
    return segments.ids[0, :, 0].tolist()


@pytest.mark.parametrize(
    'class_logits',
    [sure_of(-1, -1), sure_of(SKY, CAR, strength=0.5), sure_of(-1, CAR, strength=2.0)],
    ids=['no-object', 'unsure', 'both'],
)
def test_nothing_found_is_void(class_logits: Tensor) -> None:
    segments = segment(class_logits, rows((0, 4), (4, 8)))
    assert segments.ids[0].shape == (8, 8)
    assert not segments.ids.any()
    assert len(segments.labels) == len(segments.scores) == 0


def test_nothing_left_is_void() -> None:
    segments = segment(sure_of(SKY, CAR), rows((0, 0), (0, 0)))  # masks without a pixel
    assert not segments.ids.any()
    assert len(segments.labels) == len(segments.scores) == 0


@pytest.mark.parametrize('label', [SKY, BUS])
def test_one_query_wins_all(label: int) -> None:
    segments = segment(torch.cat([sure_of(label, strength=9.0), sure_of(CAR, ROAD)]), rows((0, 8), (0, 4), (4, 8)))
    assert (segments.ids == 1).all()
    assert segments.labels.tolist() == [label]


def test_stuff_merges_with_the_mean_score_of_its_pixels() -> None:
    class_logits = torch.cat([sure_of(SKY, strength=9.0), sure_of(SKY)])
    segments = segment(class_logits, rows((0, 2), (2, 8)))
    assert (segments.ids == 1).all()
    assert segments.labels.tolist() == [SKY]
    surer, less = class_logits.softmax(-1)[:, SKY].tolist()
    assert segments.scores.item() == pytest.approx((2 * surer + 6 * less) / 8, rel=1e-12)


def test_things_of_one_class_stay_apart() -> None:
    segments = segment(sure_of(CAR, CAR, BUS), rows((0, 3), (3, 6), (6, 8)))
    assert first_column(segments) == [1, 1, 1, 2, 2, 2, 3, 3]
    assert segments.labels.tolist() == [CAR, CAR, BUS]


def test_stuff_comes_first_in_the_order_of_classes() -> None:
    segments = segment(sure_of(BUS, ROAD, CAR, SKY), rows((0, 2), (2, 4), (4, 6), (6, 8)))
    assert first_column(segments) == [3, 3, 2, 2, 4, 4, 1, 1]
    assert segments.labels.tolist() == [SKY, ROAD, BUS, CAR]


@pytest.mark.parametrize('is_thing', [False, True])
def test_class_0_is_stuff_or_thing(is_thing: bool) -> None:
    given = (torch.ones(2, dtype=torch.bool), rows((0, 4), (4, 8)), torch.tensor([is_thing]), (8, 8), AS_IT_IS)
    class_logits = torch.tensor([[6.0, 0.0], [6.0, 0.0]])
    segments = panoptic_segments(class_logits, *given, PanopticThresholds())
    assert first_column(segments) == ([1] * 4 + [2] * 4 if is_thing else [1] * 8)
    assert segments.labels.tolist() == ([0, 0] if is_thing else [0])


def test_a_query_that_loses_most_of_its_mask_leaves_void() -> None:
    class_logits, mask_logits = torch.cat([sure_of(CAR, strength=9.0), sure_of(BUS)]), rows((0, 5), (0, 8))
    assert first_column(segment(class_logits, mask_logits)) == [1] * 5 + [0] * 3
    assert first_column(segment(class_logits, mask_logits, overlap=3 / 8)) == [1] * 5 + [2] * 3  # not below


def test_pixels_that_no_mask_claims() -> None:
    alone = (sure_of(CAR), rows((2, 4)))
    assert first_column(segment(*alone)) == [1] * 8
    assert first_column(segment(*alone, pixel=0.5)) == [0, 0, 1, 1, 0, 0, 0, 0]


def test_foreign_columns_are_never_chosen() -> None:
    class_logits = sure_of(ROAD, ROAD, CAR)
    class_logits[0, SKY] = 5.5
    segments = segment(class_logits, rows((0, 3), (3, 5), (5, 8)), foreign=ROAD)
    assert first_column(segments) == [1, 1, 1, 2, 2, 2, 2, 2]  # nobody else claims the rows of the second query
    assert segments.labels.tolist() == [SKY, CAR]
    assert segments.scores[0] == class_logits[0, [SKY, CAR, BUS, -1]].softmax(-1)[0]


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_undoes_padding_and_flip_at_the_original_size(direction: str) -> None:
    """Four quarters of an 8 x 12 image, seen flipped at half size with padding that a fifth query claims."""
    quarters = torch.full((5, 8, 8), -8.0)
    quarters[0, :2, :3] = quarters[1, :2, 3:6] = quarters[2, 2:4, :3] = quarters[3, 2:4, 3:6] = 8.0
    quarters[4, 4:, 6:] = 8.0
    axes = dict(horizontal=[-1], vertical=[-2], diagonal=[-2, -1])[direction]
    quarters[:4, :4, :6] = quarters[:4, :4, :6].flip(axes)
    segments = panoptic_segments(
        sure_of(CAR, BUS, BUS, CAR, CAR),
        torch.ones(5, dtype=torch.bool),
        quarters,
        IS_THING,
        (8, 8),
        dict(img_shape=(4, 6, 3), ori_shape=(8, 12, 3), flip=True, flip_direction=direction),
        PanopticThresholds(),
    )
    assert segments.labels.tolist() == [CAR, BUS, BUS, CAR]
    assert torch.equal(segments.ids[0], torch.tensor([[1, 2], [3, 4]]).repeat_interleave(4, 0).repeat_interleave(6, 1))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_is_lifted_to_float32(dtype: torch.dtype) -> None:
    """Also under autocast, whatever the precision of the input: the numbers are those of the input in float64."""
    class_logits, valid, mask_logits, is_thing = random_case(0, torch.float32)
    class_logits, mask_logits = class_logits.to(dtype), mask_logits.to(dtype)
    meta = dict(img_shape=(20, 27), ori_shape=(31, 40))
    rest = (is_thing, (24, 32), meta, PanopticThresholds(0.5, 0.2))
    with torch.autocast('cpu', torch.bfloat16):
        segments = panoptic_segments(class_logits, valid, mask_logits, *rest)
    assert segments.scores.dtype == torch.float32
    check(segments, reference(class_logits.double(), valid, mask_logits.double(), *rest), rtol=1e-5)


def test_only_masks_that_take_part_are_resized() -> None:
    mask_logits = rows((0, 4), (4, 8), (2, 6))
    before = mask_logits.clone()
    space = LabelSpace.create('one', [f'class {k}' for k in range(4)])
    own = Prediction(sure_of(-1, CAR, -1).softmax(-1), mask_logits, space)
    assert len(candidates(own, View((8, 8), AS_IT_IS), 0.8).masks) == 1
    segment(sure_of(-1, CAR, -1), mask_logits)
    assert torch.equal(mask_logits, before)


@pytest.mark.parametrize('thresholds', [dict(object=1.5), dict(overlap=-0.1), dict(pixel=float('nan'))])
def test_thresholds_are_fractions(thresholds: dict[str, float]) -> None:
    (name,) = thresholds
    with pytest.raises(ValueError, match=f'the {name} threshold .* from 0 to 1, got'):
        PanopticThresholds(**thresholds)
