"""Prediction in a named label space, in several at once, or for any list of classes."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmseg.structures import SegDataSample
from rich.progress import Progress
from torch import nn

from ..audit.concepts import is_rest
from ..class_list import split_definitions
from ..config import read_config
from ..errors import LabelSpaceError, OptionError
from ..label_space import LabelSpace, LabelSpaces
from ..models.segmentors.result_options import TASKS
from ..visualization.drawing import as_picture
from ..visualization.label_panel import MIN_SCORE
from .inputs import Image, ImagePipeline, Inputs, Source, batched, expand_inputs, inference_pipeline
from .model import build_model, load_weights
from .results import MaskSegmentation, Segmentation, Stems, result_of


@dataclass(frozen=True)
class Question:
    """What a model is asked.

    Attributes:
        spaces: The label spaces; a free class list is one named custom.
        named: The names of those that the model was trained on.
        task: ``semantic``, ``panoptic``, ``instance`` or ``mixed``.
        exclusive: Groups of label spaces and classes within which a pixel has one class.
        test_cfg: What it changes of the model's.
    """

    spaces: tuple[LabelSpace, ...]
    named: Sequence[str]
    task: str
    exclusive: tuple[tuple[str, ...], ...]
    test_cfg: Mapping[str, Any]

    @property
    def metainfo(self) -> dict[str, Any]:
        """What samples carry of it."""
        asked = tuple(space.name if space.name in self.named else space for space in self.spaces)
        return dict(label_spaces=asked, exclusive=self.exclusive)


class LMSegInferencer:
    """Segments images in the label spaces of a model, or for a class list of your own.

    Args:
        model: Path of a config, a config, or a built segmentor.
        weights: Checkpoint file; into a built segmentor it is loaded too.
        device: Device to run on; by default an accelerator if there is one. A built segmentor stays where it is unless
            a device is given.

    Raises:
        CheckpointError: The checkpoint cannot be read or does not fit the config.
        OptionError: There is no such config, or no such device.

    Examples:
        >>> inferencer = LMSegInferencer('configs/lmseg/lmseg_r18_clash5.py', 'work_dirs/best.pth')  # doctest: +SKIP
        >>> result = inferencer('street.jpg', classes='sky, house, motorbike')[0]  # doctest: +SKIP
        >>> result.label_map.shape, result.shares()  # doctest: +SKIP
        ((720, 960), [('house', 0.61), ('sky', 0.3), ('motorbike', 0.09)])
        >>> for result in inferencer.iter('a_million_photos/', label_space='camvid11', out_dir='out'):  # doctest: +SKIP
        ...     print(result.path, result.shares())
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
        return self.model.label_spaces

    def __call__(
        self,
        inputs: Inputs,
        label_space: str | None = None,
        classes: str | Sequence[str] | None = None,
        batch_size: int = 1,
        out_dir: str | Path | None = None,
        show_progress: bool = True,
        **options: Any,
    ) -> list[Segmentation] | list[MaskSegmentation]:
        """Segments images, see :meth:`iter`; all results together, one per image, in order."""
        return list(self.iter(inputs, label_space, classes, batch_size, out_dir, show_progress, **options))

    def iter(
        self,
        inputs: Inputs | Iterator[str | Path | Image],
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
        tiles: Mapping[str, Any] | None = None,
        max_per_image: int | None = None,
        read_as: str | None = None,
    ) -> Iterator[Any]:
        """Segments images one after the other: any number needs the memory of one batch.

        What is wrong with the question is said at once, what is wrong with an image when its turn comes.

        Args:
            inputs: Path of an image, a folder or a glob; an array, uint8 [H, W, 3] in **BGR** (OpenCV's order, as mmcv
                loads images) or [H, W] in grey, which stands for a loaded file; where the dataset declares its images,
                [H, W, bands] with the values of its files, of 3 bands BGR; a list of these; or an iterator over
                these, such as the frames of a video, of which a batch at a time is taken.
            label_space: Name of one of the model's label spaces; not needed if it has only one.
            classes: A free class list instead, as a list or as ``'sky, house, motorbike'``; with definitions, where
                the model reads them, ``'person: a human being, on foot; sky'``.
            batch_size: Images per forward pass.
            out_dir: Folder for predictions (``pred/``) and pictures with a legend (``vis/``), written image by image.
            show_progress: Whether to show a progress bar.
            label_spaces: Several of the model's label spaces at once instead, whose masks may overlap. Images are read
                as the test pipeline of a dataset with all of them says, or of the first one.
            task: ``semantic`` (the default), ``panoptic`` or, where the label space has things, ``instance``;
                ``mixed``, and only this, with ``label_spaces``.
            exclusive: Groups of label spaces and classes (``camvid11:car``) within which a pixel has one class; by
                default each label space is one.
            min_score: The least score of ``instance`` results, of which a model finds one a query, most of them unsure.
            tiles: ``dict(size=(1024, 1024), overlap=128)`` reads images that are larger in tiles, see :class:`Tiles`;
                by default as ``test_cfg`` of the model says.
            max_per_image: The most ``instance`` results of an image or tile; by default as ``test_cfg`` says.
            read_as: A label space of the model, as whose images these are read: its bands, scale and test pipeline. By
                default the one that is asked for.

        Yields:
            A result per image, in order: a :class:`Segmentation`, or masks for every task but the semantic one.

        Raises:
            LabelSpaceError: An unknown label space, an empty class list, or not exactly one way of asking.
            OptionError: A task that does not go with how is asked, or exclusive groups in one label space.
            TextBankError: A class name that the model's text bank lacks.
            DataError: An input that leads to no image, or an unreadable image.
            OptionError: A ``min_score`` that is no probability, a ``batch_size`` below 1, or unusable tiles.
        """
        if not 0 <= min_score <= 1:
            raise OptionError(f'min_score must be from 0 to 1, not {min_score}.')
        if batch_size < 1:
            raise OptionError(f'batch_size must be at least 1, not {batch_size}.')
        question = self.question(label_space, classes, label_spaces, task, exclusive, tiles, max_per_image)
        sources: Iterable[Source]
        if isinstance(inputs, Iterator):
            sources, total = itertools.chain.from_iterable(map(expand_inputs, inputs)), None
        else:
            sources = listed = expand_inputs(inputs)
            total = len(listed)
        pipeline = self.pipeline(question, read_as)
        if out_dir is not None:
            Path(out_dir).mkdir(parents=True, exist_ok=True)

        def found() -> Iterator[Any]:
            stems = Stems()
            with Progress(disable=not show_progress) as progress:
                bar = progress.add_task('Segmenting', total=total)
                for batch in batched(sources, batch_size):
                    loaded = [pipeline.load(source) for source in batch]
                    items = [pipeline.prepare(sample) for sample in loaded]
                    for source, own, sample in zip(batch, loaded, self._predict(items, question), strict=True):
                        path = source if isinstance(source, Path) else None
                        stem = stems.next(path)
                        result = result_of(path, sample, question.spaces, min_score)
                        if out_dir is not None:
                            result.save(as_picture(own['img'])[..., ::-1].copy(), Path(out_dir), stem)
                        yield result
                    progress.advance(bar, len(batch))

        return found()

    def question(
        self,
        label_space: str | None = None,
        classes: str | Sequence[str] | None = None,
        label_spaces: Sequence[str] | None = None,
        task: str | None = None,
        exclusive: Sequence[Sequence[str]] = (),
        tiles: Mapping[str, Any] | None = None,
        max_per_image: int | None = None,
    ) -> Question:
        """What is asked of the model; arguments and errors as of :meth:`iter`."""
        spaces = self._resolve(label_space, classes, label_spaces)
        task = _check_task(task, spaces, label_spaces is not None, bool(exclusive))
        changes: dict[str, Any] = dict(tasks=[task if task != 'mixed' else 'panoptic'])
        if tiles is not None:
            changes['tiles'] = dict(tiles)
        if max_per_image is not None:
            changes['instance'] = dict(max_per_image=max_per_image)
        named = [space.name for space in spaces] if classes is None else []
        question = Question(spaces, named, task, tuple(map(tuple, exclusive)), changes)
        with self.asked(question):
            _ = getattr(self.model, 'options', None)  # says what is wrong with tiles and limits
        return question

    def pipeline(self, question: Question, read_as: str | None = None) -> ImagePipeline:
        """How images are read for a question, or (``read_as``) as those of another label space of the model."""
        named = question.named if read_as is None else [self.label_spaces.get(read_as).name]
        return inference_pipeline(self.config, named, self.label_spaces)

    @contextmanager
    def asked(self, question: Question) -> Iterator[None]:
        """Lets the model give the results that a question is about, for as long as the context lasts."""
        before = self.model.test_cfg
        self.model.test_cfg = {**(before or {}), **question.test_cfg}
        try:
            with torch.no_grad():
                yield
        finally:
            self.model.test_cfg = before

    def _name_of_a_list(self) -> str:
        """What a free class list is called: not as a space of the model, whose queries it would be taken to ask for."""
        names = itertools.chain(['custom'], (f'custom{i}' for i in itertools.count(2)))
        return next(name for name in names if name not in self.label_spaces.names)

    def _resolve(
        self, label_space: str | None, classes: str | Sequence[str] | None, label_spaces: Sequence[str] | None
    ) -> tuple[LabelSpace, ...]:
        if sum(way is not None for way in (label_space, classes, label_spaces)) > 1:
            raise LabelSpaceError('Give one of label_space, label_spaces and classes, not several.')
        if classes is not None:
            names, definitions = split_definitions(classes)
            if not names:
                raise LabelSpaceError("The class list is empty: name at least one class, for example 'sky, house'.")
            space = LabelSpace.create(self._name_of_a_list(), names, definitions=definitions)
            _caution_about_the_rest(space, self.label_spaces)
            return (space,)
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

    def _predict(self, items: Sequence[dict], question: Question) -> list[SegDataSample]:
        """The segmented samples of prepared images."""
        for item in items:
            item['data_samples'].set_metainfo(question.metainfo)
        batch = {key: [item[key] for item in items] for key in ('inputs', 'data_samples')}
        with self.asked(question):
            return self.model.test_step(batch)


def _caution_about_the_rest(asked: LabelSpace, trained: Iterable[LabelSpace]) -> None:
    """Warns of a class that is all that its list does not name, where no training had this list.

    LMSeg R18 of five datasets calls 74 to 89 % of the pixels of four of them `background`, a class of the fifth, once
    that stands in the list (docs/class_names.md).
    """
    rest = [name for name in asked.names if is_rest(name)]
    if rest and not any(set(asked.names) <= set(own.names) for own in trained):
        print_log(
            f'class {rest[0]!r} is all that a list does not name, and the model knows it of another list: it may call '
            'most of an image so. Leave it out, or ask in the label space that it belongs to',
            'current',
            logging.WARNING,
        )


def _check_task(task: str | None, spaces: Sequence[LabelSpace], mixed: bool, exclusive: bool) -> str:
    """The task, by default the first that goes with how is asked."""
    known = ('mixed',) if mixed else TASKS
    task = task or known[0]
    if task not in known:
        way = 'label_spaces' if mixed else 'one label space or a class list'
        raise OptionError(f'task {task!r} does not go with {way}; choose {" or ".join(known)}')
    if exclusive and len(spaces) == 1:
        raise OptionError('exclusive groups are for several label spaces at once: name them in label_spaces')
    if task == 'instance' and not spaces[0].things:
        raise OptionError(
            f"task 'instance' finds things, but label space {spaces[0].name!r} has none; ask for 'panoptic' or "
            "'semantic'"
        )
    return task
