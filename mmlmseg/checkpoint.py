"""Checkpoints: what they hold, and the guards that loading passes; their files are in ``checkpoint_files.py``.

A checkpoint of a model holds under ``state_dict``

- its weights, by the names of parameters and buffers;
- one :class:`CheckpointRecord`, as the extra state of the head: the label spaces, and what else no weight tells. It is
  packed into a tensor, since everything that walks over a state dict lets a tensor be: safe loading, moving to a
  device, the broadcast with which distributed training starts, averaging of weights;
- where the model reads class names, its text rows (``decode_head.text.table``): one for each text of the label spaces'
  vocabulary (:meth:`Reading.vocabulary`), in its order, and the no-object row. So it is served without text encoder;

and beside it what a training is resumed from, which ``tools/publish_model.py`` leaves out.

Loading reads the record first, refuses what means something else, and then what does not fit (:func:`check_complete`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .class_texts import NAMES, Reading, Text
from .errors import CheckpointError, TextBankError, written
from .label_space import LabelSpaces
from .relations import NO_RELATIONS, Relations

EXTRA_STATE = '_extra_state'
_WAY_OUT = (
    'Load it with the config it was trained with; to start another model from its backbone only, give the backbone an '
    "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')"
)


@dataclass(frozen=True)
class TextSource:
    """What made text embeddings: two sources are interchangeable exactly where they are equal."""

    encoder: str  # with its variant, e.g. open_clip:RN50-quickgelu
    prompt: str  # the template that a name was put into, with {name} as its place
    width: int  # channels of an embedding
    weights: str  # SHA-256 of what fixes the encoder's numbers: its weights, or the file of a bank without provenance

    def require(self, other: TextSource, where: str) -> None:
        """Raises a TextBankError unless another source, that of ``where``, can be used in place of this one."""
        for field in ('encoder', 'width', 'prompt', 'weights'):
            mine, theirs = getattr(self, field), getattr(other, field)
            if mine != theirs:
                raise TextBankError(
                    f'{where}: its text {field} is {theirs!r}, but the checkpoint was trained with {mine!r}; use the '
                    f'text encoder or bank that the checkpoint was trained with ({self.encoder}, width {self.width})'
                )


@dataclass(frozen=True)
class CheckpointRecord:
    """What a checkpoint knows of its model that no weight tells."""

    label_spaces: LabelSpaces  # what the model was trained on
    class_activation: str  # what its class logits mean, softmax or sigmoid
    things_only: bool  # whether it finds things only
    adapters: tuple[str, ...] = ()  # the label spaces that have an adapter, in their order
    text: TextSource | None = None  # what made the embeddings behind its text rows; None for a model that reads no text
    untrained: tuple[str, ...] = ()  # weights that came along from nowhere, as a model of other code was converted
    relations: Relations = NO_RELATIONS  # whose classes are summed into others; compared when it predicts
    reading: Reading = NAMES  # what of the classes the text encoder read

    @classmethod
    def of(cls, state_dict: Mapping[str, Any]) -> CheckpointRecord:
        """Reads the record in the state dict of a segmentor; a CheckpointError where it holds none."""
        for key, value in state_dict.items():
            if key.endswith(f'decode_head.{EXTRA_STATE}'):
                return cls.unpack(value)
        raise CheckpointError(
            'the checkpoint holds no label spaces: it is not of an mmlmseg model. One of MaskFormer or Mask2Former can '
            f'be load_from of a training, or goes through tools/convert_checkpoint.py first. {_WAY_OUT}'
        )

    def pack(self) -> Tensor:
        """The record as bytes of JSON, uint8."""
        text = None if self.text is None else asdict(self.text)
        spaces, relations = self.label_spaces.to_list(), self.relations.to_dict()
        reading = self.reading.to_dict()
        data = {**vars(self), 'label_spaces': spaces, 'text': text, 'relations': relations, 'reading': reading}
        return torch.frombuffer(bytearray(json.dumps(data).encode()), dtype=torch.uint8).clone()

    @classmethod
    def unpack(cls, packed: Tensor) -> CheckpointRecord:
        """The inverse of :meth:`pack`."""
        try:
            data = json.loads(bytes(packed.cpu().tolist()).decode())
            text = data.pop('text')
            spaces, adapters = LabelSpaces.from_config(data.pop('label_spaces')), tuple(data.pop('adapters'))
            data['untrained'] = tuple(data.get('untrained', ()))
            data['relations'] = Relations.from_config(data.get('relations'))
            data['reading'] = Reading(**data.get('reading', {}))
            return cls(spaces, adapters=adapters, text=None if text is None else TextSource(**text), **data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f'the record in the checkpoint cannot be read: {error!r}') from None

    def check(self, own: CheckpointRecord) -> None:
        """Compares with what a model would record, all but the text sources, which its text encoder compares."""
        there, here = self.label_spaces, own.label_spaces
        if there.names != here.names:
            more = ', '.join(name for name in here.names if name not in there.names)
            adding = f'; tools/add_label_space.py adds {more}' if more and set(there.names) < set(here.names) else ''
            raise CheckpointError(
                f'the checkpoint was trained on the label spaces {", ".join(there.names)}, the config has '
                f'{", ".join(here.names)}{adding}. {_WAY_OUT}'
            )
        for theirs, mine in zip(there, here):
            if what := difference(theirs.classes, mine.classes):
                raise CheckpointError(
                    f'label space {mine.name!r} differs between checkpoint and config ({what}). {_WAY_OUT}'
                )
        self._check_reading(own)
        for key in ('class_activation', 'things_only'):
            if getattr(self, key) != getattr(own, key):
                raise CheckpointError(
                    f'the checkpoint was trained with {key}={getattr(self, key)!r}, the config has '
                    f'{key}={getattr(own, key)!r}: class scores would be wrong; give decode_head the same'
                )
        if self.adapters != own.adapters:
            raise CheckpointError(
                f'the checkpoint holds adapters of {", ".join(self.adapters) or "no label space"}, the config of '
                f'{", ".join(own.adapters) or "none"}; give decode_head.adapters the same'
            )
        for theirs, mine in zip(there, here):
            if self.things_only and theirs.is_thing != mine.is_thing:
                raise CheckpointError(
                    f'label space {mine.name!r}: the things of the checkpoint are {", ".join(theirs.things)}, those of '
                    f'the config {", ".join(mine.things)}; a model of things only knows no others'
                )

    def _check_reading(self, own: CheckpointRecord) -> None:
        """Text rows that were made of other texts would be silently wrong."""
        for key in ('read', 'average_synonyms'):
            theirs, mine = getattr(self.reading, key), getattr(own.reading, key)
            if theirs != mine:
                raise CheckpointError(
                    f'the checkpoint was trained with text.{key}={theirs!r}, the config has text.{key}={mine!r}: its '
                    'text rows stand for other texts; give decode_head.text the same'
                )
        for there, here in zip(self.label_spaces, own.label_spaces):
            texts = self.reading.texts(there), own.reading.texts(here)
            for name, was, now in zip(there.classes, *texts, strict=True):
                if was != now:
                    raise CheckpointError(
                        f'label space {here.name!r}: the checkpoint was trained with the class {name!r} read as '
                        f'{_listed(was)}, the config reads {_listed(now)}; give it the same synonyms, definitions and '
                        'template (text.templates), or leave label_spaces out of the config to take those of the '
                        'checkpoint'
                    )


def _listed(text: Text) -> str:
    return written(text) if isinstance(text, str) else f'the mean of {written(text)}'


def label_spaces_of(state_dict: Mapping[str, Any]) -> LabelSpaces:
    """The label spaces that a segmentor was trained on, from its state dict; a CheckpointError where it holds none."""
    return CheckpointRecord.of(state_dict).label_spaces


def difference(there: Sequence[str], here: Sequence[str]) -> str:
    """Says where two class lists differ; an empty string where they do not.

    Example:
        >>> difference(['sky', 'car'], ['sky', 'road'])
        "id 1: 'car' there, 'road' here"
    """
    pairs = [f'id {i}: {a!r} there, {b!r} here' for i, (a, b) in enumerate(zip(there, here)) if a != b]
    if not pairs and len(there) != len(here):
        return f'{len(there)} classes there, {len(here)} here'
    return '; '.join(pairs[:3])


def check_complete(module: nn.Module, state_dict: Mapping[str, Any], prefix: str) -> None:
    """Checks that a checkpoint holds, below a prefix, each parameter and buffer of a module, in its shape, and no more.

    Raises:
        CheckpointError: Naming the first few keys that are missing, surplus or of another shape.
    """
    faults = []
    wanted = persistent_tensors(module)
    for key, tensor in wanted:
        saved = state_dict.get(prefix + key)
        if saved is None:
            faults.append(f'{key} is missing')
        elif saved.shape != tensor.shape:
            faults.append(f'{key} has shape {tuple(saved.shape)}, the model {tuple(tensor.shape)}')
        elif saved.is_floating_point() != tensor.is_floating_point():
            faults.append(f'{key} is of {saved.dtype}, in the model of {tensor.dtype}')
    known = {prefix + key for key, _ in wanted}
    surplus = [key for key in state_dict if key.startswith(prefix) and key not in known]
    faults += [f'{key} is not of this model' for key in surplus if not key.endswith(EXTRA_STATE)]
    if faults:
        more = f' and {len(faults) - 5} more' if len(faults) > 5 else ''
        raise CheckpointError(f'the checkpoint does not fit the model: {"; ".join(faults[:5])}{more}. {_WAY_OUT}')


def persistent_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    """The parameters and saved buffers of a module by name, as they are; ``state_dict`` may compute some first."""
    tensors: list[tuple[str, Tensor]] = list(module.named_parameters())
    for name, child in module.named_modules():
        dot = f'{name}.' if name else ''
        kept = set(child._buffers) - child._non_persistent_buffers_set
        tensors += [(dot + key, b) for key, b in child._buffers.items() if key in kept and b is not None]
    return tensors
