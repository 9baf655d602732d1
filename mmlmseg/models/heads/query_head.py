"""The one head of all methods: queries, decoder, classifier and criterion are handed to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.layers import SinePositionalEncoding
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from ...errors import LabelSpaceError
from ...label_space import LabelSpace, LabelSpaces
from ...registry import MODELS
from ..criterion import segment_targets, unite_segments
from ..loading import EXTRA_STATE, check_label_spaces, difference
from ..packing import pack
from ..pixel_features import MaskEmbedding, PixelFeatureExtractor
from ..postprocess import semantic_probabilities
from ..structures import Categories, HeadOutputs, MemoryLevel, Targets
from ..text.variation import drop_absent, present_classes

AskedSpace = str | LabelSpace


@MODELS.register_module()
class QueryHead(BaseModule):
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
        init_cfg: See mmengine's BaseModule.
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
        self.mask_embedding = MaskEmbedding(channels, mask_channels)
        self.text = MODELS.build({**text, **per_space}) if text is not None else None
        self.classifier = MODELS.build({**classifier, **per_space})
        self.drop_absent = drop_absent
        self.criterion = MODELS.build(criterion)

    def categories(self, spaces: Sequence[AskedSpace], width: int | None = None) -> Categories:
        """What samples may be classified as.

        Args:
            spaces: The label space of each sample: a name, or a space made of a free class list.
            width: K; by default the number of classes of the largest space asked for.

        Raises:
            LabelSpaceError: On an unknown name, or a free class list where the model reads no text.
        """
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
        categories = self.categories([self.asked_space(meta) for meta in metas])
        if not self.drop_absent:
            return categories
        return drop_absent(categories, present_classes(targets, categories.valid.shape[1] - 1), self.drop_absent)

    def space_of(self, asked: AskedSpace) -> LabelSpace:
        """The label space of a name; a space of the user's own is itself.

        Raises:
            LabelSpaceError: On an unknown name.
        """
        return self.label_spaces.get(asked) if isinstance(asked, str) else asked

    def check_things(self, meta: dict[str, Any]) -> None:
        """Makes sure that the dataset of a sample has the things of this model.

        Raises:
            LabelSpaceError: Where it has others.
        """
        space = self.space_of(self.asked_space(meta))
        theirs = tuple(meta.get('is_thing', space.is_thing))
        if theirs != space.is_thing:
            named = ', '.join(name for name, thing in zip(space.classes, theirs, strict=True) if thing) or 'none'
            raise LabelSpaceError(
                f'label space {space.name!r}: the things of its dataset are {named}; those of the model '
                f'{", ".join(space.things) or "none"}; name the same in both, as in dict(path=..., things=[...]) of '
                'label_spaces'
            )

    def asked_spaces(self, meta: dict[str, Any]) -> list[AskedSpace]:
        """All label spaces that a sample asks for: the list ``label_spaces`` of its metainfo, else one."""
        return list(meta['label_spaces']) if 'label_spaces' in meta else [self.asked_space(meta)]

    def asked_space(self, meta: dict[str, Any]) -> AskedSpace:
        """The label space that a sample's metainfo names; a model of one space needs no name.

        Raises:
            LabelSpaceError: Where there are several spaces and the sample names none, or where its dataset means other
                classes by the name than this model.
        """
        if 'label_space' in meta:
            asked = meta['label_space']
            if isinstance(asked, str) and 'classes' in meta:
                what = difference(meta['classes'], self.label_spaces.get(asked).classes)
                if what:
                    raise LabelSpaceError(
                        f'{meta.get("img_path", "a sample")}: by label space {asked!r} its dataset means other classes '
                        f'than the model ({what}); build both from the same classes.json or dataset type'
                    )
            return asked
        if len(self.label_spaces) == 1:
            return self.label_spaces.names[0]
        raise LabelSpaceError(
            f'{meta.get("img_path", "a sample")} does not say its label space; set metainfo["label_space"] to one of '
            f'{", ".join(self.label_spaces.names)} (mmlmseg.MultiDataset does)'
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
        hidden, mask_logits = self.decoder(
            *self.queries(categories.spaces), memory, categories, lambda h: self.mask_embedding(h, pixels.mask)
        )
        return HeadOutputs(
            class_logits=self.classifier(hidden, categories),
            mask_logits=mask_logits,
            valid=self.classifier.valid(categories),
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
        """The truth of equally padded samples: the segments of ``gt_panoptic_seg`` where a sample has it, else every
        class of ``gt_sem_seg`` as one segment.

        Raises:
            LabelSpaceError: Where a label is outside its sample's label space.
        """
        maps, united, columns = zip(*(self._segments(sample) for sample in samples), strict=True)
        segments = torch.stack(maps)  # [B, H, W]
        for sample, largest, ids in zip(samples, segments.amax((1, 2)).tolist(), united, strict=True):
            if largest >= len(ids):
                space = self.space_of(self.asked_space(sample.metainfo))
                raise LabelSpaceError(
                    f'{sample.metainfo.get("img_path", "a sample")}: label {largest - 1} is outside label space '
                    f'{space.name!r} of {space.num_classes} classes; check the labels of the dataset against its class '
                    'list, and reduce_zero_label'
                )
        if any(ids != list(range(len(ids))) for ids in united):
            segments = torch.stack([segments.new_tensor(ids)[own] for ids, own in zip(united, maps, strict=True)])
        width = max(map(len, columns))
        labels = segments.new_tensor([[0, *own, *[0] * (width - len(own))] for own in columns])
        return segment_targets(segments, labels)

    def _segments(self, sample: SegDataSample) -> tuple[Tensor, list[int], list[int]]:
        """Segment ids of a sample (long [H, W], 0 is void), what each id, with 0, becomes once segments of one class
        are united, and the column that each united segment is trained to."""
        space = self.space_of(self.asked_space(sample.metainfo))
        columns = self.classifier.trained_columns(space)
        if 'gt_panoptic_seg' in sample:
            truth = sample.gt_panoptic_seg
            segments = truth.data[0].long()
            trained = [None if crowd else columns[c] for c, crowd in zip(truth.labels, truth.crowd, strict=True)]
            self.check_things(sample.metainfo)
            separate = [space.is_thing[c] for c in truth.labels]
        else:
            seg = sample.gt_sem_seg.data[0].long()
            segments = torch.where(seg != self.ignore_index, seg + 1, 0)
            trained, separate = list(columns), [False] * len(columns)
        ids, classes = unite_segments(trained, separate)
        return segments, [0, *ids], classes

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
        """
        metas = [{'batch_input_shape': m.get('pad_shape', m['img_shape'])[:2], **m} for m in metas]
        outputs = self(feats, metas, self.categories([self.asked_space(m) for m in metas], self.num_classes))
        size = metas[0]['batch_input_shape']
        return semantic_probabilities(outputs.class_logits[-1], outputs.valid, outputs.mask_logits[-1], size)

    @staticmethod
    def _padded(metas: Sequence[dict[str, Any]], samples: Sequence[SegDataSample]) -> list[dict[str, Any]]:
        """Adds the padded shape where a stock preprocessor did not write it down."""
        size = tuple(samples[0].gt_sem_seg.data.shape[-2:])
        return [{'batch_input_shape': size, **meta} for meta in metas]

    def get_extra_state(self) -> Tensor:
        """A checkpoint knows its label spaces."""
        return pack({'label_spaces': self.label_spaces.to_list()})

    def set_extra_state(self, state: Tensor) -> None:
        """Refuses the label spaces of another model.

        Raises:
            CheckpointError: Where they differ.
        """
        check_label_spaces(self.label_spaces, {EXTRA_STATE: state}, '')
