"""What every head knows of label spaces; how queries are decoded is said by its subclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import torch
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from ...checkpoint import CheckpointRecord
from ...class_texts import NAMES
from ...class_weights import ClassWeights
from ...errors import LabelSpaceError, OptionError
from ...federated import not_exhaustive_columns, searched_columns
from ...label_space import LabelSpace, LabelSpaces
from ...registry import MODELS
from ...relations import Relations
from ..criterion import read_targets
from ..decoders.joint_blocks import JointBlocks
from ..numerics import ClassActivation
from ..structures import Categories, HeadOutputs, Targets
from ..text.variation import drop_absent, present_classes
from .adapters import SpaceAdapters
from .classifiers import Classifier, TextClassifier
from .finer import sum_finer
from .mask_embedding import MaskEmbedding
from .presence_scores import PresenceScores

AskedSpace = str | LabelSpace
"""The name of one of the model's label spaces, or a space made of a free class list."""


class LabelSpaceHead(BaseModule):
    """What every head knows of label spaces: what samples ask for, as what they are classified, what they are trained
    to, and what a checkpoint tells of it. A subclass says how queries are decoded.

    Args:
        queries: Config of the query module, e.g. ``mmlmseg.SharedQueries``.
        decoder: Config of the decoder, e.g. ``mmlmseg.CategoryGuidedDecoder``.
        classifier: Config of the classifier, e.g. ``mmlmseg.TextClassifier``.
        criterion: Config of the criterion, e.g. ``mmlmseg.SetCriterion``.
        label_spaces: What :meth:`LabelSpaces.from_config` takes, one entry a space. A config that leaves it out gets
            those of its training datasets, see :func:`mmlmseg.config.complete_label_spaces`.
        text: Config of the text table; None for methods without text.
        channels: C, the width of queries, memory and text rows.
        mask_channels: Width of the per-pixel embeddings; ``channels`` by default.
        drop_absent: In training, the probability of a class that a sample does not show to be taken off its list.
        class_activation: What class logits mean, ``softmax`` or ``sigmoid``; see :func:`class_probabilities`.
        things_only: Instance segmentation: learn and find things only. Stuff is no class, its pixels are background.
        adapters: Configs of adapters of decoded queries, by the name of their label space, e.g.
            ``dict(ccp=dict(type='mmlmseg.SpaceAdapter'))``.
        class_weights: What single classes weigh in the classification loss, see :class:`ClassWeights`.
        relations: Between classes of different label spaces, see :meth:`Relations.from_config`: a class is as probable
            as itself and all that is declared to be the same or inside of it.
        presence: ``dict(top=16)`` tells which classes of a list are in the image before queries are decoded, so that a
            decoder that reads lists reads the likeliest so many names alone, see :class:`PresenceScores`.
        init_cfg: See mmengine's BaseModule.

    Attributes:
        takes_tokens: Whether it is for the tokens of a ``mmlmseg.JointViT``, instead of maps.

    Raises:
        LabelSpaceError: Without label spaces, or where ``things_only`` meets one without things.
        OptionError: On a decoder of the other kind of head, another ``class_activation``, ``drop_absent`` with a
            classifier of one list for all spaces, ``class_weights`` that fit no label space, or ``relations`` of a
            model that reads no text.
    """

    takes_tokens = False

    def __init__(
        self,
        queries: dict[str, Any],
        decoder: dict[str, Any],
        classifier: dict[str, Any],
        criterion: dict[str, Any],
        label_spaces: Sequence[Any] | None = None,
        text: dict[str, Any] | None = None,
        channels: int = 256,
        mask_channels: int | None = None,
        drop_absent: float = 0.0,
        class_activation: ClassActivation = 'softmax',
        things_only: bool = False,
        adapters: Mapping[str, dict[str, Any]] | None = None,
        class_weights: Mapping[str, Any] | None = None,
        relations: Any = None,
        presence: Mapping[str, Any] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if label_spaces is None:
            raise LabelSpaceError(
                'model.decode_head has no label_spaces, and a model alone does not know its datasets: call '
                'mmlmseg.config.complete_label_spaces(cfg) before it is built (tools/ and LMSegInferencer do), or list '
                'them in the config'
            )
        self.label_spaces = LabelSpaces.from_config(label_spaces)
        mask_channels = mask_channels or channels
        self.build_features(channels, mask_channels)
        per_space = dict(channels=channels, label_spaces=self.label_spaces)
        self.queries = MODELS.build({**queries, **per_space})
        self.decoder = MODELS.build({**decoder, 'channels': channels})
        if isinstance(self.decoder, JointBlocks) != self.takes_tokens:
            raise OptionError(
                f'decode_head.decoder = {type(self.decoder).__name__} does not go with {type(self).__name__}: '
                'mmlmseg.JointBlocks is that of mmlmseg.EncoderOnlyHead, all others are of mmlmseg.QueryHead'
            )
        self.adapters = SpaceAdapters(channels, self.label_spaces, adapters or {})
        self.mask_embedding = MaskEmbedding(channels, mask_channels)
        self.relations = Relations.from_config(relations)
        related = dict(relations=self.relations) if self.relations else {}
        self.text = MODELS.build({**text, **per_space, **related}) if text is not None else None
        self.classifier = MODELS.build({**classifier, **per_space})
        if self.relations and (self.text is None or not isinstance(self.classifier, TextClassifier)):
            raise OptionError(
                'decode_head.relations sums the probabilities of classes of several label spaces, which only a model '
                f'that reads class names has: not one with {type(self.classifier).__name__}; leave relations out'
            )
        if getattr(self.text, 'strangers', None) is not None and not isinstance(self.classifier, TextClassifier):
            raise OptionError(
                'text.strangers makes class lists longer than those of the label spaces, which only a classifier that '
                f'reads class names can tell apart: not {type(self.classifier).__name__}; leave strangers out'
            )
        self.presence = None if presence is None else self._presence(presence, channels)
        self.class_weights = ClassWeights(class_weights, self.label_spaces)
        self.criterion = MODELS.build(criterion)

        self.drop_absent = drop_absent
        if drop_absent and not self._has_lists:
            raise OptionError(f'drop_absent takes classes off lists, but {type(self.classifier).__name__} has one list')
        if class_activation not in get_args(ClassActivation):
            raise OptionError(f'class_activation must be "softmax" or "sigmoid", got {class_activation!r}')
        self.untrained: tuple[str, ...] = ()  # see CheckpointRecord; none from the first training step on
        self.trained_relations = self.relations  # of a loaded checkpoint, until the first training step
        self.class_activation = class_activation
        self.things_only = things_only
        if things_only:
            _thing_columns(self.label_spaces, self.label_spaces.max_classes)  # says at once which space has none

    def _presence(self, options: Mapping[str, Any], channels: int) -> PresenceScores:
        if self.takes_tokens or not isinstance(self.classifier, TextClassifier):
            what = type(self).__name__ if self.takes_tokens else type(self.classifier).__name__
            raise OptionError(
                'decode_head.presence compares class names with the features that queries read, which only a '
                f'mmlmseg.QueryHead with mmlmseg.TextClassifier has both of, not one with {what}; leave presence out'
            )
        return PresenceScores(channels, **options)

    def build_features(self, channels: int, mask_channels: int) -> None:
        """Builds what makes pixel features, the first part of a head; called once label spaces are known."""

    def forward(self, feats: Any, metas: Sequence[dict[str, Any]], categories: Categories) -> HeadOutputs:
        """Predicts masks and classes.

        Args:
            feats: What the backbone, or the neck, makes of B images.
            metas: Their metainfo.
            categories: What the B * S samples may be classified as: every image in S label spaces, one after the other.

        Returns:
            The predictions for the B * S samples: of all layers in training, of the last one in evaluation.
        """
        raise NotImplementedError

    def class_logits(self, queries: Tensor, categories: Categories) -> Tensor:
        """Of queries ``[L, B * S, N, C]``: ``[L, B * S, N, K + 1]``."""
        logits = self.classifier(queries, categories)
        if categories.finer is None:
            return logits
        finer = self.classifier.of_finer(queries, categories.finer)
        return sum_finer(logits, finer, categories.finer.members, self.class_activation)

    def asked_spaces(self, meta: Mapping[str, Any]) -> list[AskedSpace]:
        """The label spaces that a sample asks for: ``label_spaces`` of its metainfo; a model of one space needs none.

        Raises:
            LabelSpaceError: Where there are several spaces and the sample names none, or a class list of the user's own
                has the name of a space of this model, but is no renaming of its classes.
        """
        if 'label_spaces' not in meta:
            if len(self.label_spaces) == 1:
                return [self.label_spaces.names[0]]
            raise LabelSpaceError(
                f'{meta.get("img_path") or "a sample"} does not say its label space; set metainfo["label_spaces"] to a '
                f'tuple of names, of {", ".join(self.label_spaces.names)} (mmlmseg.MultiDataset does), or predict with '
                "mmlmseg.apis.LMSegInferencer(model)(image, label_space='...')"
            )
        for asked in meta['label_spaces']:
            if isinstance(asked, LabelSpace) and asked.name in self.label_spaces.names:
                own = self.label_spaces.get(asked.name)
                if asked.num_classes != own.num_classes:  # else its classes by other names, with its queries
                    raise LabelSpaceError(
                        f'{asked.name!r} is a label space of this model with {own.num_classes} classes, but the list '
                        f'that is asked for has {asked.num_classes}; give the list another name'
                    )
        return list(meta['label_spaces'])

    @property
    def num_classes(self) -> int:
        """Classes of the largest label space; mmseg asks for it."""
        return self.label_spaces.max_classes

    def space_of(self, asked: AskedSpace) -> LabelSpace:
        """The label space of a name; a space of the user's own is itself."""
        return self.label_spaces.get(asked) if isinstance(asked, str) else asked

    def categories(self, asked: Sequence[AskedSpace], width: int | None = None) -> Categories:
        """What samples may be classified as.

        Args:
            asked: The label space of each sample.
            width: K; by default the number of classes of the largest space asked for.

        Raises:
            LabelSpaceError: On an unknown name, a free class list where the model reads no text, or a space without
                things where the model finds things only.
        """
        spaces = [self.space_of(one) for one in asked]
        if self.text is not None:
            categories = self.text.categories(spaces, width)
        else:
            if not all(isinstance(one, str) for one in asked):
                raise LabelSpaceError(
                    'a free class list needs a model that reads class names: this head has no text table'
                )
            sizes = [space.num_classes for space in spaces]
            width = width or max(sizes)
            device = next(self.mask_embedding.parameters()).device
            columns = torch.arange(width + 1, device=device)
            valid = (columns < torch.tensor(sizes, device=device)[:, None]) | (columns == width)
            categories = Categories(spaces=tuple(space.name for space in spaces), valid=valid)
        if not self.things_only:
            return categories
        things = _thing_columns(spaces, categories.valid.shape[1] - 1)
        return categories.restricted(things.to(categories.valid.device))

    def categories_to_learn(self, samples: Sequence[SegDataSample], targets: Sequence[Targets]) -> Categories:
        """What samples are classified as in training: their spaces, less the classes that nobody looked for
        (:mod:`mmlmseg.federated`), and what ``drop_absent`` takes off their lists.

        Raises:
            OptionError: Where nobody looked for some classes, but the classifier has one list for all spaces.
        """
        categories = self.categories([self._trained_space(sample).name for sample in samples])
        searched = searched_columns([sample.metainfo for sample in samples], categories.valid.shape[1] - 1)
        if searched is not None:
            if not self._has_lists:
                raise OptionError(
                    f'{type(self.classifier).__name__} has one list for all images, but some of the training are '
                    'labelled for some classes only (neg_category_ids of their annotation file): train on such a '
                    'dataset with mmlmseg.TextClassifier or mmlmseg.LinearClassifier'
                )
            categories = categories.restricted(searched.to(categories.valid.device))
        if not self.drop_absent and self.presence is None:
            return categories
        present = present_classes(targets, categories.valid.shape[1] - 1)
        if self.presence is not None:
            categories = replace(categories, present=present)
        return drop_absent(categories, present, self.drop_absent) if self.drop_absent else categories

    def losses(
        self, outputs: Sequence[HeadOutputs], targets: Sequence[Targets], categories: Categories
    ) -> dict[str, Tensor]:
        """The losses of one step by name.

        Args:
            outputs: Predictions, one entry a size group.
            targets: The truth of the same groups.
            categories: What the samples of all groups were classified as.
        """
        losses: dict[str, Tensor] = self.criterion(outputs, targets)
        if self.presence is not None and categories.present is not None:
            logits = torch.cat([own.presence for own in outputs if own.presence is not None])
            losses['loss_presence'] = self.presence.loss(logits, categories.valid[:, :-1], categories.present)
        return losses

    @property
    def _has_lists(self) -> bool:
        """Whether each sample has a list of classes of its own, and not one that unites all spaces."""
        return type(self.classifier).valid is Classifier.valid

    def targets(self, samples: Sequence[SegDataSample]) -> Targets:
        """The truth of equally padded samples, each of one label space; see :func:`read_targets`."""
        spaces = [self._trained_space(sample) for sample in samples]
        columns = [self.classifier.trained_columns(space) for space in spaces]
        targets = read_targets(samples, spaces, columns, self.things_only)
        largest = max(space.num_classes for space in spaces)
        unmarked = not_exhaustive_columns([sample.metainfo for sample in samples], largest)
        if unmarked is not None:
            targets = replace(targets, unmarked=unmarked.to(targets.labels.device))
        if not self.class_weights:
            return targets
        rows = [self.class_weights.of_columns(*own) for own in zip(spaces, columns, strict=True)]
        width = max(map(len, rows))
        table = torch.tensor([row + [1.0] * (width - len(row)) for row in rows], device=targets.labels.device)
        return replace(targets, weights=table.gather(1, targets.labels))

    def check_tasks(self, tasks: Sequence[str]) -> None:
        """Refuses semantic results of a model that finds things only; ``tasks`` are those of ``test_cfg``."""
        if self.things_only and 'semantic' in tasks:
            raise OptionError(
                'a model with things_only=True has no class for the pixels of stuff, so it makes no semantic results; '
                "ask for 'instance', or for 'panoptic' where things shall not overlap (test_cfg.tasks, or task= of the "
                'inferencer)'
            )

    def _trained_space(self, sample: SegDataSample) -> LabelSpace:
        asked = self.asked_spaces(sample.metainfo)
        if len(asked) > 1:
            raise LabelSpaceError(
                f'{sample.metainfo.get("img_path", "a sample")} asks for {len(asked)} label spaces, but is trained in '
                'one: list each of them as a dataset of its own'
            )
        return self.space_of(asked[0])

    @property
    def record(self) -> CheckpointRecord:
        """What a checkpoint tells of this model beside weights, but for the text source."""
        adapters = tuple(self.adapters.position)
        return CheckpointRecord(
            self.label_spaces,
            self.class_activation,
            self.things_only,
            adapters,
            untrained=self.untrained,
            relations=self.relations,
            reading=NAMES if self.text is None else self.text.reading,
        )

    def expect(self, saved: CheckpointRecord) -> None:
        """Makes the head ready to load the checkpoint of a record, or refuses one that means something else."""
        saved.check(self.record)
        self.untrained = saved.untrained
        self.trained_relations = saved.relations
        if self.text is not None and saved.text is not None:
            self.text.expect(saved.text)

    def get_extra_state(self) -> Tensor:
        """The record, packed; part of the state dict."""
        return replace(self.record, text=None if self.text is None else self.text.source).pack()

    def set_extra_state(self, state: Tensor) -> None:
        """See :meth:`expect`; called before the parts of the head are loaded."""
        self.expect(CheckpointRecord.unpack(state))


def _thing_columns(spaces: Sequence[LabelSpace], width: int) -> Tensor:
    """Which columns of the class logits are things, bool ``[B, width]``, of a label space for each sample.

    A space without things is refused rather than skipped: its images would teach nothing, not even that they hold no
    thing of another space (Mask2Former, section 4.1: things are all there is to find).
    """
    for space in spaces:
        if not space.things:
            raise LabelSpaceError(
                f'label space {space.name!r} has no things, so a model with things_only=True has nothing to find in '
                'it; leave it out, or name its things: in classes.json, or things=[...] of its dataset'
            )
    return torch.tensor([[*space.is_thing, *[False] * (width - space.num_classes)] for space in spaces])
