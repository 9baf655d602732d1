"""Images of the datasets of a config for exported files: to calibrate on, and to score on."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS
from numpy.typing import NDArray

from ..apis import LMSegInferencer
from ..apis.inferencer import Question
from ..apis.inputs import ImagePipeline
from ..config import evaluate_only, innermost, parts_of, space_names
from ..errors import DataError
from ..evaluation.functional.iou import ClassAreas, class_areas, iou_scores
from ..models.data_preprocessor import swapped
from .libraries import needed
from .module import ExportedModel


def as_input(image: torch.Tensor) -> NDArray[np.float32]:
    """From ``inputs`` of a pipeline, ``[C, H, W]`` in OpenCV's order of channels, to an input of a graph, RGB ``[1, C,
    H, W]``."""
    given: NDArray[np.float32] = swapped(image).float()[None].numpy()
    return np.ascontiguousarray(given)


def images_to_calibrate(
    inferencer: LMSegInferencer, question: Question, pipeline: ImagePipeline, number: int
) -> Iterator[NDArray[np.float32]]:
    """Training images of the label spaces that are asked for, of each as many, spread over its list.

    For a class list, of all datasets.

    Raises:
        DataError: Where there are none, or one cannot be read.
    """
    parts = _parts(inferencer.config, 'train', question)
    share = -(-number // len(parts))
    paths: list[Path] = []
    for part in parts.values():
        with DefaultScope.overwrite_default_scope('mmseg'):
            dataset = DATASETS.build(dict(innermost(part), pipeline=[]))
        count = min(share, len(dataset))
        paths += [Path(dataset.get_data_info(i * len(dataset) // count)['img_path']) for i in range(count)]
    if not paths:
        raise DataError(f'{inferencer.config.filename}: the training datasets hold no image to calibrate int8 on')
    return (as_input(pipeline.prepare(pipeline.load(path))['inputs']) for path in paths[:number])


def scored(
    inferencer: LMSegInferencer, question: Question, module: ExportedModel, files: Mapping[str, Path], number: int
) -> Iterator[str]:
    """Scores ONNX files on the first images of the tests of some label spaces; yields a line for each space."""
    runtime = needed('onnxruntime')
    sessions = {name: runtime.InferenceSession(str(file)) for name, file in files.items()}
    config = copy.deepcopy(inferencer.config)
    for name, part in _parts(inferencer.config, 'test', question).items():
        own = copy.deepcopy(config)
        evaluate_only(own, 'test', {name: part})
        with DefaultScope.overwrite_default_scope('mmseg'):
            data = DATASETS.build(own.test_dataloader.dataset)
        for space in module.spaces:
            if space.name not in space_names(part):
                continue
            place = [one.name for one in module.spaces].index(space.name)
            areas: dict[str, ClassAreas] = {}
            count = min(number, len(data))
            for i in range(count):
                sample = data[i]
                truth = sample['data_samples'].gt_sem_seg.data[0]
                for kind, session in sessions.items():
                    scores = session.run([module.outputs[place]], dict(images=as_input(sample['inputs'])))[0]
                    found = label_map(scores[0], (truth.shape[0], truth.shape[1]))
                    met = class_areas(found, truth, space.num_classes)
                    areas[kind] = met if kind not in areas else ClassAreas(*map(torch.add, areas[kind], met))
            means = {kind: 100 * float(iou_scores(own_areas).means['mIoU']) for kind, own_areas in areas.items()}
            exact, *others = means.items()
            for kind, value in others:
                yield (
                    f'{space.name}: mIoU {exact[1]:.2f} in {exact[0]}, {value:.2f} in {kind} '
                    f'({value - exact[1]:+.2f}), {count} images'
                )


def label_map(scores: NDArray[np.float32], size: tuple[int, int]) -> torch.Tensor:
    """The best class of each pixel, long ``[H, W]``, of scores ``[K, h, w]`` of an image that had another size."""
    maps = torch.from_numpy(scores)
    if maps.shape[-2:] != size:
        maps = F.interpolate(maps[None], size=size, mode='bilinear', align_corners=False)[0]
    return maps.argmax(0)


def _parts(config: Any, split: str, question: Question) -> dict[str, Any]:
    """The datasets of a split with the label spaces that are asked for; of a class list, all."""
    loader = config.get(f'{split}_dataloader') or (config.get('val_dataloader') if split == 'test' else None) or {}
    parts = parts_of(loader['dataset']) if loader.get('dataset') else {}
    asked = {
        name: part for name, part in parts.items() if not question.named or set(space_names(part)) & set(question.named)
    }
    if not asked:
        names = ', '.join(question.named) or 'the class list'
        raise DataError(
            f'{config.get("filename", "the config")}: {split}_dataloader has no dataset of {names}, whose images are '
            'needed'
        )
    return asked
