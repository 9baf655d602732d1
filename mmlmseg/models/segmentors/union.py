"""Several segmentors as one: each answers in the label spaces that it knows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from mmengine.model import BaseModel
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...errors import CheckpointError, LabelSpaceError, OptionError
from ...label_space import LabelSpaces
from ...registry import MODELS
from ..structures import Prediction
from .multi_space import MultiSpaceSegmentor
from .result_options import ResultOptions
from .results import predict_groups


@MODELS.register_module()
class SegmentorUnion(BaseModel):
    """Trained models of different label spaces, put together for inference.

    What a sample asks is passed on to the members that know it; results in several label spaces are made from the
    answers of all, as one model makes them from its own, with one difference: duplicates are those of equal names,
    whatever ``test_cfg.mixed.similarity`` says. Parameters are called ``members.0.*`` and so on.

    Args:
        members: Configs of :class:`MultiSpaceSegmentor`. Their ``test_cfg`` does not count.
        test_cfg: Which results, see :class:`MultiSpaceSegmentor`.
        data_preprocessor: Config of the preprocessor for all members.
        shared_encoder: Whether all members have one frozen backbone, which then sees each image once. A member that is
            added changes no answer of the others, as nothing of theirs is trained or computed anew (PMT's use of a
            frozen encoder; ``tools/join_models.py`` puts trained heads together).
        init_cfg: See mmengine's BaseModule.

    Attributes:
        size_divisor: What height and width of images and tiles are multiples of, so that the maps of every member fill
            them. The preprocessor pads to it, unless its config gives a multiple of its own.

    Raises:
        CheckpointError: As weights are loaded, where the encoder to be shared is another in one of the members.
        LabelSpaceError: Where two members know a label space of one name, or thresholds name one that none knows.
        OptionError: Where a member has another preprocessor. Where members shall share an encoder, but are built with
            different ones, or it is not frozen.
    """

    def __init__(
        self,
        members: Sequence[Mapping[str, Any]],
        test_cfg: Mapping[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        shared_encoder: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        for i, member in enumerate(members):
            if member.get('data_preprocessor', data_preprocessor) != data_preprocessor:
                raise OptionError(
                    f'member {i} of the union has a data_preprocessor of its own, {dict(member["data_preprocessor"])}; '
                    f'all must have that of the union, {dict(data_preprocessor or {})}, as all see the same images'
                )
        self.members = nn.ModuleList(MODELS.build(member) for member in members)
        spaces = [(space, i) for i, member in enumerate(self._models) for space in member.label_spaces]
        self._place = {space.name: i for space, i in spaces}
        for space, i in spaces:
            if (other := self._place[space.name]) != i:
                raise LabelSpaceError(
                    f'label space {space.name!r} is known to two members of the union, {i} and {other}; it must be one'
                )
        self.label_spaces = LabelSpaces([space for space, _ in spaces])
        self.size_divisor = math.lcm(*(member.size_divisor for member in self._models))
        self._fit_padding()
        self.encoder_is_shared = shared_encoder
        if shared_encoder:
            self._share_encoder(members)
        self.test_cfg = test_cfg or {}
        _ = self.options  # says at once what is wrong with test_cfg

    def _fit_padding(self) -> None:
        """Lets images be padded to what the maps of all members fill, unless the config says to what."""
        preprocessor: Any = self.data_preprocessor
        if not getattr(preprocessor, 'divisor_is_given', True):
            preprocessor.size_divisor = self.size_divisor

    def _share_encoder(self, configs: Sequence[Mapping[str, Any]]) -> None:
        first, *others = self._models
        for i, config in enumerate(configs):
            if dict(config['backbone']) != dict(configs[0]['backbone']):
                raise OptionError(
                    f'shared_encoder: members 0 and {i} of the union have different backbones, '
                    f'{dict(configs[0]["backbone"])} and {dict(config["backbone"])}'
                )
        if any(parameter.requires_grad for parameter in first.backbone.parameters()):
            raise OptionError(
                'shared_encoder: the backbone is not frozen, so the members were trained with different ones; train '
                'them with a frozen one, such as mmlmseg.TimmBackbone(frozen=True)'
            )
        for member in others:
            member.backbone = first.backbone
        self._register_load_state_dict_pre_hook(self._check_encoders)

    def _check_encoders(self, state_dict: Mapping[str, Any], prefix: str, *_: Any) -> None:
        first = f'{prefix}members.0.backbone.'
        for key, value in state_dict.items():
            if key.startswith(first):
                for i in range(1, len(self.members)):
                    own = state_dict.get(f'{prefix}members.{i}.backbone.{key.removeprefix(first)}')
                    if own is not None and not torch.equal(own, value):
                        raise CheckpointError(
                            f'shared_encoder: {key.removeprefix(prefix)} has other weights in member {i}, so its head '
                            'was trained on another encoder'
                        )

    @property
    def _models(self) -> Sequence[MultiSpaceSegmentor]:
        return [*self.members]

    @property
    def options(self) -> ResultOptions:
        """What ``test_cfg`` says."""
        options = ResultOptions.from_config(self.test_cfg, self.label_spaces, self.size_divisor)
        for member in self._models:
            member.decode_head.check_tasks(options.tasks)
        return options

    def forward(
        self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample], mode: str = 'predict'
    ) -> list[SegDataSample]:
        """Predicts; there is no other mode."""
        if mode != 'predict':
            raise NotImplementedError(f'mode {mode!r}: a union only predicts; train its members, each by itself')
        return self.predict(inputs, data_samples)

    @torch.no_grad()
    def predict(self, inputs: list[Tensor] | Tensor, data_samples: list[SegDataSample]) -> list[SegDataSample]:
        """Segments each image in the label spaces that its sample asks for, see :meth:`MultiSpaceSegmentor.predict`."""
        return predict_groups(self, inputs, data_samples)

    def predictions(self, images: Tensor, metas: Sequence[dict[str, Any]]) -> list[list[Prediction]]:
        """What the members say of each image of a group ``[B, 3, H, W]``, in each label space that is asked for."""
        asked = [self._asked(meta) for meta in metas]
        said: list[dict[str, Prediction]] = [{} for _ in metas]
        encoded: Sequence[Tensor] | None = None
        if self.encoder_is_shared:
            with self._models[0].answering():
                encoded = self._models[0].backbone(images)
        for place, member in enumerate(self._models):
            known = [tuple(name for name in names if self._place[name] == place) for names in asked]
            if which := [i for i, names in enumerate(known) if names]:
                questions = [{**metas[i], 'label_spaces': known[i]} for i in which]
                own = None if encoded is None else [level[which] for level in encoded]
                with member.answering():
                    predicted = member.predictions(images[which], questions, own)
                for i, answers in zip(which, predicted, strict=True):
                    # Text rows of models that were trained apart cannot be compared: only names tell duplicates.
                    said[i].update({answer.space.name: replace(answer, rows=None) for answer in answers})
        return [[own[name] for name in names] for own, names in zip(said, asked, strict=True)]

    def _asked(self, meta: Mapping[str, Any]) -> list[str]:
        """The names of the label spaces that a sample asks for."""
        if 'label_spaces' not in meta:
            raise LabelSpaceError(
                f'{meta.get("img_path", "a sample")} does not say its label space, which a union of models needs; set '
                'metainfo["label_spaces"] (mmlmseg.MultiDataset does)'
            )
        for space in meta['label_spaces']:
            if not isinstance(space, str):
                raise LabelSpaceError(
                    'a union of models answers in the label spaces of its members, not in a class list'
                )
        return [self.label_spaces.get(name).name for name in meta['label_spaces']]
