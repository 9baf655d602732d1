"""Prediction in a named label space or for any list of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from rich.progress import Progress
from torch import nn

from ..config import read_config
from ..errors import LabelSpaceError, OptionError
from ..label_space import LabelSpace, LabelSpaces
from .inputs import Inputs, Source, expand_inputs, read_image
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
        spaces: LabelSpaces = self.model.decode_head.label_spaces
        return spaces

    def __call__(
        self,
        inputs: Inputs,
        label_space: str | None = None,
        classes: str | Sequence[str] | None = None,
        batch_size: int = 1,
        out_dir: str | Path | None = None,
        show_progress: bool = True,
    ) -> list[Segmentation]:
        """Segment images.

        Args:
            inputs: Path of an image, a folder or a glob; an array, uint8 [H, W, 3] in **BGR** (OpenCV's order, as mmcv
                loads images) or [H, W] in grey; or a list of these.
            label_space: Name of one of the model's label spaces; not needed if it has only one.
            classes: A free class list instead, as a list or as ``'sky, house, motorbike'``.
            batch_size: Images per forward pass.
            out_dir: Folder for label maps (``pred/``) and pictures with a legend (``vis/``).
            show_progress: Whether to show a progress bar.

        Returns:
            One result per image, in order.

        Raises:
            LabelSpaceError: An unknown label space, an empty class list, or both or none of the two given.
            TextBankError: A class name that the model's text bank lacks.
            DataError: An input that leads to no image, or an unreadable image.
        """
        space = self._resolve(label_space, classes)
        sources = expand_inputs(inputs)
        stems = file_stems([source if isinstance(source, Path) else None for source in sources])
        pipeline = build_pipeline(inference_pipeline(self.config, None if classes is not None else space.name))
        asked = space if classes is not None else space.name
        results: list[Segmentation] = []
        with Progress(disable=not show_progress) as progress:
            task = progress.add_task('Segmenting', total=len(sources))
            for batch in _batches(sources, batch_size):
                images = [read_image(source) for source in batch]
                items = [prepare(pipeline, image, _name(source)) for image, source in zip(images, batch, strict=True)]
                label_maps = self._predict(items, asked)
                for image, source, label_map in zip(images, batch, label_maps, strict=True):
                    path = source if isinstance(source, Path) else None
                    result = Segmentation(path, label_map, space.name, space.classes, space.palette)
                    if out_dir is not None:
                        save(result, image, Path(out_dir), stems[len(results)])
                    results.append(result)
                progress.advance(task, len(batch))
        return results

    def _resolve(self, label_space: str | None, classes: str | Sequence[str] | None) -> LabelSpace:
        if label_space is not None and classes is not None:
            raise LabelSpaceError('Give either label_space or classes, not both.')
        if classes is not None:
            return LabelSpace.create('custom', _class_list(classes))
        if label_space is not None:
            return self.label_spaces.get(label_space)
        if len(self.label_spaces) == 1:
            return self.label_spaces[0]
        raise LabelSpaceError(
            f'Say which label space to predict in (label_space: one of {", ".join(self.label_spaces.names)}), or give '
            'a class list (classes).'
        )

    def _predict(self, items: Sequence[dict], asked: str | LabelSpace) -> list[np.ndarray]:
        """Label maps [H, W] of prepared images."""
        for item in items:
            item['data_samples'].set_metainfo(dict(label_space=asked))
        batch = {key: [item[key] for item in items] for key in ('inputs', 'data_samples')}
        with torch.no_grad():
            samples = self.model.test_step(batch)
        num_classes = asked.num_classes if isinstance(asked, LabelSpace) else self.label_spaces.get(asked).num_classes
        dtype = np.uint8 if num_classes <= 256 else np.int32
        return [sample.pred_sem_seg.data.squeeze(0).cpu().numpy().astype(dtype) for sample in samples]


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
