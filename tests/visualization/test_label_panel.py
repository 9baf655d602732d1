"""The panel of a sample's labels."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.visualization.label_panel import label_panel, segment_entries

RED, GREEN = (255, 0, 0), (0, 255, 0)
CLASSES, PALETTE = ['cow', 'grass'], [RED, GREEN]


def _sample() -> SegDataSample:
    sample = SegDataSample()
    sample.gt_sem_seg = PixelData(data=torch.ones(1, 8, 8, dtype=torch.uint8))
    segments = torch.ones(1, 8, 8, dtype=torch.int32)
    segments[..., 4:] = 2
    sample.pred_panoptic_seg = PixelData(data=segments, metainfo=dict(labels=[0, 0], scores=[0.9, 0.8]))
    sample.pred_sem_seg = PixelData(data=torch.ones(1, 8, 8, dtype=torch.int64))
    return sample


def test_segments_where_there_are_any_else_classes() -> None:
    image = np.full((8, 8, 3), 9, np.uint8)
    truth = label_panel(_sample(), 'gt', image, CLASSES, PALETTE, alpha=1)
    assert truth is not None
    assert (truth.title, [*truth.entries]) == ('truth', [('grass 100%', GREEN)])
    assert (truth.image == GREEN).all()
    prediction = label_panel(_sample(), 'pred', image, CLASSES, PALETTE, alpha=1)
    assert prediction is not None
    assert (prediction.title, [*prediction.entries]) == ('prediction', [('cow (2) 100%', RED)])
    assert (prediction.image[:, :3] == RED).all()
    assert not (prediction.image == GREEN).all(axis=-1).any()


def test_no_labels_no_panel() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    assert label_panel(SegDataSample(), 'gt', image, CLASSES, PALETTE) is None


def test_labels_are_scaled_to_the_image() -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    panel = label_panel(_sample(), 'pred', image, CLASSES, PALETTE, alpha=1)
    assert panel is not None
    assert panel.image.shape == image.shape
    assert (panel.image[:, :11] == RED).all()


def test_entries_count_what_is_seen() -> None:
    """Segment 3 was cropped away, and void counts for nothing."""
    segments = np.array([[0, 0, 1, 1], [2, 4, 4, 4]])
    entries = segment_entries(segments, [0, 0, 0, 1], CLASSES, PALETTE)
    assert entries == [('cow (2) 50%', RED), ('grass 50%', GREEN)]
    assert segment_entries(np.zeros((2, 2), int), [], CLASSES, PALETTE) == []
