"""The segmentor: runs backbone and head over groups of equally padded images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...registry import MODELS
from ..loading import check_complete, check_label_spaces
from ..structures import Categories, HeadOutputs
from .results import Prediction, ResultOptions, add_mixed, add_results

_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


@MODELS.register_module()
class MultiSpaceSegmentor(BaseSegmentor):
    """Any backbone under a query head, on batches that mix image sizes and label spaces.

    Expects the output of :class:`GroupingDataPreProcessor`: a list of image tensors, one a size, and the samples in the
    same order. A single tensor is one group.

    Args:
        backbone: Config of any backbone that returns maps, fine first.
        decode_head: Config of the head, see :class:`QueryHead`.
        train_cfg: Unused; OpenMMLab configs hold it.
        test_cfg: ``tasks`` lists the results to make: ``semantic`` (the default), ``panoptic``, ``instance``.
            ``panoptic`` holds the :class:`PanopticThresholds`, and under ``per_space`` those of single label spaces by
            name. ``mixed`` says what becomes of duplicates where a sample asks for several label spaces, see
            :class:`ResultOptions`. ``keep_probabilities=True`` keeps ``seg_logits`` (class probabilities), as test-time
            augmentation needs them.
        data_preprocessor: Config of the preprocessor.
        init_cfg: See mmengine's BaseModule.

    Raises:
        LabelSpaceError: Where thresholds name an unknown label space.
        ValueError: On an unknown task, or where a SyncBN would be trained: ranks whose batches fall into different
            numbers of groups would wait for each other for ever.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        decode_head: dict[str, Any],
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.decode_head = MODELS.build(decode_head)
        self.train_cfg = train_cfg or {}
        self.test_cfg = test_cfg or {}
        self.num_classes = self.out_channels = self.decode_head.out_channels
        self.align_corners = self.decode_head.align_corners
        _ = self.options  # says at once what is wrong with test_cfg
        self._register_load_state_dict_pre_hook(self._check_checkpoint)
        self.train()
        for name, module in self.named_modules():
            if 'Sync' in type(module).__name__ and isinstance(module, _BATCH_NORMS) and module.training:
                raise ValueError(
                    f'{name} is a trainable SyncBN, which hangs when ranks hold different numbers of image sizes; use '
                    "norm_eval=True, GroupNorm, or norm_cfg=dict(type='BN') with one crop size for all datasets"
                )

    def _check_checkpoint(self, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        check_label_spaces(self.decode_head.label_spaces, state_dict, f'{prefix}decode_head.')
        if self.decode_head.text is not None:  # without its bank, the table only learns its width here
            self.decode_head.text.prepare_for(state_dict, f'{prefix}decode_head.text.')
        check_complete(self, state_dict, prefix)

    @property
    def options(self) -> ResultOptions:
        """What ``test_cfg`` says; read anew for each batch, as test-time augmentation changes it."""
        return ResultOptions.from_config(self.test_cfg, self.decode_head.label_spaces)

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """``[B, 3, H, W]`` to the backbone's maps, fine first."""
        return self.backbone(inputs)

    def encode_decode(self, inputs: Tensor, batch_data_samples: Sequence[SegDataSample]) -> HeadOutputs:
        """Predicts one group, in every label space that its samples ask for; mmseg's name for it."""
        return self._encode_decode(inputs, batch_data_samples)[0]

    def _encode_decode(self, inputs: Tensor, samples: Sequence[SegDataSample]) -> tuple[HeadOutputs, Categories]:
        metas = [sample.metainfo for sample in samples]
        categories = self.decode_head.categories([asked for m in metas for asked in self.decode_head.asked_spaces(m)])
        return self.decode_head(self.extract_feat(inputs), metas, categories), categories

    def loss(self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """The losses of one step.

        The text rows are made once for all groups, and one criterion call sees all groups, so that the normalisers are
        those of the whole batch.

        Args:
            inputs: ``[B_g, 3, H_g, W_g]`` for each group g.
            data_samples: With ``gt_sem_seg``, in the order of the groups.

        Raises:
            ValueError: Where batch normalisation would see groups, so that its numbers depended on the grouping.
        """
        head = self.decode_head
        groups = _groups(inputs, data_samples)
        if len(groups) > 1:
            self._refuse_batch_norm(groups)
        targets = [head.targets(samples) for _, samples in groups]
        categories = head.categories_to_learn([sample.metainfo for sample in data_samples], targets)
        outputs = []
        first = 0
        for images, samples in groups:
            own = _of_samples(categories, slice(first, first + len(samples)))
            outputs.append(head(self.extract_feat(images), [sample.metainfo for sample in samples], own))
            first += len(samples)
        return head.criterion(outputs, targets)

    @torch.no_grad()
    def predict(self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample]) -> list[SegDataSample]:
        """Segments each image in the label space that its sample asks for.

        Args:
            inputs: ``[B_g, 3, H_g, W_g]`` for each group g.
            data_samples: In the order of the groups; ``metainfo['label_space']`` is the name of a space, or a
                :class:`LabelSpace` made of a free class list.

        Returns:
            The samples in the order they came in, with the results of the tasks at the original size: ``pred_sem_seg``
            ``[1, H, W]``, class ids; ``pred_panoptic_seg`` ``[1, H, W]``, int32 segment ids from 1, 0 is void, with the
            lists ``labels`` and ``scores`` of the segments; ``pred_instances`` with ``masks``, ``labels`` and
            ``scores``. A sample whose metainfo asks for several ``label_spaces`` gets ``pred_masks`` instead: see
            :class:`MixedSegments`; its metainfo ``classes`` are written ``SPACE:CLASS``.
        """
        options = self.options
        done = []
        for images, samples in _groups(inputs, data_samples):
            size = (images.shape[-2], images.shape[-1])
            numbers = [len(self.decode_head.asked_spaces(sample.metainfo)) for sample in samples]
            for number in sorted(set(numbers)):
                members = [i for i, own in enumerate(numbers) if own == number]
                found = self._encode_decode(images[members], [samples[i] for i in members])
                for place, i in enumerate(members):
                    self._add_results(samples[i], self._predictions(*found, place, samples[i]), size, options)
            done += samples
        return sorted(done, key=lambda sample: sample.metainfo.get('batch_index', 0))

    def _predictions(
        self, outputs: HeadOutputs, categories: Categories, image: int, sample: SegDataSample
    ) -> list[Prediction]:
        """What is said of an image in each space that its sample asks for, without the columns of larger spaces."""
        spaces = [self.decode_head.space_of(asked) for asked in self.decode_head.asked_spaces(sample.metainfo)]
        found = []
        for b, space in enumerate(spaces, image * len(spaces)):
            columns = [*range(space.num_classes), -1]
            found.append(
                Prediction(
                    outputs.class_logits[-1, b][:, columns],
                    outputs.valid[b, columns],
                    outputs.mask_logits[-1, b],
                    space,
                    None if categories.rows is None else categories.rows[b, : space.num_classes],
                )
            )
        return found

    def _add_results(
        self, sample: SegDataSample, found: list[Prediction], size: tuple[int, int], options: ResultOptions
    ) -> None:
        if 'label_spaces' in sample.metainfo:
            add_mixed(sample, found, size, options)
            return
        if options.tasks != ('semantic',):
            self.decode_head.check_things(sample.metainfo)
        add_results(sample, found[0], size, options)

    def _forward(self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample]) -> list[HeadOutputs]:
        """The raw predictions, one entry a group."""
        return [self.encode_decode(images, samples) for images, samples in _groups(inputs, data_samples)]

    def _refuse_batch_norm(self, groups: list[tuple[Tensor, list[SegDataSample]]]) -> None:
        for name, module in self.named_modules():
            if isinstance(module, _BATCH_NORMS) and module.training:
                sizes = ', '.join(f'{i.shape[-2]}x{i.shape[-1]}' for i, _ in groups)
                raise ValueError(
                    f'{name} is a trainable batch norm, but the batch holds images of different sizes ({sizes}), so '
                    'its statistics would depend on the grouping. Pad every dataset to one crop size, or use '
                    'norm_eval=True, FrozenBN or GroupNorm'
                )


def _groups(inputs: list[Tensor] | Tensor, samples: list[SegDataSample]) -> list[tuple[Tensor, list[SegDataSample]]]:
    """Pairs each tensor of equally padded images with its samples."""
    rest = iter(samples)
    images = [inputs] if isinstance(inputs, Tensor) else inputs
    return [(group, [next(rest) for _ in range(len(group))]) for group in images]


def _of_samples(categories: Categories, which: slice) -> Categories:
    rows = None if categories.rows is None else categories.rows[which]
    return Categories(categories.spaces[which], categories.valid[which], rows)
