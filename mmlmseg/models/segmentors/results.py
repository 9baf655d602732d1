"""Results of the tasks: from what a model says of a batch to the data fields of its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from ...label_space import LabelSpace
from ..postprocess.instance import instances
from ..postprocess.lazy_maps import LazyMaps
from ..postprocess.mixed import Duplicates, exclusive_groups, same_meaning
from ..postprocess.panoptic import PanopticThresholds, candidates, panoptic_segments
from ..postprocess.semantic import all_scores, class_map, class_scores
from ..postprocess.view import View
from ..structures import Prediction
from .result_options import ResultOptions
from .tiled_image import Reader, TiledImage
from .tiled_instances import tiled_instances
from .tiled_segments import tiled_segments


class Predictor(Reader, Protocol):
    """What results can be made of: a segmentor, or a union of segmentors."""

    @property
    def options(self) -> ResultOptions:
        """Which results."""


def grouped(
    inputs: list[Tensor] | Tensor, samples: Sequence[SegDataSample]
) -> list[tuple[Tensor, list[SegDataSample]]]:
    """Pairs each tensor of equally padded images with its samples."""
    rest = iter(samples)
    images = [inputs] if isinstance(inputs, Tensor) else inputs
    return [(group, [next(rest) for _ in range(len(group))]) for group in images]


def predict_groups(
    model: Predictor, inputs: list[Tensor] | Tensor, data_samples: Sequence[SegDataSample]
) -> list[SegDataSample]:
    """Writes into each sample the results that ``model.options`` name; see :meth:`MultiSpaceSegmentor.predict`."""
    options = model.options
    done = []
    for images, samples in grouped(inputs, data_samples):
        size = (images.shape[-2], images.shape[-1])
        done += samples
        if options.tiles is not None and not options.tiles.suffice(size):
            for sample, image in zip(samples, images, strict=True):
                add_tiled_results(sample, TiledImage(model, image, sample.metainfo, options.tiles), options)
            continue
        found = model.predictions(images, [sample.metainfo for sample in samples])
        for sample, own in zip(samples, found, strict=True):
            add_results(sample, own, View(size, sample.metainfo), options)
    return sorted(done, key=lambda sample: sample.metainfo.get('batch_index', 0))


def add_results(sample: SegDataSample, own: Sequence[Prediction], view: View, options: ResultOptions) -> None:
    """Writes the results of all tasks into a sample.

    Args:
        sample: Gets ``pred_sem_seg``, ``pred_segments``, ``pred_instances``. In several label spaces only segments are
            made, whatever the tasks.
        own: What the model says of it in each label space that it asks for.
        view: What the model was shown.
        options: Which results.
    """
    several = len(own) > 1
    if 'semantic' in options.tasks and not several:
        add_semantic(sample, class_scores(own[0], view.size).restore(sample.metainfo), options)
    if 'panoptic' in options.tasks or several:
        spaces, thresholds, group, duplicates = _question(own, sample.metainfo, options)
        found = [candidates(p, view, t.object) for p, t in zip(own, thresholds, strict=True)]
        sample.pred_segments = panoptic_segments(found, spaces, thresholds, group, duplicates)
    if 'instance' in options.tasks and not several:
        sample.pred_instances = instances(own[0], view, options.instance.max_per_image)


def add_tiled_results(sample: SegDataSample, image: TiledImage, options: ResultOptions) -> None:
    """Writes the results of all tasks into a sample whose image is read in tiles, for each task anew."""
    own = image.row(0)[0]  # asked for the same as all
    several = len(own) > 1
    if 'semantic' in options.tasks and not several:
        add_semantic(sample, image.class_scores().restore(sample.metainfo), options)
    if 'panoptic' in options.tasks or several:
        sample.pred_segments = tiled_segments(image, *_question(own, sample.metainfo, options))
    if 'instance' in options.tasks and not several:
        sample.pred_instances = tiled_instances(image, options.instance.max_per_image)


def _question(
    own: Sequence[Prediction], meta: Mapping[str, Any], options: ResultOptions
) -> tuple[list[LabelSpace], list[PanopticThresholds], Tensor, Duplicates | None]:
    """Label spaces, their thresholds, the exclusive group of each class, and which segments are one."""
    several = len(own) > 1
    spaces = [prediction.space for prediction in own]
    declared = meta.get('exclusive', ()) if several else ()
    thresholds = [options.thresholds_of(space) for space in spaces]
    if declared:  # a part of a label space does not fill the image
        thresholds = [replace(t, pixel=max(t.pixel, 0.5)) for t in thresholds]
    group = exclusive_groups(spaces, declared).to(own[0].classes.device)
    return spaces, thresholds, group, _duplicates(own, options) if several else None


def add_semantic(sample: SegDataSample, scores: LazyMaps, options: ResultOptions) -> None:
    """Writes ``pred_sem_seg`` into a sample, and ``seg_logits`` where they are to be kept, from its class scores."""
    sample.pred_sem_seg = PixelData(data=class_map(scores)[None])
    if options.keep_probabilities:
        sample.seg_logits = PixelData(data=all_scores(scores))


def _duplicates(own: Sequence[Prediction], options: ResultOptions) -> Duplicates | None:
    """When segments of several label spaces are one; None where all are kept."""
    mixed = options.mixed
    if mixed.duplicate_iou is None:
        return None
    rows = None
    if mixed.similarity is not None and own[0].rows is not None:
        rows = torch.cat([one.rows for one in own if one.rows is not None])
    similarity = 1.0 if mixed.similarity is None else mixed.similarity
    same = same_meaning([one.space for one in own], rows, similarity, options.relations)
    return Duplicates(same.to(own[0].classes.device), mixed.duplicate_iou)
