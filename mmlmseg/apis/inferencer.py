"""Prediction in a named label space or for any list of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmseg.structures import SegDataSample
from rich.progress import Progress
from torch import nn

from ..config import read_config
from ..errors import LabelSpaceError, OptionError
from ..label_space import LabelSpace, LabelSpaces
from ..models.segmentors.results import TASKS
from ..visualization.label_panel import MIN_SCORE
from .inputs import Inputs, Source, expand_inputs, read_image
from .masks import MaskSegmentation, masks_of
from .model import build_model, load_weights
from .pipeline import build_pipeline, inference_pipeline, prepare
from .results import Segmentation, file_stems, save


class LMSegInferencer:
    """Segment images in one of a model's label spaces, or for a class list of your own.

    Args:
        model: Path of a config, a config, or a built segmentor.
        weights: Checkpoint file; into a built segmentor it is loaded too.
        device: Device to run on; by default an accelerator if there is one. A built segmentor stays where it is unless
            a device is given.

    Raises:
        CheckpointError: The checkpoint cannot be read or does not fit the config.
        OptionError: There is no such config, or no such device.

    Examples:
        >>> inferencer = LMSegInferencer('configs/lmseg/lmseg_r18_clash3.py', 'work_dirs/best.pth')  # doctest: +SKIP
        >>> result = inferencer('street.jpg', classes='sky, house, motorbike')[0]  # doctest: +SKIP
        >>> result.label_map.shape, result.shares()  # doctest: +SKIP
        ((720, 960), [('house', 0.61), ('sky', 0.3), ('motorbike', 0.09)])
    """

    def __init__(
        self, model: str | Path | Config | nn.Module, weights: str | Path | None = None, device: str | None = None
    ) -> None:
        if isinstance(model, nn.Module):
            self.config: Any = getattr(model, 'cfg', {})
            self.model: Any = model.eval()
            if weights is not None:
                load_weights(model, weights)
        else:
            self.config = model if isinstance(model, Config) else read_config(model)
            self.model = build_model(self.config, weights)
            device = device or get_device()
        if device is not None:
            if torch.device(device).type == 'cuda' and not torch.cuda.is_available():
                raise OptionError(f'device {device!r}: this PyTorch sees no CUDA device; use cpu')
            self.model.to(device)

    @property
    def label_spaces(self) -> LabelSpaces:
        """The label spaces that the model was trained on."""
        spaces: LabelSpaces = self.model.label_spaces
        return spaces

    @overload
    def __call__(
        self,
        inputs: Inputs,
        label_space: str | None = None,
        classes: str | Sequence[str] | None = None,
        batch_size: int = 1,
        out_dir: str | Path | None = None,
        show_progress: bool = True,
        *,
        label_spaces: None = None,
        task: Literal['semantic'] | None = None,
        exclusive: Sequence[Sequence[str]] = (),
    ) -> list[Segmentation]: ...

    @overload
    def __call__(self, inputs: Inputs, *args: Any, **kwargs: Any) -> list[Segmentation] | list[MaskSegmentation]: ...

    def __call__(
        self,
        inputs: Inputs,
        label_space: str | None = None,
        classes: str | Sequence[str] | None = None,
        batch_size: int = 1,
        out_dir: str | Path | None = None,
        show_progress: bool = True,
        *,
        label_spaces: Sequence[str] | None = None,
        task: str | None = None,
        exclusive: Sequence[Sequence[str]] = (),
        min_score: float = MIN_SCORE,
    ) -> list[Segmentation] | list[MaskSegmentation]:
        """Segment images.

        Args:
            inputs: Path of an image, a folder or a glob; an array, uint8 [H, W, 3] in **BGR** (OpenCV's order, as mmcv
                loads images) or [H, W] in grey; or a list of these.
            label_space: Name of one of the model's label spaces; not needed if it has only one.
            classes: A free class list instead, as a list or as ``'sky, house, motorbike'``.
            batch_size: Images per forward pass.
            out_dir: Folder for predictions (``pred/``) and pictures with a legend (``vis/``).
            show_progress: Whether to show a progress bar.
            label_spaces: Several of the model's label spaces at once instead, whose masks may overlap. Images are read
                as the test pipeline of the first one says.
            task: ``semantic`` (the default), ``panoptic`` or, where the label space has things, ``instance``;
                ``mixed``, and only this, with ``label_spaces``.
            exclusive: Groups of label spaces and classes (``camvid11:car``) within which a pixel has one class; by
                default each label space is one.
            min_score: The least score of ``instance`` results, of which a model finds one a query, most of them unsure.

        Returns:
            One result per image, in order: a :class:`Segmentation`, or masks for every task but the semantic one.

        Raises:
            LabelSpaceError: An unknown label space, an empty class list, or not exactly one way of asking.
            OptionError: An unknown task, one that does not go with how is asked, or exclusive groups in one label
                space.
            TextBankError: A class name that the model's text bank lacks.
            DataError: An input that leads to no image, or an unreadable image.
            ValueError: A ``min_score`` that is no probability.
        """
        if not 0 <= min_score <= 1:
            raise ValueError(f'min_score must be from 0 to 1, not {min_score}.')
        spaces = self._resolve(label_space, classes, label_spaces)
        task = _task(task, mixed=label_spaces is not None)
        if exclusive and task != 'mixed':
            raise OptionError('exclusive groups are for several label spaces at once: name them in label_spaces')
        if task == 'instance' and not spaces[0].things:
            raise OptionError(
                f"task 'instance' finds things, but label space {spaces[0].name!r} has none; ask for 'panoptic' or "
                "'semantic'"
            )
        sources = expand_inputs(inputs)
        stems = file_stems([source if isinstance(source, Path) else None for source in sources])
        pipeline = build_pipeline(inference_pipeline(self.config, None if classes is not None else spaces[0].name))
        asked: list[str | LabelSpace] = [*spaces] if classes is not None else [space.name for space in spaces]
        meta = dict(label_space=asked[0]) if task != 'mixed' else dict(label_spaces=asked, exclusive=exclusive)
        least = min_score if task == 'instance' else 0.0
        results: list[Any] = []
        with Progress(disable=not show_progress) as progress:
            progress_bar = progress.add_task('Segmenting', total=len(sources))
            for batch in _batches(sources, batch_size):
                images = [read_image(source) for source in batch]
                items = [prepare(pipeline, image, _name(source)) for image, source in zip(images, batch, strict=True)]
                for image, source, sample in zip(images, batch, self._predict(items, meta, task), strict=True):
                    path = source if isinstance(source, Path) else None
                    result: Segmentation | MaskSegmentation = (
                        _semantic(path, sample, spaces[0])
                        if task == 'semantic'
                        else _masks(path, sample, spaces, least)
                    )
                    if out_dir is not None:
                        save(result, image, Path(out_dir), stems[len(results)])
                    results.append(result)
                progress.advance(progress_bar, len(batch))
        return results

    def _resolve(
        self,
        label_space: str | None,
        classes: str | Sequence[str] | None,
        label_spaces: Sequence[str] | None,
    ) -> tuple[LabelSpace, ...]:
        if sum(way is not None for way in (label_space, classes, label_spaces)) > 1:
            raise LabelSpaceError('Give one of label_space, label_spaces and classes, not several.')
        if classes is not None:
            return (LabelSpace.create('custom', _class_list(classes)),)
        if label_spaces is not None:
            if len(set(label_spaces)) < len(label_spaces) or not label_spaces:
                raise LabelSpaceError(f'label_spaces must name different label spaces, got {list(label_spaces)}.')
            return tuple(self.label_spaces.get(name) for name in label_spaces)
        if label_space is not None:
            return (self.label_spaces.get(label_space),)
        if len(self.label_spaces) == 1:
            return (self.label_spaces[0],)
        raise LabelSpaceError(
            f'Say which label space to predict in (label_space: one of {", ".join(self.label_spaces.names)}), several '
            'at once (label_spaces), or give a class list (classes).'
        )

    def _predict(self, items: Sequence[dict], meta: dict[str, Any], task: str) -> list[SegDataSample]:
        """The segmented samples of prepared images."""
        for item in items:
            item['data_samples'].set_metainfo(meta)
        batch = {key: [item[key] for item in items] for key in ('inputs', 'data_samples')}
        before = self.model.test_cfg
        self.model.test_cfg = {**(before or {}), 'tasks': [task if task != 'mixed' else 'panoptic']}
        try:
            with torch.no_grad():
                samples: list[SegDataSample] = self.model.test_step(batch)
        finally:
            self.model.test_cfg = before
        return samples


def _task(task: str | None, mixed: bool) -> str:
    known = ('mixed',) if mixed else TASKS
    task = task or known[0]
    if task not in known:
        way = 'label_spaces' if mixed else 'one label space or a class list'
        raise OptionError(f'task {task!r} does not go with {way}; choose {" or ".join(known)}')
    return task


def _semantic(path: Path | None, sample: SegDataSample, space: LabelSpace) -> Segmentation:
    label_map = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()
    dtype = np.uint8 if space.num_classes <= 256 else np.int32
    return Segmentation(path, label_map.astype(dtype), space.name, space.classes, space.palette)


def _masks(path: Path | None, sample: SegDataSample, spaces: tuple[LabelSpace, ...], least: float) -> MaskSegmentation:
    height, width = sample.metainfo['ori_shape'][:2]
    masks = tuple(mask for mask in masks_of(sample, spaces) if mask.score >= least)
    return MaskSegmentation(path, (height, width), spaces, masks)


def _class_list(classes: str | Sequence[str]) -> list[str]:
    names = classes.split(',') if isinstance(classes, str) else list(classes)
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise LabelSpaceError("The class list is empty: name at least one class, for example 'sky, house'.")
    return names


def _batches(sources: Sequence[Source], size: int) -> Iterator[Sequence[Source]]:
    if size < 1:
        raise ValueError(f'batch_size must be at least 1, not {size}.')
    for start in range(0, len(sources), size):
        yield sources[start : start + size]


def _name(source: Source) -> str:
    return str(source) if isinstance(source, Path) else 'an array'
