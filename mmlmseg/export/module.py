"""A segmentor as a module of tensors, from images to scores or masks: what is exported."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from mmdet.models.layers import TransformerEncoderPixelDecoder
from torch import Tensor, nn

from ..errors import OptionError
from ..label_space import LabelSpace
from ..models.numerics import class_probabilities
from ..models.structures import Categories
from .asked_alike import ask_alike, of_all_images

Task = Literal['semantic', 'panoptic']
TASKS: tuple[str, ...] = get_args(Task)


class ExportedModel(nn.Module):
    """What a segmentor says of images in fixed label spaces, from tensors to tensors.

    Normalisation and padding are inside: images of any size are taken with the values of their files.

    Args:
        model: A :class:`~mmlmseg.models.segmentors.MultiSpaceSegmentor`; it stays as it is.
        spaces: The S label spaces, of the model or made of a class list.
        task: ``semantic`` or ``panoptic``.
        channels: Of images, where the model takes several numbers of them.
        text_input: Whether text rows are given instead of being part of the model.

    Attributes:
        spaces: The label spaces.
        outputs: The names of what comes out, in order.

    Raises:
        CheckpointError: Where the model cannot answer, see :meth:`MultiSpaceSegmentor.answering`.
        OptionError: Where the model is of another kind, or text is to be given to one that has no use for it.
    """

    mean: Tensor
    std: Tensor
    valid: Tensor
    no_object: Tensor  # [1, C], where text is an input

    def __init__(
        self,
        model: Any,
        spaces: Sequence[LabelSpace],
        task: Task = 'semantic',
        channels: int = 3,
        text_input: bool = False,
    ) -> None:
        super().__init__()
        check_exportable(model, spaces, task, text_input)
        self.spaces, self.task = tuple(spaces), task
        names = [space.name for space in spaces]
        asked = [space.name if space in [*model.label_spaces] else space for space in spaces]
        with torch.no_grad(), model.answering():
            self._categories: Categories = model.decode_head.categories(asked)
        preprocessor = model.data_preprocessor
        self.size_divisor: int = preprocessor.size_divisor or model.size_divisor
        self.swaps = channels >= 3 and not preprocessor.bgr_to_rgb  # images are RGB, whatever the model reads
        for kind in ('mean', 'std'):
            self.register_buffer(kind, getattr(preprocessor, f'{kind}_{channels}').detach().clone())
        own = copy.deepcopy(model).eval()
        ask_alike(own.decode_head, names)
        own.decode_head.text = None
        self.backbone, self.neck, self.head = own.backbone, own.neck, own.decode_head
        for key in ('valid', 'rows'):
            value = getattr(self._categories, key)
            if value is not None and not (text_input and key == 'rows'):
                self.register_buffer(key, value.detach().clone())
        self.text_input = text_input
        if text_input:
            self.register_buffer('no_object', self._categories.rows[0, -1:].detach().clone())
        kinds = ('scores',) if task == 'semantic' else ('class_probabilities', 'mask_logits')
        one = len(spaces) == 1
        self.outputs = tuple(kind if one else f'{kind}:{name}' for name in names for kind in kinds)

    def forward(self, images: Tensor, rows: Tensor | None = None) -> tuple[Tensor, ...]:
        """Segments images.

        Args:
            images: ``[B, C, H, W]`` floats with the values of the files, RGB or the bands in order.
            rows: Text rows ``[K, C]`` of the classes, where they are given.

        Returns:
            For each label space: semantic scores ``[B, K, H, W]``; or class probabilities ``[B, N, K + 1]``, no-object
            last, and mask logits ``[B, N, h, w]`` of the padded image.
        """
        height, width = images.shape[-2:]
        padded = self._prepared(images)
        metas = [dict(img_shape=(height, width), batch_input_shape=padded.shape[-2:])]  # alike for all images
        feats = self.backbone(padded)
        feats = feats if self.neck is None else self.neck(feats)
        outputs = self.head(feats, metas, of_all_images(self._asked(rows), images.shape[0]))
        classes = class_probabilities(outputs.class_logits[-1], outputs.valid, outputs.activation)
        masks = outputs.mask_logits[-1]  # [B * S, N, h, w]
        number = len(self.spaces)
        found: list[Tensor] = []
        if self.task == 'semantic':
            masks = F.interpolate(masks, size=padded.shape[-2:], mode='bilinear', align_corners=False).sigmoid()
        for i, space in enumerate(self.spaces):
            own_classes, own_masks = classes[i::number], masks[i::number]
            if number > 1:
                own_classes = torch.cat([own_classes[..., : space.num_classes], own_classes[..., -1:]], -1)
            if self.task == 'semantic':
                scores = own_classes[..., :-1].transpose(1, 2) @ own_masks.flatten(2)
                # Cut last: of a cut tensor torch asks if it is a copy, and makes the answer a condition of a graph.
                found.append(scores.unflatten(2, padded.shape[-2:])[..., :height, :width])
            else:
                found += [own_classes, own_masks]
        return tuple(found)

    def _prepared(self, images: Tensor) -> Tensor:
        """Normalised, and padded at the right and the bottom with what is the mean."""
        if self.swaps:
            images = torch.cat([images[:, :3].flip(1), images[:, 3:]], 1)
        height, width = images.shape[-2:]
        normalised = (images - self.mean) / self.std
        return F.pad(normalised, (0, -width % self.size_divisor, 0, -height % self.size_divisor))

    def _asked(self, rows: Tensor | None) -> Categories:
        """The categories of one image: S samples."""
        if not self.text_input:
            return replace(self._categories, valid=self.valid, rows=getattr(self, 'rows', None))
        assert rows is not None
        every = torch.cat([rows, self.no_object])[None]
        return replace(self._categories, valid=torch.ones_like(every[..., 0], dtype=torch.bool), rows=every)


def check_exportable(model: Any, spaces: Sequence[LabelSpace], task: str, text_input: bool) -> None:
    """Says what of a model, or of what is asked of it, cannot be exported; see :class:`ExportedModel`."""
    head = getattr(model, 'decode_head', None)
    if head is None or not hasattr(model, 'label_spaces'):
        raise OptionError(
            f'{type(model).__name__} cannot be exported, a single mmlmseg.MultiSpaceSegmentor can: of a union, export '
            'each member'
        )
    if task not in TASKS:
        raise OptionError(f'task {task!r} cannot be exported; choose {" or ".join(TASKS)}')
    head.check_tasks([task])
    features = getattr(head, 'pixel_features', None)
    if isinstance(getattr(features, 'pixel_decoder', None), TransformerEncoderPixelDecoder):
        raise OptionError(
            'mmdet.TransformerEncoderPixelDecoder cannot be exported: it asks for the size of each image of a batch, '
            'one after the other, so its graph would hold for one batch only; train with mmdet.PixelDecoder or '
            'mmdet.MSDeformAttnPixelDecoder'
        )
    if not text_input:
        return
    if head.text is None:
        raise OptionError('--text-input: the model reads no text, so there are no text rows to give it; leave it out')
    if len(spaces) > 1:
        raise OptionError(
            '--text-input: text rows are given for one list of classes, not for several label spaces; export one of '
            'them, or leave the option out'
        )
    if head.things_only:
        raise OptionError(
            '--text-input: a model with things_only=True must know which classes are things; leave it out'
        )
    if head.relations:
        raise OptionError(
            '--text-input: the model has relations between classes (decode_head.relations), which rows do not tell; '
            'leave it out'
        )
