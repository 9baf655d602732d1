"""Adding label spaces to a trained model: what it says in its old ones stays the same, to the bit.

An act on a checkpoint, before training: the old weights are copied, each by its name or by the name of its label space,
and what serves the new spaces starts untrained. :class:`mmlmseg.engine.FreezeHook` then trains that alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..checkpoint import EXTRA_STATE, CheckpointRecord, check_complete
from ..class_texts import Text
from ..errors import CheckpointError, LabelSpaceError
from ..label_space import LabelSpaces
from ..models.head.adapters import PerSpace, served_alone
from ..models.head.classifiers import UnifiedClassifier
from ..models.segmentors.multi_space import MultiSpaceSegmentor
from ..models.text import TextTable
from ..relations import resolve

_TABLE = 'decode_head.text.table'


def add_label_spaces(model: MultiSpaceSegmentor, trained: Mapping[str, Tensor]) -> list[str]:
    """Loads the weights of a model that was trained on some of the label spaces.

    Args:
        model: With all label spaces, in any order. What serves a new one starts as it does in this model; queries start
            from the mean of the others'.
        trained: The state dict of the trained model.

    Returns:
        The prefixes of the names of the parameters that serve the new spaces and nothing else, and of stems for their
        numbers of bands, where the checkpoint has none.

    Raises:
        CheckpointError: Where the checkpoint does not fit, or means other classes by a label space.
        LabelSpaceError: Where a new space would have nothing to train, or the classifier cannot take one more.
        TextBankError: Where a new class name cannot be embedded as the old ones were.
    """
    saved = CheckpointRecord.of(trained)
    text: TextTable | None = model.decode_head.text
    added = _added(model, saved)
    state = dict(trained)
    for place, module in model.named_modules():
        if isinstance(module, PerSpace):
            first = f'{place}.'
            own = {key.removeprefix(first): state.pop(key) for key in trained if key.startswith(first)}
            fitting = module.from_fewer(own, saved.label_spaces.names)
            state.update({first + name: value for name, value in fitting.items()})
    stems = model.complete_stems(state)  # where the images of a new one have other bands
    state[f'decode_head.{EXTRA_STATE}'] = replace(model.decode_head.record, text=saved.text).pack()
    if text is not None and saved.text is not None and _TABLE in state:
        text.expect(saved.text)
        check_complete(model, {**state, _TABLE: text.table}, '')  # before the other weights are used
        state[_TABLE] = _text_rows(text, state, saved.reading.vocabulary(saved.label_spaces))
    model.load_state_dict(state, strict=False)  # the segmentor itself refuses what does not fit
    return [*stems, *(prefix for prefix, space in served_alone(model).items() if space in added)]


def _added(model: MultiSpaceSegmentor, saved: CheckpointRecord) -> list[str]:
    """The names of the label spaces that the checkpoint lacks."""
    record: CheckpointRecord = model.decode_head.record
    old, all_names = saved.label_spaces.names, record.label_spaces.names
    added = [name for name in all_names if name not in old]
    if not added or not set(old) < set(all_names):
        raise CheckpointError(
            f'the checkpoint was trained on the label spaces {", ".join(old)}, the config has {", ".join(all_names)}; '
            'give it all those of the checkpoint, and at least one more'
        )
    known = LabelSpaces([record.label_spaces.get(name) for name in old])
    _check_relations(record, saved)
    adapters = tuple(name for name in old if name in record.adapters)
    saved.check(replace(record, label_spaces=known, adapters=adapters))
    if isinstance(model.decode_head.classifier, UnifiedClassifier):
        raise LabelSpaceError(
            'a label space cannot be added to a model with UnifiedClassifier: its one layer serves all label spaces, '
            'so none can learn while the others stay; train the model anew on all of them'
        )
    for space in added:
        if space not in served_alone(model).values():
            raise LabelSpaceError(
                f'label space {space!r} is added, but nothing would be trained for it: neither queries nor classifier '
                'have parameters of its own. Such a model reads class names, so it predicts in any label space as it '
                f"is; to train for this one, give it an adapter: adapters=dict({space}=dict(type='mmlmseg."
                "SpaceAdapter'))"
            )
    return added


def _check_relations(record: CheckpointRecord, saved: CheckpointRecord) -> None:
    """Refuses relations that change what the old classes hold, as what the model says of them would not stay."""

    def held(of: CheckpointRecord, name: str) -> list[list[str]]:
        finer = resolve(of.relations, tuple(of.label_spaces)).finer(of.label_spaces.get(name))
        return [sorted(f'{space.name}:{space.classes[label]}' for space, label in members) for members in finer]

    for name in saved.label_spaces.names:
        there, here = held(saved, name), held(record, name)
        for label, (own, now) in enumerate(zip(there, here, strict=True)):
            if own != now:
                one = record.label_spaces.get(name).classes[label]
                raise LabelSpaceError(
                    f'decode_head.relations: {name}:{one} would hold {", ".join(now) or "nothing"}, but held '
                    f'{", ".join(own) or "nothing"} in the training of the checkpoint, so that its answers would not '
                    'stay; declare only what is inside classes of the new label spaces'
                )


@torch.no_grad()
def _text_rows(text: TextTable, state: Mapping[str, Tensor], names: Sequence[Text]) -> Tensor:
    """The rows of all texts and no-object ``[V + 1, C]``, from those of the trained model ``[len(names) + 1, C]``."""
    for name, parameter in text.named_parameters():
        parameter.copy_(state[f'decode_head.text.{name}'])  # new rows are made by what the old ones were made by
    rows = state[_TABLE]
    new = [name for name in text.vocabulary if name not in names]
    if new:
        rows = torch.cat([rows, text.rows(new)[:-1].to(rows)])
    position = {name: i for i, name in enumerate([*names, None, *new])}
    return rows[[position[name] for name in (*text.vocabulary, None)]]
