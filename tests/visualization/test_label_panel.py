"""The panels of a sample's labels."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import MaskSet, SegmentMap
from mmlmseg.visualization.label_panel import label_panels, segment_panel

RED, GREEN = (255, 0, 0), (0, 255, 0)
FARM = LabelSpace.create('farm', ['cow', 'grass'], palette=[RED, GREEN])
AIR = LabelSpace.create('sky', ['air'], palette=[RED])


def _sample() -> SegDataSample:
    sample = SegDataSample()
    sample.gt_sem_seg = PixelData(data=torch.ones(1, 8, 8, dtype=torch.uint8))
    segments = torch.ones(1, 8, 8, dtype=torch.int32)
    segments[..., 4:] = 2
    sample.pred_segments = SegmentMap(segments, torch.tensor([0, 0]), scores=torch.tensor([0.9, 0.8]))
    sample.pred_sem_seg = PixelData(data=torch.ones(1, 8, 8, dtype=torch.int64))
    return sample


def test_segments_where_there_are_any_else_classes() -> None:
    image = np.full((8, 8, 3), 9, np.uint8)
    (truth,) = label_panels(_sample(), 'gt', image, [FARM], 'truth', alpha=1)
    assert (truth.title, [*truth.entries]) == ('truth', [('grass 100%', GREEN)])
    assert (truth.image == GREEN).all()
    (prediction,) = label_panels(_sample(), 'pred', image, [FARM], 'prediction', alpha=1)
    assert (prediction.title, [*prediction.entries]) == ('prediction', [('cow (2) 100%', RED)])
    assert (prediction.image[:, :3] == RED).all()
    assert not (prediction.image == GREEN).all(axis=-1).any()


def test_no_labels_no_panel() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    assert label_panels(SegDataSample(), 'gt', image, [FARM]) == []
    assert label_panels(SegDataSample(), 'pred', image, [FARM, AIR]) == []


def test_labels_are_scaled_to_the_image() -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    (panel,) = label_panels(_sample(), 'pred', image, [FARM], alpha=1)
    assert panel.image.shape == image.shape
    assert (panel.image[:, :11] == RED).all()


def test_entries_count_what_is_seen() -> None:
    """Segment 3 was cropped away, and void counts for nothing."""
    segments = np.array([[0, 0, 1, 1], [2, 4, 4, 4]])
    image = np.zeros((2, 4, 3), np.uint8)
    panel = segment_panel('', image, segments, [0, 0, 0, 1], FARM, alpha=1)
    assert panel.entries == [('cow (2) 50%', RED), ('grass 50%', GREEN)]
    assert segment_panel('', image, np.zeros((2, 4), int), [], FARM, alpha=1).entries == []


def test_instances_the_best_on_top_and_the_unsure_left_out() -> None:
    image = np.full((8, 8, 3), 9, np.uint8)
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[0, :, :4], masks[1, :, :6], masks[2] = True, True, True
    sample = SegDataSample()
    scores = torch.tensor([0.9, 0.5, 0.1])
    sample.pred_instances = MaskSet(masks, torch.tensor([0, 1, 1]), scores=scores)
    sample.pred_sem_seg = PixelData(data=torch.ones(1, 8, 8, dtype=torch.int64))
    (panel,) = label_panels(sample, 'pred', image, [FARM], alpha=1)
    assert [*panel.entries] == [('cow 67%', RED), ('grass 33%', GREEN)]
    assert (panel.image[:, :3] == RED).all()
    assert (panel.image[:, 6:] == 9).all()
    sample.pred_instances = MaskSet(masks[:0], torch.zeros(0).long(), scores=scores[:0])
    (panel,) = label_panels(sample, 'pred', image, [FARM])
    assert (panel.image == image).all()


def test_overlapping_masks_have_a_panel_for_each_space() -> None:
    """A mask that two spaces say is drawn in both; labels count through the classes of all spaces."""
    image = np.full((8, 8, 3), 9, np.uint8)
    masks = torch.zeros(2, 4, 4, dtype=torch.bool)  # half the size of the image
    masks[0, :2], masks[1] = True, True
    labels, scores = torch.tensor([2, 1]), torch.tensor([0.9, 0.4])
    sample = SegDataSample(pred_segments=MaskSet(masks, labels, scores=scores, origins=[(2, 0), (1,)]))
    farm, sky = label_panels(sample, 'pred', image, [FARM, AIR], 'prediction', alpha=1)
    assert (farm.title, sky.title) == ('prediction farm', 'prediction sky')
    assert ([*farm.entries], [*sky.entries]) == ([('cow 50%', RED), ('grass 50%', GREEN)], [('air 100%', RED)])
    assert (farm.image[5:] == GREEN).all()
    assert (sky.image[5:] == 9).all()
    ids = torch.zeros(2, 4, 4, dtype=torch.int32)
    ids[1, :2] = 1
    truths = label_panels(SegDataSample(gt_segments=SegmentMap(ids, torch.tensor([2]))), 'gt', image, [FARM, AIR])
    assert [(panel.title, [*panel.entries]) for panel in truths] == [('farm', []), ('sky', [('air 100%', RED)])]
