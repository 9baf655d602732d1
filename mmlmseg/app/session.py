"""What a model said of one image: asked once, shown in any way without being asked again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PILImage

from ..apis.inferencer import LMSegInferencer, Question
from ..errors import LabelSpaceError, OptionError
from ..label_space import LabelSpace
from ..models.postprocess.lazy_maps import best
from ..models.postprocess.semantic import class_scores
from ..models.postprocess.view import View
from ..models.segmentors.result_options import ResultOptions
from ..models.structures import Prediction
from ..visualization.drawing import Picture, as_picture

SHOWN_SIDE = 1024
"""The longer side of a picture on the page, in pixels: of larger images a copy is shown; files are of full size."""


@dataclass(frozen=True)
class ClassMap:
    """What one label space calls each pixel."""

    labels: NDArray[np.int64]  # [H, W], class ids
    # [H, W], of these classes: the sum over the queries of mask times class probability, where that is above 1, 1.
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Session:
    """The raw answer to one question about one image, on the host.

    Attributes:
        path: File of the image.
        picture: The image as people see it, RGB, uint8 [H, W, 3].
        spaces: The label spaces that were asked; a class list typed in is the last one.
        predictions: Mask logits and class probabilities of the queries in each of them.
        view: What the model was shown, and how its maps get into the picture.
        options: Thresholds and treatment of duplicates that the model was built with.
        things_only: Whether the model finds things only, so that most pixels have no class.
    """

    path: Path
    picture: Picture
    spaces: tuple[LabelSpace, ...]
    predictions: tuple[Prediction, ...]
    view: View
    options: ResultOptions
    things_only: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.view.original

    @cached_property
    def class_maps(self) -> tuple[ClassMap, ...]:
        """The best class of each pixel in every label space, and its score; made at the first call.

        Raises:
            OptionError: Of a model that finds things only.
        """
        if self.things_only:
            raise OptionError('this model finds things only, so not every pixel has a class; show segments')
        return tuple(_class_map(own, self.view) for own in self.predictions)

    @cached_property
    def shown(self) -> Session:
        """The answer at the size at which a page shows it."""
        return self.within(SHOWN_SIDE)

    def within(self, longest: int) -> Session:
        """The same answer for a smaller picture, whose longer side has at most so many pixels."""
        scale = longest / max(self.size)
        if scale >= 1:
            return self
        height, width = (max(1, round(side * scale)) for side in self.size)
        picture = np.asarray(PILImage.fromarray(self.picture).resize((width, height), PILImage.Resampling.LANCZOS))
        view = replace(self.view, meta={**self.view.meta, 'ori_shape': (height, width)})
        return replace(self, picture=picture, view=view)


def ask(inferencer: LMSegInferencer, path: Path, spaces: Sequence[str], classes: str = '') -> Session:
    """Runs the model on an image, once.

    Args:
        inferencer: The model.
        path: File of the image.
        spaces: Names of label spaces of the model.
        classes: A class list besides, as a user types it; empty for none.

    Raises:
        LabelSpaceError: Where nothing is asked for, or on an unknown name.
        TextBankError: On a class name that the model's text bank lacks.
        DataError: On a file that is no image.
        OptionError: On an image that the model's config would have read in tiles.
    """
    question = _question(inferencer, spaces, classes)
    pipeline, model = inferencer.pipeline(question), inferencer.model
    loaded = pipeline.load(path)
    item = pipeline.prepare(loaded)
    item['data_samples'].set_metainfo(question.metainfo)
    batch = model.data_preprocessor(dict(inputs=[item['inputs']], data_samples=[item['data_samples']]), False)
    images, meta = batch['inputs'], batch['data_samples'][0].metainfo
    images = images if isinstance(images, torch.Tensor) else images[0]
    size = (images.shape[-2], images.shape[-1])
    answering = getattr(model, 'answering', nullcontext)  # of a union, each member sees to it
    with inferencer.asked(question), answering():
        options = model.options
        if options.tiles is not None and not options.tiles.suffice(size):
            raise OptionError(
                f'{path.name}: the model reads {size[0]}x{size[1]} pixels of it, more than one tile of its config '
                f'({options.tiles.size[0]}x{options.tiles.size[1]}); segment it with mmlmseg predict'
            )
        (found,) = model.predictions(images, [meta])
    return Session(
        path=path,
        picture=as_picture(loaded['img']),
        spaces=question.spaces,
        predictions=tuple(map(_on_host, found)),
        view=View(size, meta),
        options=options,
        things_only=bool(getattr(getattr(model, 'decode_head', None), 'things_only', False)),
    )


def _question(inferencer: LMSegInferencer, spaces: Sequence[str], classes: str) -> Question:
    named = inferencer.question(label_spaces=spaces).spaces if spaces else ()
    free = inferencer.question(classes=classes, task='panoptic').spaces if classes.strip() else ()
    if not named + free:
        raise LabelSpaceError("Choose at least one label space, or type classes, for example 'sky, house'.")
    return Question(named + free, [space.name for space in named], 'panoptic', (), dict(tasks=['panoptic']))


def _on_host(own: Prediction) -> Prediction:
    rows = None if own.rows is None else own.rows.float().cpu()
    return replace(own, classes=own.classes.cpu(), mask_logits=own.mask_logits.float().cpu(), rows=rows)


@torch.no_grad()
def _class_map(own: Prediction, view: View) -> ClassMap:
    scores = class_scores(own, view.size).restore(view.meta)
    labels = np.empty(scores.size, np.int64)
    certain = np.empty(scores.size, np.float32)
    for rows, strip in scores.strips():
        first = best(strip)
        labels[rows] = first.numpy()
        certain[rows] = strip.gather(-1, first[..., None])[..., 0].clamp(max=1).numpy()
    return ClassMap(labels, certain)
