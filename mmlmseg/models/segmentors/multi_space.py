"""The segmentor: runs backbone and head over groups of equally padded images."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import torch
from mmengine.logging import print_log
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...arguments import options_of
from ...checkpoint import CheckpointRecord, check_complete
from ...conversion import converted, layout_of
from ...errors import CheckpointError, LabelSpaceError, OptionError, written
from ...label_space import LabelSpace, LabelSpaces
from ...registry import MODELS
from ...relations import resolve
from ..backbones.folded_norm import fold_fixed_norms
from ..backbones.joint_vit import PatchTokens, check_joint
from ..backbones.stems import StemOptions, Stems, warn_of_made_stems
from ..numerics import Precision, class_probabilities, precision_context
from ..pretrained import load_pretrained
from ..structures import Categories, HeadOutputs, Prediction
from .result_options import ResultOptions
from .results import grouped, predict_groups
from .stock import AwaitedHead, StockInference
from .whole_cells import fit_padding

_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


@MODELS.register_module()
class MultiSpaceSegmentor(StockInference, BaseSegmentor):
    """Any backbone under a query head, on batches that mix image sizes and label spaces.

    Expects the output of :class:`GroupingDataPreProcessor`: a list of image tensors, one a size, and the samples in the
    same order. A single tensor is one group.

    Args:
        backbone: Config of any backbone that returns maps, fine first.
        decode_head: Config of the head, see :class:`QueryHead`. Without ``label_spaces`` it is built when a checkpoint
            is loaded, which knows them.
        neck: Config of what stands between them, e.g. a feature pyramid on a plain vision transformer.
        train_cfg: OpenMMLab configs hold it; nothing of ours stands there, so it has to be empty.
        test_cfg: ``tasks`` lists the results to make: ``semantic`` (the default), ``panoptic``, ``instance``.
            ``panoptic`` holds the :class:`PanopticThresholds`, and under ``per_space`` those of single label spaces by
            name. ``mixed`` says what becomes of duplicates where a sample asks for several label spaces, see
            :class:`ResultOptions`; ``instance=dict(max_per_image=100)`` how many instances there are at most.
            ``tiles=dict(size=(1024, 1024), overlap=128)`` reads larger images in tiles, see :class:`Tiles`.
            ``keep_probabilities=True`` keeps ``seg_logits`` (class probabilities), which test-time augmentation needs.
        data_preprocessor: Config of the preprocessor.
        stems: ``dict(bands=[3, 4])`` gives the backbone a first convolution for images of each number of bands, and
            shares all else; see :class:`~mmlmseg.models.backbones.stems.StemOptions`. Where datasets declare their
            images, the tools and the inferencer write it, see :func:`mmlmseg.band_counts.complete_bands`.
        pretrained: None; mmseg's ``init_model`` writes it into every config.
        precision: What convolutions and matrix products run in, in training and in prediction: ``float32``,
            ``bfloat16``, or ``auto``: bfloat16 where the machine has it. An autocast around the model goes first.
        init_cfg: See mmengine's BaseModule.

    Attributes:
        size_divisor: What height and width of images and tiles are multiples of, so that the maps of the backbone fill
            them. The preprocessor pads to it, unless its config gives a multiple of its own.

    Raises:
        LabelSpaceError: Where thresholds name an unknown label space.
        OptionError: On semantic results of a model that finds things only, and on a ``size_divisor`` of the
            preprocessor that the maps of the backbone do not fill.
        OptionError: On parts of which some are for maps, others for the tokens of a ``mmlmseg.JointViT``.
        OptionError: On an unknown task or key, or where a SyncBN would be trained: ranks whose batches fall into
            different numbers of groups would wait for each other for ever.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        decode_head: dict[str, Any],
        neck: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        stems: dict[str, Any] | None = None,
        pretrained: None = None,
        precision: Precision = 'float32',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if train_cfg:
            raise OptionError(
                f'model.train_cfg = {dict(train_cfg)} is not obeyed: leave it out; matching, losses and points are '
                'options of model.decode_head.criterion'
            )
        if precision not in get_args(Precision):
            raise OptionError(f'precision must be one of {", ".join(get_args(Precision))}, got {precision!r}')
        if pretrained is not None:
            raise OptionError(
                f'model.pretrained = {pretrained!r}: name the weights where they belong, backbone=dict(init_cfg='
                f"dict(type='Pretrained', checkpoint={pretrained!r}))"
            )
        self.precision: Precision = precision
        self.backbone = MODELS.build(backbone)
        fold_fixed_norms(self.backbone)
        self._stems = None if stems is None else Stems(self.backbone, options_of(StemOptions, stems, 'model.stems'))
        self.neck = None if neck is None else MODELS.build(neck)
        self.size_divisor = fit_padding(self.data_preprocessor, self.backbone, self.neck)
        self.test_cfg = test_cfg or {}
        self.align_corners = False
        if decode_head.get('label_spaces') is None:
            self.decode_head: Any = AwaitedHead(decode_head)
        else:
            self._build_head(decode_head)
        self._register_load_state_dict_pre_hook(self._check_checkpoint)
        self.train()
        for name, module in self.named_modules():
            if 'Sync' in type(module).__name__ and isinstance(module, _BATCH_NORMS) and module.training:
                raise OptionError(
                    f'{name} is a trainable SyncBN, which hangs when ranks hold different numbers of image sizes; use '
                    "norm_eval=True, GroupNorm, or norm_cfg=dict(type='BN') with one crop size for all datasets"
                )

    def init_weights(self) -> None:
        """Initialises all parts; those with an ``init_cfg`` of type ``Pretrained`` start from its file.

        Raises:
            CheckpointError: Where such a file is missing, or nothing of it fits.
        """
        load_pretrained(self, super().init_weights)
        if self._stems is not None:
            self._stems.restart()

    def _build_head(self, config: dict[str, Any]) -> None:
        self.decode_head = MODELS.build(config)
        check_joint(self.backbone, self.neck, getattr(self.decode_head, 'takes_tokens', False))
        self.num_classes = self.out_channels = self.label_spaces.max_classes
        _ = self.options  # says at once what is wrong with test_cfg

    def _check_checkpoint(self, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        if not prefix and not isinstance(self.decode_head, AwaitedHead):
            self._convert(state_dict)
        record = CheckpointRecord.of(state_dict)
        if isinstance(self.decode_head, AwaitedHead):
            device = self._device
            self._build_head(self.decode_head._with(record.label_spaces))
            self.decode_head.to(device).train(self.training)
        self.decode_head.expect(record)
        warn_of_made_stems(self.complete_stems(state_dict, prefix))
        check_complete(self, state_dict, prefix)

    def complete_stems(self, state_dict: dict[str, Any], prefix: str = '') -> list[str]:
        """Adds stems that the state dict of a trained model lacks, made of those that it has; returns their names."""
        return [] if self._stems is None else self._stems.complete(state_dict, f'{prefix}backbone.')

    def _convert(self, state_dict: dict[str, Any]) -> None:
        """Puts weights of this model in place of those of a published MaskFormer or Mask2Former."""
        inner = state_dict.get('model')  # as detectron2 saves them
        foreign = dict(inner) if isinstance(inner, Mapping) else dict(state_dict)
        if layout_of(foreign) is None:
            return
        conversion = converted(foreign, self)
        state_dict.clear()
        state_dict.update(conversion.state_dict)
        print_log(conversion.report(), 'current', logging.WARNING)

    @property
    def label_spaces(self) -> LabelSpaces:
        """The label spaces that the model was trained on."""
        spaces: LabelSpaces = self.decode_head.label_spaces
        return spaces

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def options(self) -> ResultOptions:
        """What ``test_cfg`` says; read anew for each batch, as test-time augmentation changes it."""
        options = ResultOptions.from_config(self.test_cfg, self.decode_head.label_spaces, self.size_divisor)
        self.decode_head.check_tasks(options.tasks)
        if options.relations is None and self.decode_head.relations:
            options = replace(options, relations=resolve(self.decode_head.relations, tuple(self.label_spaces)))
        if options.mixed.similarity is not None and self.decode_head.text is None:
            raise OptionError('test_cfg.mixed.similarity compares text rows, but the model reads no text; leave it out')
        return options

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor] | PatchTokens:
        """``[B, bands, H, W]`` to the maps of the backbone, or of the neck where there is one, fine first."""
        return self._behind_encoder(inputs, self.backbone(inputs))

    def _behind_encoder(self, inputs: Tensor, maps: Any) -> Sequence[Tensor] | PatchTokens:
        maps = maps if self.neck is None else self.neck(maps)
        inspected = not torch.compiler.is_compiling() and not torch.jit.is_tracing()
        if inspected and not isinstance(maps, PatchTokens):
            _warn_of_stretched_maps(inputs, maps)
        return maps

    def encode_decode(self, inputs: Tensor, batch_data_samples: Sequence[SegDataSample]) -> HeadOutputs:
        """Predicts one group, whose samples ask for equally many label spaces; mmseg's name for it."""
        metas = [sample.metainfo for sample in batch_data_samples]
        asked = [self.decode_head.asked_spaces(meta) for meta in metas]
        if len(numbers := {len(own) for own in asked}) > 1:
            raise LabelSpaceError(
                f'the images of a group ask for {sorted(numbers)} label spaces, which do not go through the model side '
                'by side; use predict, which tells them apart, or ask for equally many'
            )
        categories = self.decode_head.categories([space for own in asked for space in own])
        return self.decode_head(self.extract_feat(inputs), metas, categories)

    def loss(self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """The losses of one step.

        The text rows are made once for all groups, and one criterion call sees all groups, so that the normalisers are
        those of the whole batch.

        Args:
            inputs: ``[B_g, bands_g, H_g, W_g]`` for each group g.
            data_samples: With ``gt_sem_seg``, in the order of the groups.

        Raises:
            OptionError: Where batch normalisation would see groups, so that its numbers depended on the grouping.
        """
        head = self.decode_head
        head.untrained, head.trained_relations = (), head.relations
        groups = grouped(inputs, data_samples)
        if len(groups) > 1:
            self._refuse_batch_norm(groups)
        targets = [head.targets(samples) for _, samples in groups]
        with precision_context(self.precision, self._device):
            categories = head.categories_to_learn(data_samples, targets)
            of_groups = categories.split([len(samples) for _, samples in groups])
            outputs = [
                head(self.extract_feat(images), [sample.metainfo for sample in samples], own)
                for (images, samples), own in zip(groups, of_groups, strict=True)
            ]
            return head.losses(outputs, targets, categories)

    @torch.no_grad()
    def predict(self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample]) -> list[SegDataSample]:
        """Segments each image in the label spaces that its sample asks for.

        Args:
            inputs: ``[B_g, 3, H_g, W_g]`` for each group g.
            data_samples: In the order of the groups; ``metainfo['label_spaces']`` holds names of spaces of the model,
                or a :class:`LabelSpace` made of a free class list.

        Returns:
            The samples in the order they came in, with the results of the tasks at the original size: ``pred_sem_seg``
            ``[1, H, W]``, class ids; ``pred_segments``, disjoint segments, or masks that may overlap where a sample
            asks for several label spaces; ``pred_instances``. See :mod:`mmlmseg.segments`.
        """
        with self.answering():
            return predict_groups(self, inputs, data_samples)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What every prediction runs in: the precision of the model, which is one that was trained."""
        if missing := self.decode_head.untrained:
            raise CheckpointError(
                f'{len(missing)} tensors of the model ({", ".join(missing[:2])}, ...) came from no checkpoint: the '
                'published one had none of that kind, so it is where a training starts (load_from); train first'
            )
        if (trained := self.decode_head.trained_relations) != self.decode_head.relations:
            raise CheckpointError(
                'the checkpoint was trained with other relations between classes than decode_head.relations declares, '
                f'so class scores would be wrong: {written(trained.to_dict())} there, '
                f'{written(self.decode_head.relations.to_dict())} here. Declare those, or train further with yours; '
                'test_cfg.mixed.relations tells only what becomes of segments of several label spaces'
            )
        with precision_context(self.precision, self._device):
            yield

    def predictions(
        self, images: Tensor, metas: Sequence[dict[str, Any]], encoded: Sequence[Tensor] | None = None
    ) -> list[list[Prediction]]:
        """What the model says of each image of a group ``[B, bands, H, W]``, in each label space that it is asked for.

        ``encoded`` are the maps of the backbone ``[B, C_i, h_i, w_i]``, where somebody has them already.
        """
        asked = [self.decode_head.asked_spaces(meta) for meta in metas]
        found: list[list[Prediction]] = [[] for _ in metas]
        for number in sorted({len(own) for own in asked}):  # those that ask for equally many go side by side
            members = [i for i, own in enumerate(asked) if len(own) == number]
            spaces = [space for i in members for space in asked[i]]
            categories = self.decode_head.categories(spaces)
            if encoded is None:
                feats = self.extract_feat(images[members])
            else:
                feats = self._behind_encoder(images[members], [level[members] for level in encoded])
            outputs = self.decode_head(feats, [metas[i] for i in members], categories)
            said = [
                _prediction(outputs, categories, b, self.decode_head.space_of(space)) for b, space in enumerate(spaces)
            ]
            for place, i in enumerate(members):
                found[i] = said[place * number : (place + 1) * number]
        return found

    def _forward(self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample]) -> list[HeadOutputs]:
        """The raw predictions, one entry a group."""
        return [self.encode_decode(images, samples) for images, samples in grouped(inputs, data_samples)]

    def _refuse_batch_norm(self, groups: list[tuple[Tensor, list[SegDataSample]]]) -> None:
        for name, module in self.named_modules():
            if isinstance(module, _BATCH_NORMS) and module.training:
                sizes = ', '.join(f'{i.shape[-2]}x{i.shape[-1]}' for i, _ in groups)
                bands = sorted({len(i[0]) for i, _ in groups})
                unlike, way_out = f'sizes ({sizes})', 'Pad every dataset to one crop size'
                if len(bands) > 1:
                    unlike = f'numbers of bands ({", ".join(map(str, bands))})'
                    way_out = "Draw one dataset a step (sampler=dict(type='mmlmseg.SameDatasetSampler'))"
                raise OptionError(
                    f'{name} is a trainable batch norm, but the batch holds images of different {unlike}, so '
                    f'its statistics would depend on the grouping. {way_out}, or use '
                    'norm_eval=True, FrozenBN or GroupNorm'
                )


def _prediction(outputs: HeadOutputs, categories: Categories, b: int, space: LabelSpace) -> Prediction:
    """What is said of one sample, without the columns of larger spaces."""
    columns = [*range(space.num_classes), -1]
    return Prediction(
        class_probabilities(outputs.class_logits[-1, b][:, columns], outputs.valid[b, columns], outputs.activation),
        outputs.mask_logits[-1, b],
        space,
        None if categories.rows is None else categories.rows[b, : space.num_classes],
    )


def _warn_of_stretched_maps(inputs: Tensor, maps: Sequence[Tensor]) -> None:
    """Warns of maps whose cells do not fill the images ``[B, 3, H, W]``: masks would be stretched, and so shifted.

    Cells of half pixels are whole: a pyramid over patches of 14 pixels has some of 3.5.
    """
    height, width = inputs.shape[-2:]
    for one in maps:
        rows, columns = one.shape[-2:]
        if 2 * height % rows or 2 * width % columns or height * columns != width * rows:
            warnings.warn(
                f'a map of the backbone has {rows}x{columns} cells for a padded image of {height}x{width}, which is no '
                'whole stride: what it sees is said of other pixels. Set model.data_preprocessor.size_divisor to a '
                'multiple of its stride, such as 14 for a vision transformer with patches of 14',
                stacklevel=2,
            )
