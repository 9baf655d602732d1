"""The text table: one row per class name of the vocabulary, and the no-object row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import CheckpointError, TextBankError
from ...label_space import LabelSpace, LabelSpaces
from ...registry import MODELS
from ..structures import Categories
from .adapter import TextAdapter
from .encoder import TextEncoder
from .provenance import TableProvenance
from .variation import all_synonyms, draw_names

NO_OBJECT_TEXT = 'background'
RESIDUAL_STD = 0.3


@dataclass
class _Rows:
    """Rows ``[n, C]``, where each name's row is, and where the no-object row is."""

    values: Tensor
    position: dict[str, int]
    no_object: int


@dataclass
class _LoadedTable:
    """A checkpoint's table, good for as long as the parameters are those that came with it."""

    rows: Tensor  # [V + 1, C]
    parameters: dict[str, Tensor]

    def fits(self, parameters: dict[str, nn.Parameter]) -> bool:
        return parameters.keys() == self.parameters.keys() and all(
            torch.equal(p.detach(), self.parameters[name].to(p)) for name, p in parameters.items()
        )


@MODELS.register_module()
class TextTable(BaseModule):
    """Text rows for any label space: encoder, linear adapter, and a no-object row (paper, sections 3.2 and 3.3).

    No-object is the text "background" plus a learned residual, which tells it from a real class ``background``.

    Training: rows are computed in each call, for the names that occur in it, with gradient; so ask once per step, for
    all samples. Evaluation: the vocabulary is computed once and kept (without gradient) until :meth:`train`,
    :meth:`eval` or loading. A state dict holds the current table and where it comes from, so that a loaded checkpoint
    serves its vocabulary without text tower or bank file. Names outside of it (free class lists) need the encoder.

    Args:
        label_spaces: The label spaces of the model.
        encoder: Config of a text encoder: ``mmlmseg.OpenClipText`` or ``mmlmseg.TextBankEncoder``.
        channels: Channels C of a row.
        sample_synonyms: In training, read each class by its main name or one of its synonyms, drawn per class and step.
            A vocabulary of fixed names is learned by heart: renamed classes are lost, and others with them.
    """

    table: Tensor
    adapter: TextAdapter | None

    def __init__(self, label_spaces: LabelSpaces, encoder: dict, channels: int, sample_synonyms: bool = False) -> None:
        super().__init__()
        self.label_spaces = label_spaces
        self.channels = channels
        self.sample_synonyms = sample_synonyms
        self.encoder: TextEncoder = MODELS.build(encoder)
        width = self.encoder.width
        self.adapter = None if width is None else TextAdapter(width, channels)
        self.no_object = nn.Parameter(RESIDUAL_STD * torch.randn(channels))
        # Only the form in which rows enter and leave a state dict; never read in a forward pass.
        self.register_buffer('table', torch.zeros(len(label_spaces.vocabulary) + 1, channels))
        self._loaded: _LoadedTable | None = None
        self._cache: _Rows | None = None

    def init_weights(self) -> None:
        """Centres the adapter on the vocabulary. Opens the encoder, so that what it lacks stops a training early.

        Raises:
            TextBankError: Where the encoder cannot be opened or lacks a name.
            LabelSpaceError: Where synonyms shall be sampled, but no class has one.
        """
        super().init_weights()
        names = self.label_spaces.vocabulary
        with torch.no_grad():
            more = all_synonyms(self.label_spaces) if self.sample_synonyms else []
            embeddings = self.encoder.encode([*names, *more], self.no_object.device)
        self._adapter().centre_(embeddings[: len(names)])
        self._cache = None

    def categories(self, spaces: Sequence[str | LabelSpace], width: int | None = None) -> Categories:
        """The text rows of a batch.

        Args:
            spaces: Per sample the name of a label space of the model, or a label space of the user's own.
            width: Columns K to pad to; by default those of the largest space asked for.

        Returns:
            Rows ``[B, K + 1, C]``, no-object last, zero where invalid.

        Raises:
            LabelSpaceError: On an unknown name.
            TextBankError: Where a free class list needs an encoder that is missing, is another, or lacks a name.
            ValueError: Where ``width`` is too small.
        """
        asked = [self.label_spaces.get(space) if isinstance(space, str) else space for space in spaces]
        read = {space: self._names(space) for space in dict.fromkeys(asked)}
        names = [read[space] for space in asked]
        largest = max(map(len, names))
        width = largest if width is None else width
        if width < largest:
            raise ValueError(f'{width} columns cannot hold a label space of {largest} classes')
        distinct = tuple(dict.fromkeys(name for group in names for name in group))
        rows = self._fresh(distinct) if self.training else self._cached(distinct)
        blank = len(rows.values)
        index = torch.tensor(
            [
                [rows.position[name] for name in group] + [blank] * (width - len(group)) + [rows.no_object]
                for group in names
            ],
            device=rows.values.device,
        )  # [B, K + 1]
        values = torch.cat([rows.values, rows.values.new_zeros(1, self.channels)])
        return Categories(
            spaces=tuple(space.name for space in asked), valid=index != blank, rows=F.embedding(index, values)
        )

    def train(self, mode: bool = True) -> TextTable:
        """Switches the mode, and forgets the rows computed so far."""
        self._cache = None
        super().train(mode)
        return self

    def prepare_for(self, state_dict: Mapping[str, Any], prefix: str) -> None:
        """Makes the table ready to load a state dict: checks where its rows come from, and builds the adapter where a
        missing bank file left its width unknown. Part of loading; whoever looks at the parameters before that calls it.

        Args:
            state_dict: What will be loaded; nothing happens where it holds no provenance.
            prefix: Where the table stands in it, with the final dot.

        Raises:
            CheckpointError: Where it holds the rows of another vocabulary.
            TextBankError: Where it was trained with another text encoder.
        """
        packed = state_dict.get(f'{prefix}_extra_state')
        if packed is None:
            return
        provenance = TableProvenance.unpack(packed)
        self._require_vocabulary(provenance.names)
        self.encoder.expect(provenance.source)
        if self.adapter is None:
            self.adapter = TextAdapter(provenance.source.width, self.channels).to(self.no_object)

    @torch.no_grad()
    def extend(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Gives a checkpoint's table rows for the names that this model has beside; those it holds stay as they are.

        Args:
            state_dict: The checkpoint's, whose vocabulary this model's begins with; changed in place.
            prefix: Where the table stands in it, with the final dot.

        Raises:
            TextBankError: Where a new name cannot be embedded as the others were.
        """
        packed = state_dict.get(f'{prefix}_extra_state')
        if packed is None:
            return
        provenance = TableProvenance.unpack(packed)
        vocabulary = self.label_spaces.vocabulary
        new = vocabulary[len(provenance.names) :]
        if not new or provenance.names + new != vocabulary:  # nothing to do, or what `prepare_for` refuses
            return
        self.encoder.expect(provenance.source)
        state_dict[f'{prefix}_extra_state'] = replace(provenance, names=vocabulary).pack()
        rows = state_dict.get(f'{prefix}table')
        parameters = {name: (p, state_dict.get(prefix + name)) for name, p in self.named_parameters()}
        if rows is None or any(theirs is None or theirs.shape != p.shape for p, theirs in parameters.values()):
            return  # `check_complete` says what does not fit
        for parameter, theirs in parameters.values():
            parameter.copy_(theirs)  # the rows are made by what will be loaded
        more = self._fresh(new).values[:-1].to(rows)
        state_dict[f'{prefix}table'] = torch.cat([rows[:-1], more, rows[-1:]])

    def get_extra_state(self) -> Tensor:
        """Where the table comes from, as bytes; part of the state dict."""
        source = self.encoder.expected or self.encoder.source()
        return TableProvenance(source, self.label_spaces.vocabulary).pack()

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing to do: it is read before the parameters are, in :meth:`_load_from_state_dict`."""

    def _names(self, space: LabelSpace) -> tuple[str, ...]:
        return draw_names(space) if self.training and self.sample_synonyms else space.names

    def _adapter(self) -> TextAdapter:
        if self.adapter is None:
            self.encoder.source()  # says which file is missing
            raise TextBankError('the text bank appeared after the model was built; build the model again')
        return self.adapter

    def _fresh(self, names: Sequence[str]) -> _Rows:
        adapter = self._adapter()
        rows = adapter(self.encoder.encode([*names, NO_OBJECT_TEXT], self.no_object.device))  # [n + 1, C]
        values = torch.cat([rows[:-1], rows[-1:] + self.no_object])
        return _Rows(values, {name: i for i, name in enumerate(names)}, len(names))

    @torch.no_grad()
    def _vocabulary_rows(self) -> Tensor:
        if self._loaded is not None and self._loaded.fits(dict(self.named_parameters())):
            return self._loaded.rows.to(self.no_object)
        return self._fresh(self.label_spaces.vocabulary).values

    @torch.no_grad()
    def _cached(self, names: Sequence[str]) -> _Rows:
        if self._cache is None:
            vocabulary = self.label_spaces.vocabulary
            position = {name: i for i, name in enumerate(vocabulary)}
            self._cache = _Rows(self._vocabulary_rows(), position, len(vocabulary))
        cache = self._cache
        new = [name for name in names if name not in cache.position]
        if new:
            rows = self._fresh(new).values[:-1]
            cache.position.update({name: len(cache.values) + i for i, name in enumerate(new)})
            cache.values = torch.cat([cache.values, rows])
        return cache

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        self._cache = None
        return super()._apply(fn, *args, **kwargs)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        self.table.copy_(self._vocabulary_rows())
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        self._cache = self._loaded = None
        self.prepare_for(state_dict, prefix)
        own = {key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(prefix)}
        needed = [name for name, _ in self.named_parameters()]
        if all(name in own for name in ('_extra_state', 'table', *needed)):
            self._loaded = _LoadedTable(
                own['table'].detach().clone(), {name: own[name].detach().clone() for name in needed}
            )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _require_vocabulary(self, names: tuple[str, ...]) -> None:
        mine = self.label_spaces.vocabulary
        if names == mine:
            return
        more, less = [n for n in names if n not in mine], [n for n in mine if n not in names]
        raise CheckpointError(
            f"the checkpoint's text table holds {len(names)} class names, this model's label spaces {len(mine)} others "
            f'or in another order (only in the checkpoint: {more[:5]}, only in the model: {less[:5]}); use the '
            'label spaces that the checkpoint was trained with'
        )
