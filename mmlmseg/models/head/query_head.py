"""The one head of all methods: queries, decoder, classifier and criterion are handed to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import torch
from mmdet.models.layers import SinePositionalEncoding
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from ...checkpoint import CheckpointRecord
from ...errors import LabelSpaceError, OptionError
from ...label_space import LabelSpaces
from ...registry import MODELS
from ..class_activation import ClassActivation, class_probabilities
from ..postprocess import semantic_probabilities
from ..structures import Categories, HeadOutputs, MemoryLevel, Targets
from ..text.variation import drop_absent, present_classes
from .adapters import SpaceAdapters
from .asked import AskedSpace, AsksSpaces
from .pixel_features import MaskEmbedding, PixelFeatureExtractor
from .targets import read_targets
from .things import thing_columns


@MODELS.register_module()
class QueryHead(AsksSpaces, BaseModule):
    """Mask classification with segment queries, over any number of label spaces.

    It keeps mmseg's head interface (``loss``, ``predict``, ``num_classes``, ``align_corners``), so that mmseg's
    EncoderDecoder can carry it for semantic work with one crop size.

    Args:
        label_spaces: What :meth:`LabelSpaces.from_config` takes, one entry a space.
        in_channels: Channels of the backbone's maps, fine first.
        pixel_decoder: See :class:`PixelFeatureExtractor`.
        queries: Config of the query module, e.g. ``mmlmseg.SharedQueries``.
        decoder: Config of the decoder, e.g. ``mmlmseg.CategoryGuidedDecoder``.
        classifier: Config of the classifier, e.g. ``mmlmseg.TextClassifier``.
        criterion: Config of the criterion, e.g. ``mmlmseg.SetCriterion``.
        text: Config of the text table; None for methods without text.
        channels: C, the width of queries, memory and text rows.
        mask_channels: Width of the per-pixel embeddings; ``channels`` by default.
        drop_absent: In training, the probability of a class that a sample does not show to be taken off its list.
        class_activation: What class logits mean, ``softmax`` or ``sigmoid``; see :func:`class_probabilities`.
        things_only: Instance segmentation: learn and find things only. Stuff is no class, its pixels are background.
        adapters: Configs of adapters of decoded queries, by the name of their label space, e.g.
            ``dict(ccp=dict(type='mmlmseg.SpaceAdapter'))``.
        init_cfg: See mmengine's BaseModule.

    Raises:
        LabelSpaceError: Where ``things_only`` meets a label space without things.
        ValueError: On another ``class_activation``, or ``drop_absent`` with a classifier of one list for all spaces.
    """

    align_corners = False
    ignore_index = 255  # the label that means "not annotated", everywhere in mmseg
    threshold = None

    def __init__(
        self,
        label_spaces: Sequence[Any],
        in_channels: Sequence[int],
        pixel_decoder: dict[str, Any],
        queries: dict[str, Any],
        decoder: dict[str, Any],
        classifier: dict[str, Any],
        criterion: dict[str, Any],
        text: dict[str, Any] | None = None,
        channels: int = 256,
        mask_channels: int | None = None,
        drop_absent: float = 0.0,
        class_activation: ClassActivation = 'softmax',
        things_only: bool = False,
        adapters: Mapping[str, dict[str, Any]] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.label_spaces = LabelSpaces.from_config(label_spaces)
        self.num_classes = self.out_channels = self.label_spaces.max_classes
        mask_channels = mask_channels or channels

        self.pixel_features = PixelFeatureExtractor(pixel_decoder, in_channels, channels, mask_channels)
        self.memory_position = SinePositionalEncoding(channels // 2, normalize=True)
        per_space = dict(channels=channels, label_spaces=self.label_spaces)
        self.queries = MODELS.build({**queries, **per_space})
        self.decoder = MODELS.build({**decoder, 'channels': channels})
        self.adapters = SpaceAdapters(channels, self.label_spaces, adapters or {})
        self.mask_embedding = MaskEmbedding(channels, mask_channels)
        self.text = MODELS.build({**text, **per_space}) if text is not None else None
        self.classifier = MODELS.build({**classifier, **per_space})
        self.drop_absent = drop_absent
        own_columns = all(self.classifier.trained_columns(s) == (*range(s.num_classes),) for s in self.label_spaces)
        if drop_absent and not own_columns:
            raise ValueError(f'drop_absent takes classes off lists, but {type(self.classifier).__name__} has one list')
        if class_activation not in get_args(ClassActivation):
            raise ValueError(f'class_activation must be "softmax" or "sigmoid", got {class_activation!r}')
        self.class_activation = class_activation
        self.things_only = things_only
        if things_only:
            thing_columns(self.label_spaces, self.num_classes)  # says at once which space has none
        self.criterion = MODELS.build(criterion)

    def categories(self, spaces: Sequence[AskedSpace], width: int | None = None) -> Categories:
        """What samples may be classified as.

        Args:
            spaces: The label space of each sample: a name, or a space made of a free class list.
            width: K; by default the number of classes of the largest space asked for.

        Raises:
            LabelSpaceError: On an unknown name, a free class list where the model reads no text, or a space without
                things where the model finds things only.
        """
        categories = self._all_categories(spaces, width)
        if not self.things_only:
            return categories
        things = thing_columns([self.space_of(asked) for asked in spaces], categories.valid.shape[1] - 1)
        return categories.restricted(things.to(categories.valid.device))

    def _all_categories(self, spaces: Sequence[AskedSpace], width: int | None) -> Categories:
        if self.text is not None:
            return self.text.categories(spaces, width)
        names = tuple(s for s in spaces if isinstance(s, str))
        if len(names) < len(spaces):
            raise LabelSpaceError('a free class list needs a model that reads class names: this head has no text table')
        sizes = [self.label_spaces.get(name).num_classes for name in names]
        width = width or max(sizes)
        device = next(self.mask_embedding.parameters()).device
        columns = torch.arange(width + 1, device=device)
        valid = (columns < torch.tensor(sizes, device=device)[:, None]) | (columns == width)
        return Categories(spaces=names, valid=valid)

    def categories_to_learn(self, metas: Sequence[dict[str, Any]], targets: Sequence[Targets]) -> Categories:
        """What samples are classified as in training: their spaces, less what ``drop_absent`` takes off their lists."""
        asked = [self.asked_space(meta) for meta in metas]
        categories = self.categories(asked)
        if not self.drop_absent:
            return categories
        return drop_absent(categories, present_classes(targets, categories.valid.shape[1] - 1), self.drop_absent)

    def check_tasks(self, tasks: Sequence[str]) -> None:
        """Makes sure that this model can do some tasks of ``test_cfg``.

        Raises:
            OptionError: Where semantic results are asked of a model that finds things only.
        """
        if self.things_only and 'semantic' in tasks:
            raise OptionError(
                'a model with things_only=True has no class for the pixels of stuff, so it makes no semantic results; '
                "ask for 'instance', or for 'panoptic' where things shall not overlap (test_cfg.tasks, or task= of the "
                'inferencer)'
            )

    def forward(self, feats: Sequence[Tensor], metas: Sequence[dict[str, Any]], categories: Categories) -> HeadOutputs:
        """Predicts masks and classes.

        Args:
            feats: Backbone maps ``[B, C_i, h_i, w_i]``, fine first.
            metas: Metainfo of the B images with ``batch_input_shape`` and ``img_shape``.
            categories: What the B * S samples may be classified as: every image in S label spaces, one after the other.

        Returns:
            The predictions of all layers for the B * S samples.
        """
        pixels = self.pixel_features(feats, metas)
        memory = [self._level(*level) for level in zip(pixels.memory, pixels.padding, strict=True)]

        def masks_of(hidden: Tensor) -> Tensor:
            return self.mask_embedding(self.adapters(hidden, categories.spaces), pixels.mask)

        hidden, mask_logits = self.decoder(*self.queries(categories.spaces), memory, categories, masks_of)
        return HeadOutputs(
            class_logits=self.classifier(self.adapters(hidden, categories.spaces), categories),
            mask_logits=mask_logits,
            valid=self.classifier.valid(categories),
            activation=self.class_activation,
        )

    def _level(self, features: Tensor, padding: Tensor) -> MemoryLevel:
        """Features ``[B, C, h, w]`` and padding ``[B, h, w]`` as queries read them."""
        position = self.memory_position(padding).to(features.dtype)  # [B, C, h, w]
        return MemoryLevel(
            value=features.flatten(2).transpose(1, 2),
            position=position.flatten(2).transpose(1, 2),
            padding=padding.flatten(1),
            size=(features.shape[-2], features.shape[-1]),
        )

    def targets(self, samples: Sequence[SegDataSample]) -> Targets:
        """The truth of equally padded samples, see :func:`read_targets`.

        Raises:
            DataError: Where things are to be found but a sample has no ``gt_panoptic_seg``.
            LabelSpaceError: Where a label is outside its sample's label space, or its dataset has other things.
        """
        spaces = [self.space_of(self.asked_space(sample.metainfo)) for sample in samples]
        for sample in samples:
            if 'gt_panoptic_seg' in sample:
                self.check_things(sample.metainfo)
        columns = [self.classifier.trained_columns(space) for space in spaces]
        return read_targets(samples, spaces, columns, self.ignore_index, self.things_only)

    def loss(
        self, feats: Sequence[Tensor], samples: Sequence[SegDataSample], train_cfg: Any = None
    ) -> dict[str, Tensor]:
        """mmseg's head interface: the losses of one batch of equally padded images."""
        metas = [sample.metainfo for sample in samples]
        targets = [self.targets(samples)]
        outputs = self(feats, self._padded(metas, samples), self.categories_to_learn(metas, targets))
        return self.criterion([outputs], targets)

    def predict(self, feats: Sequence[Tensor], metas: Sequence[dict[str, Any]], test_cfg: Any = None) -> Tensor:
        """mmseg's head interface: class probabilities ``[B, K_max, H, W]`` at the padded size.

        Here ``img_shape`` is taken for the padded size where nothing else is given, as mmseg's test pipelines mean it.

        Raises:
            OptionError: See :meth:`check_tasks`.
        """
        self.check_tasks(['semantic'])
        metas = [{'batch_input_shape': m.get('pad_shape', m['img_shape'])[:2], **m} for m in metas]
        outputs = self(feats, metas, self.categories([self.asked_space(m) for m in metas], self.num_classes))
        size = metas[0]['batch_input_shape']
        classes = class_probabilities(outputs.class_logits[-1], outputs.valid, outputs.activation)
        return semantic_probabilities(classes, outputs.mask_logits[-1], size)

    @staticmethod
    def _padded(metas: Sequence[dict[str, Any]], samples: Sequence[SegDataSample]) -> list[dict[str, Any]]:
        """Adds the padded shape where a stock preprocessor did not write it down."""
        size = tuple(samples[0].gt_sem_seg.data.shape[-2:])
        return [{'batch_input_shape': size, **meta} for meta in metas]

    @property
    def record(self) -> CheckpointRecord:
        """What a checkpoint tells of this model beside weights, but for the text source."""
        return CheckpointRecord(self.label_spaces, self.class_activation, self.things_only)

    def expect(self, saved: CheckpointRecord) -> None:
        """Makes the head ready to load the checkpoint of a record, or refuses one that means something else."""
        saved.check(self.record)
        if self.text is not None and saved.text is not None:
            self.text.expect(saved.text)

    def get_extra_state(self) -> Tensor:
        """The record, packed; part of the state dict."""
        return replace(self.record, text=None if self.text is None else self.text.source).pack()

    def set_extra_state(self, state: Tensor) -> None:
        """See :meth:`expect`; called before the parts of the head are loaded."""
        self.expect(CheckpointRecord.unpack(state))
