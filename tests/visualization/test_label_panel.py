"""The panel of a sample's labels."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from mmlmseg.label_space import LabelSpace
from mmlmseg.visualization.label_panel import label_panel, mask_panels, segment_entries

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


def test_instances_the_best_on_top_and_the_unsure_left_out() -> None:
    image = np.full((8, 8, 3), 9, np.uint8)
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[0, :, :4], masks[1, :, :6], masks[2] = True, True, True
    sample = SegDataSample()
    scores = torch.tensor([0.9, 0.5, 0.1])
    sample.pred_instances = InstanceData(masks=masks, labels=torch.tensor([0, 1, 1]), scores=scores)
    sample.pred_sem_seg = PixelData(data=torch.ones(1, 8, 8, dtype=torch.int64))
    panel = label_panel(sample, 'pred', image, CLASSES, PALETTE, alpha=1)
    assert panel is not None
    assert [*panel.entries] == [('cow 67%', RED), ('grass 33%', GREEN)]
    assert (panel.image[:, :3] == RED).all()
    assert (panel.image[:, 6:] == 9).all()
    sample.pred_instances = InstanceData(masks=masks[:0], labels=torch.zeros(0).long(), scores=scores[:0])
    panel = label_panel(sample, 'pred', image, CLASSES, PALETTE)
    assert panel is not None
    assert (panel.image == image).all()


def test_overlapping_masks_have_a_panel_for_each_space() -> None:
    """A mask that two spaces say is drawn in both; labels count through the classes of all spaces."""
    image = np.full((8, 8, 3), 9, np.uint8)
    spaces = [LabelSpace.create('farm', CLASSES, palette=PALETTE), LabelSpace.create('sky', ['air'], palette=[RED])]
    masks = torch.zeros(2, 4, 4, dtype=torch.bool)  # half the size of the image
    masks[0, :2], masks[1] = True, True
    found = InstanceData(
        masks=masks, labels=torch.tensor([2, 1]), scores=torch.tensor([0.9, 0.4]), origins=[(2, 0), (1,)]
    )
    farm, sky = mask_panels(found, image, spaces, 'prediction', alpha=1)
    assert (farm.title, sky.title) == ('prediction farm', 'prediction sky')
    assert ([*farm.entries], [*sky.entries]) == ([('cow 50%', RED), ('grass 50%', GREEN)], [('air 100%', RED)])
    assert (farm.image[5:] == GREEN).all()
    assert (sky.image[5:] == 9).all()
    truth = InstanceData(masks=masks[:1], labels=torch.tensor([2]))
    assert [[*panel.entries] for panel in mask_panels(truth, image, spaces)] == [[], [('air 100%', RED)]]
