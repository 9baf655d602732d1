"""A published MaskFormer or Mask2Former as the start of a model of ours.

What a model has in common with it comes along: backbone, pixel decoder, decoder, queries, mask embedding and, where the
classes are the same, the classifier. What it has beside that (text, category guidance, other classes) starts as the
model itself would.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..checkpoint import EXTRA_STATE, CheckpointRecord
from ..errors import CheckpointError
from ..label_space import LabelSpaces
from ..names import name_key
from .layouts import layout_of, renamed

_QUERIES = 'decode_head.queries'
_LINEAR = 'decode_head.classifier.layers'
_PIXELS = 'decode_head.pixel_features.pixel_decoder.'
# What follows from other weights, or is no weight.
_DERIVED = ('num_batches_tracked', 'relative_position_index', EXTRA_STATE, 'decode_head.text.table')


class Weight(NamedTuple):
    """A weight for a model of ours."""

    value: Tensor
    sources: tuple[str, ...]  # names in the checkpoint of what it was made of
    whole: bool = True  # whether no part of it starts anew


@dataclass(frozen=True)
class Conversion:
    """What became of the weights of a foreign checkpoint."""

    layout: str  # whose weights they are
    state_dict: dict[str, Tensor]  # of the whole model, by its own names
    taken: tuple[str, ...]  # the weights of the model that came along
    new: tuple[str, ...]  # those that start anew, in whole or in part
    left: tuple[str, ...]  # names in the checkpoint of what found no place
    classes: str  # what became of the class head, in words

    def report(self) -> str:
        """What came along, what starts anew and what was left behind, as lines of text."""
        total = len(self.taken) + len(self.new)
        lines = [
            f'weights of {self.layout}: {len(self.taken)} of the {total} tensors of the model come along',
            f'classes: {self.classes}',
        ]
        for what, names in (('starting anew', self.new), ('left behind', self.left)):
            if names:
                lines.append(f'{what}: {", ".join(_grouped(names))}')
        return '\n  '.join(lines)


def converted(weights: Mapping[str, Tensor], model: Any, classes: Sequence[str] | None = None) -> Conversion:
    """Fits the weights of a published model to a model of ours, which is not changed.

    Args:
        weights: The published state dict.
        model: A segmentor with a :class:`QueryHead`; what does not come along keeps its values.
        classes: The class names of the published model, in the order of its class head, whose rows are then matched by
            name. Without names a head of as many classes comes along as it is, for a model of one label space.

    Raises:
        CheckpointError: Where the names are of no known layout, a weight has another shape (but for queries, classes,
            and a pixel decoder of another kind, which start anew), or nothing comes along.
    """
    layout = layout_of(weights)
    if layout is None:
        raise CheckpointError(
            'the checkpoint is no MaskFormer or Mask2Former of mmsegmentation, mmdetection or detectron2, nor of '
            f"LMSeg's official code: it holds {', '.join(list(weights)[:3])}, ..."
        )
    own = model.state_dict()
    found = {ours: Weight(value, (theirs,)) for ours, (theirs, value) in renamed(weights, layout).items()}
    _put_stems(found, model)
    _put_queries(found, own)
    said = _put_classes(found, own, model.decode_head.label_spaces, classes)
    if not _same_kind(found, own):
        found = {name: weight for name, weight in found.items() if not name.startswith(_PIXELS)}
    unlike = [name for name in found if name in own and found[name].value.shape != own[name].shape]
    _refuse_shapes([name for name in unlike if not name.startswith(_QUERIES)], found, own, layout.name)
    fitting = {name: found[name] for name in own if name in found and name not in unlike}
    counted = [name for name in own if not name.endswith(_DERIVED)]
    taken = tuple(name for name in counted if name in fitting and fitting[name].whole)
    if not taken:
        raise CheckpointError(f'the weights of {layout.name} have nothing in common with the model of the config')
    new = tuple(name for name in counted if name not in taken)
    state = {name: fitting[name].value if name in fitting else value for name, value in own.items()}
    record = f'decode_head.{EXTRA_STATE}'
    state[record] = replace(CheckpointRecord.unpack(own[record]), untrained=new).pack()
    used = {source for weight in fitting.values() for source in weight.sources}
    return Conversion(
        layout=layout.name,
        state_dict=state,
        taken=taken,
        new=new,
        left=tuple(name for name in weights if name not in used and not name.endswith(_DERIVED)),
        classes=said,
    )


def _put_stems(found: dict[str, Weight], model: Any) -> None:
    """Makes the stems of other numbers of bands of the one that comes along."""
    values = {name: weight.value for name, weight in found.items()}
    for name in model.complete_stems(values):
        sources = found[f'{name.rpartition(".")[0]}.weight'].sources
        found[name] = Weight(values[name], sources, whole=False)


def _put_queries(found: dict[str, Weight], own: Mapping[str, Tensor]) -> None:
    """Gives contents and positions of queries the form of the model's; where MaskFormer has none, contents are zero."""
    position = found.get(f'{_QUERIES}.position.weight')
    if position is None:
        return
    zeros = Weight(torch.zeros_like(position.value), position.sources)
    content = found.setdefault(f'{_QUERIES}.content.weight', zeros)
    if content.value.shape == position.value.shape:
        both = Weight(torch.stack([content.value, position.value]), (*content.sources, *position.sources))
        sets = [f'{_QUERIES}.shared'] if f'{_QUERIES}.shared' in own else _numbered(own, f'{_QUERIES}.own.')
        found.update(dict.fromkeys(sets, both))


def _put_classes(
    found: dict[str, Weight], own: Mapping[str, Tensor], spaces: LabelSpaces, classes: Sequence[str] | None
) -> str:
    """Puts the rows of the class head, no-object last, where the model has the same classes; says what it did."""
    head = {kind: found.pop(f'{_LINEAR}.0.{kind}', None) for kind in ('weight', 'bias')}
    if head['weight'] is None or head['bias'] is None:
        return 'the checkpoint has no class head'
    count = len(head['weight'].value) - 1
    if not _numbered(own, f'{_LINEAR}.'):
        return 'the model has no linear class head of its label spaces'
    if classes is None:
        if len(spaces) > 1 or spaces[0].num_classes != count:
            return f'a head of {count} classes without names fits none of the label spaces'
        classes = spaces[0].classes
        said = [f'{count} without names, taken to be those of {spaces[0].name!r} in its order']
    elif len(classes) != count:
        raise CheckpointError(f'the checkpoint names {len(classes)} classes, but its class head has {count}')
    else:
        said = []
    place = {name_key(name): i for i, name in enumerate(classes)} | {name: i for i, name in enumerate(classes)}
    for i, space in enumerate(spaces):
        rows = [place.get(name, place.get(name_key(name))) for name in space.classes]  # as it is written goes first
        pairs = [(row, there) for row, there in enumerate(rows) if there is not None]
        if pairs and not said:
            said.append('by name')
        if pairs:
            ours, theirs = zip(*pairs, (space.num_classes, count), strict=True)
            for kind, weight in head.items():
                assert weight is not None
                value = own[f'{_LINEAR}.{i}.{kind}'].clone()
                if weight.value.shape[1:] == value.shape[1:]:
                    value[list(ours)] = weight.value[list(theirs)].to(value)
                    whole = len(pairs) == space.num_classes
                    found[f'{_LINEAR}.{i}.{kind}'] = Weight(value, weight.sources, whole)
        said.append(f'{len(pairs)} of the {space.num_classes} of {space.name!r} come along')
    return ', '.join(said)


def _same_kind(found: Mapping[str, Weight], own: Mapping[str, Tensor]) -> bool:
    """Whether the pixel decoders are of one kind: what both have is not all that differs in shape."""
    here = {name for name in own if name.startswith(_PIXELS)}
    there = {name for name in found if name.startswith(_PIXELS)}
    return here == there or all(found[name].value.shape == own[name].shape for name in here & there)


def _refuse_shapes(names: Sequence[str], found: Mapping[str, Weight], own: Mapping[str, Tensor], layout: str) -> None:
    if names:
        shapes = [f'{n} has {tuple(found[n].value.shape)} there, {tuple(own[n].shape)} in the config' for n in names]
        more = f' and {len(names) - 3} more' if len(names) > 3 else ''
        raise CheckpointError(
            f'the weights of {layout} do not fit the config: {"; ".join(shapes[:3])}{more}; give it the same backbone, '
            'channels, heads and levels'
        )


def _numbered(own: Iterable[str], prefix: str) -> list[str]:
    return [name for name in own if name.startswith(prefix)]


def _grouped(names: Iterable[str], most: int = 12) -> list[str]:
    """Modules with their number of tensors, where layers of a number count as one."""
    modules = (re.sub(r'\.\d+(?=\.|$)', '.*', name.rpartition('.')[0] or name) for name in names)
    groups = Counter(
        '.'.join(module.split('.')[:5]) if module.startswith('decode_head') else module.split('.')[0]
        for module in modules
    )
    lines = [f'{module} ({number})' for module, number in groups.items()]
    return [*lines[:most], *([f'... {len(lines) - most} more'] if len(lines) > most else [])]
