"""From class names to text rows: a table of them, behind any text encoder and a linear adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...audit.concepts import Concepts
from ...checkpoint import TextSource
from ...class_texts import Read, Reading, Text
from ...errors import LabelSpaceError, OptionError, TextBankError
from ...label_space import LabelSpace, LabelSpaces
from ...registry import MODELS
from ...relations import Relations, resolve
from ..numerics import no_autocast
from ..structures import Categories
from .adapter import TextAdapter
from .encoder import TextEncoder
from .finer_classes import finer_classes
from .strangers import Strangers
from .variation import check_choices, draw_texts, with_lexicon

NO_OBJECT_TEXT = 'background'
LEXICON: Literal['lexicon'] = 'lexicon'
RESIDUAL_STD = 0.3
FREE_ROWS = 1024  # names outside of the vocabulary whose rows are kept between calls


@dataclass(frozen=True)
class _Kept:
    """Rows that are good for as long as the parameters are those that made them.

    A comparison of numbers, since weights also change behind a module's back: weight averaging swaps them for a
    validation.
    """

    rows: Tensor  # [V + 1 + free, C]: the vocabulary, no-object, names of free class lists
    position: dict[Text, int]
    parameters: dict[str, Tensor]

    def made_by(self, parameters: dict[str, nn.Parameter]) -> bool:
        return parameters.keys() == self.parameters.keys() and all(
            torch.equal(p.detach(), self.parameters[name].to(p)) for name, p in parameters.items()
        )

    def to(self, like: Tensor) -> _Kept:
        return _Kept(self.rows.to(like), self.position, {name: p.to(like) for name, p in self.parameters.items()})


@MODELS.register_module()
class TextTable(BaseModule):
    """Text rows for any label space: encoder, linear adapter, and a no-object row (paper, sections 3.2 and 3.3).

    No-object is the text "background" plus a learned residual, which tells it from a real class ``background``.

    Training: rows are computed in each call, for the names that occur in it, with gradient; so ask once per step, for
    all samples. Evaluation: the rows of the vocabulary, and of some names beside it, are computed once (without
    gradient) and kept for as long as the parameters stay. A state dict holds the table of the vocabulary, so that a
    loaded checkpoint serves it without text tower or bank file. Other names (free class lists) need the encoder.

    Args:
        label_spaces: The label spaces of the model.
        encoder: Config of a text encoder: ``mmlmseg.OpenClipText`` or ``mmlmseg.TextBankEncoder``.
        channels: Channels C of a row.
        sample_synonyms: In training, read each class by its main name or one of its synonyms, drawn per class and step.
            A vocabulary of fixed names is learned by heart: renamed classes are lost, and others with them.
            ``'lexicon'`` adds the synonyms that :mod:`mmlmseg.audit` knows, as far as the encoder can read them.
        strangers: In training, names that stand for nothing of a sample's label space are in its list too, up to so
            many, drawn for each space and step: ``dict(number=64)`` of the other label spaces, ``dict(number=64,
            names=FILE)`` of these and a file. A model learns that most names of a long list are not there.
        relations: Between classes of the label spaces; what is finer than a class is read with it.
        read, average_synonyms, templates: Of a :class:`~mmlmseg.class_texts.Reading`: whether names or definitions
            stand for a class, or the mean of all its names; by label space, what they are put into. A checkpoint
            records them.

    Raises:
        LabelSpaceError: Where templates name an unknown label space, or two classes are read alike.
        OptionError: On another value, or synonyms that are to be both drawn and averaged.
        TextBankError: On texts beside class names, where the encoder is a bank.
    """

    table: Tensor
    adapter: TextAdapter | None

    def __init__(
        self,
        label_spaces: LabelSpaces,
        encoder: dict,
        channels: int,
        sample_synonyms: bool | Literal['lexicon'] = False,
        relations: Relations | None = None,
        read: Read = 'name',
        average_synonyms: bool = False,
        templates: Mapping[str, str] | None = None,
        strangers: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if sample_synonyms not in (False, True, LEXICON):
            raise OptionError(f'text.sample_synonyms is true, false or {LEXICON!r}, not {sample_synonyms!r}')
        if sample_synonyms and average_synonyms:
            raise OptionError('text: synonyms are drawn (sample_synonyms) or averaged (average_synonyms), not both')
        self.reading = Reading(read, average_synonyms, dict(templates or {}))
        self.reading.check(label_spaces)
        self.label_spaces = label_spaces
        self.channels = channels
        self.sample_synonyms = sample_synonyms
        self.strangers = None if strangers is None else Strangers(**strangers)
        self.encoder: TextEncoder = MODELS.build(encoder)
        if self.encoder.of_names_alone and not self.reading.of_names_alone:
            raise TextBankError(
                f'{type(self.encoder).__name__} holds embeddings of class names, and cannot embed definitions '
                f'(text.read={read!r}) or other templates (text.templates) than the one it was made with. A text tower '
                '(mmlmseg.OpenClipText) reads both; for definitions alone, a bank in which they stand for the names '
                'will do (tools/build_text_bank.py --read both)'
            )
        self.vocabulary = self.reading.vocabulary(label_spaces)
        width = self.encoder.width
        self.adapter = None if width is None else TextAdapter(width, channels)
        self.no_object = nn.Parameter(RESIDUAL_STD * torch.randn(channels))
        # Only the form in which rows enter and leave a state dict; never read in a forward pass.
        self.register_buffer('table', torch.zeros(len(self.vocabulary) + 1, channels))
        self._kept: _Kept | None = None
        self._choices: dict[LabelSpace, list[tuple[str, ...]]] = {}
        self._finer: dict[str, list[list[tuple[LabelSpace, int]]]] = {}  # by label space, of each class
        if relations:
            resolved = resolve(relations, tuple(label_spaces))
            self._finer = {space.name: own for space in label_spaces if any(own := resolved.finer(space))}

    @property
    def source(self) -> TextSource:
        """What made the embeddings behind the rows: what a loaded checkpoint says, else the encoder."""
        return self.encoder.expected or self.encoder.source()

    def init_weights(self) -> None:
        """Centres the adapter on the vocabulary. Opens the encoder, so that what it lacks stops a training early."""
        super().init_weights()
        self.reading.check_use(self.label_spaces)
        self._fill_strangers()
        more: list[Text] = []
        if self.sample_synonyms:
            check_choices(map(self.choices, self.label_spaces))
            more += (text for space in self.label_spaces for group in self.choices(space) for text in group[1:])
        with torch.no_grad():
            embeddings = self._embeddings([*self.vocabulary, *more])
        self._adapter().centre_(embeddings[: len(self.vocabulary)])

    def choices(self, space: LabelSpace) -> list[tuple[str, ...]]:
        """The texts that may be drawn for each class of a label space in training, that of its main name first."""
        if space not in self._choices:
            own = space
            if self.sample_synonyms == LEXICON:
                own = with_lexicon(space, Concepts.from_yaml(), self.encoder.can_read)
            self._choices[space] = self.reading.choices(own)
        return self._choices[space]

    def categories(self, spaces: Sequence[str | LabelSpace], width: int | None = None) -> Categories:
        """The text rows of a batch.

        Args:
            spaces: Per sample the name of a label space of the model, or a label space of the user's own.
            width: Columns K to pad to; by default those of the largest space asked for.

        Returns:
            Rows ``[B, K + 1, C]``, no-object last, zero where invalid.

        Raises:
            LabelSpaceError: On an unknown name, or definitions in a free class list where the model reads none.
            TextBankError: Where a free class list needs an encoder that is missing, is another, or lacks a name.
            ValueError: Where ``width`` is too small.
        """
        asked = [self.label_spaces.get(space) if isinstance(space, str) else space for space in spaces]
        for space in asked:
            if self.reading.read == 'name' and any(space.definitions) and space not in self.label_spaces:
                raise LabelSpaceError(
                    'the class list says what its classes are ("person: a human being"), but this model was trained on '
                    "names alone (text.read='name'); give names"
                )
        finer = [self._finer.get(space.name, []) for space in asked]
        drawn = self.training and self.sample_synonyms
        met = dict.fromkeys([*asked, *(own for classes in finer for members in classes for own, _ in members)])
        read: dict[LabelSpace, tuple[Text, ...]] = {
            space: draw_texts(self.choices(space)) if drawn else self.reading.texts(space) for space in met
        }
        if self.training and self.strangers is not None:
            self._fill_strangers()
            read = {space: (*texts, *self.strangers.draw(space)) for space, texts in read.items()}
        names = [read[space] for space in asked]
        finer_names = [[[read[own][label] for own, label in members] for members in classes] for classes in finer]
        largest = max(map(len, names))
        width = largest if width is None else width
        if width < largest:
            raise ValueError(f'{width} columns cannot hold a label space of {largest} classes')
        every = [*names, *(members for classes in finer_names for members in classes)]
        distinct = tuple(dict.fromkeys(name for group in every for name in group))
        if self.training:
            rows, position, no_object = self.rows(distinct), {name: i for i, name in enumerate(distinct)}, len(distinct)
        else:
            kept = self._rows_of(distinct)
            rows, position, no_object = kept.rows, kept.position, len(self.table) - 1
        blank = len(rows)
        columns = [[position[name] for name in group] + [blank] * (width - len(group)) for group in names]
        index = torch.tensor([[*own, no_object] for own in columns], device=rows.device)  # [B, K + 1]
        values = torch.cat([rows, rows.new_zeros(1, self.channels)])
        return Categories(
            tuple(space.name for space in asked),
            valid=index != blank,
            rows=F.embedding(index, values),
            finer=finer_classes(finer_names, width, values, position) if any(finer) else None,
        )

    def _fill_strangers(self) -> None:
        if self.strangers is not None:
            self.strangers.fill(self.label_spaces, self.encoder.can_read)

    def rows(self, texts: Sequence[Text]) -> Tensor:
        """Computes the rows of normalised names, or other texts: ``[n + 1, C]``, no-object last, with gradient."""
        adapter = self._adapter()
        rows = adapter(self._embeddings([*texts, NO_OBJECT_TEXT]))
        return torch.cat([rows[:-1], rows[-1:] + self.no_object])

    def _embeddings(self, texts: Sequence[Text]) -> Tensor:
        """Of unit norm ``[n, width]``; of several texts their mean, brought back to it."""
        groups = [(text,) if isinstance(text, str) else text for text in texts]
        if all(len(group) == 1 for group in groups):
            return self.encoder.encode([text for (text,) in groups], self.no_object.device)
        distinct = {text: i for i, text in enumerate(dict.fromkeys(text for group in groups for text in group))}
        embeddings = self.encoder.encode([*distinct], self.no_object.device)
        means = [embeddings[[distinct[text] for text in group]].mean(0) for group in groups]
        return F.normalize(torch.stack(means), dim=-1)

    def expect(self, source: TextSource) -> None:
        """Makes the table ready to load a checkpoint: demands its text source, and builds the adapter where a missing
        bank file left its width unknown."""
        self.encoder.expect(source)
        if self.adapter is None:
            self.adapter = TextAdapter(source.width, self.channels).to(self.no_object)

    def _adapter(self) -> TextAdapter:
        if self.adapter is None:
            self.encoder.source()  # says which file is missing
            raise TextBankError('the text bank appeared after the model was built; build the model again')
        return self.adapter

    @torch.no_grad()
    def _vocabulary(self) -> _Kept:
        parameters = dict(self.named_parameters())
        kept = None if self._kept is None else self._kept.to(self.no_object)  # follows the model
        if kept is None or not kept.made_by(parameters):
            made_by = {name: p.detach().clone() for name, p in parameters.items()}
            with no_autocast(self.no_object):  # what is kept, and saved, does not depend on who asks first
                kept = self._keep(self.rows(self.vocabulary), made_by)
        self._kept = kept
        return kept

    def _keep(self, rows: Tensor, made_by: dict[str, Tensor]) -> _Kept:
        return _Kept(rows, {text: i for i, text in enumerate(self.vocabulary)}, made_by)

    @torch.no_grad()
    def _rows_of(self, names: Sequence[Text]) -> _Kept:
        kept = self._vocabulary()
        new = [name for name in names if name not in kept.position]
        if new and len(kept.rows) + len(new) > len(self.table) + FREE_ROWS:  # those of free class lists start anew
            kept = self._keep(kept.rows[: len(self.table)], kept.parameters)
            new = [name for name in names if name not in kept.position]
        if new:
            position = {name: i for i, name in enumerate(new, len(kept.rows))}
            with no_autocast(self.no_object):
                rows = torch.cat([kept.rows, self.rows(new)[:-1].to(kept.rows)])
            kept = _Kept(rows, {**kept.position, **position}, kept.parameters)
            self._kept = kept if len(new) <= FREE_ROWS else self._kept
        return kept

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        self.table.copy_(self._vocabulary().rows[: len(self.table)])
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        wanted = ['table', *dict(self.named_parameters())]
        saved = {name: state_dict[prefix + name].detach().clone() for name in wanted if prefix + name in state_dict}
        self._kept = self._keep(saved.pop('table'), saved) if len(saved) == len(wanted) else None
        super()._load_from_state_dict(state_dict, prefix, *args)
