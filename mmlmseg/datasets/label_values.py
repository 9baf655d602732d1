"""What the values of label maps mean where they are not the labels themselves: ``ids`` and ``colours`` of a
``classes.json``, and label maps of more than 8 bits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import DataError, LabelSpaceError, OptionError, did_you_mean, written
from ..label_space import LabelSpace
from ..segments import IGNORE_INDEX, ignore_index_of
from .truth import translated

_ID = re.compile(r'0|-?[1-9]\d{0,8}')
_COLOUR = re.compile(r'(\d{1,3}), ?(\d{1,3}), ?(\d{1,3})')


@dataclass(frozen=True)
class LabelValues:
    """A table from the values of label maps, ids or colours, to labels; a value that it lacks is an error."""

    values: np.ndarray  # [V] int64, ascending: ids, or colours as R * 65536 + G * 256 + B
    labels: np.ndarray  # [V]: the label of each, uint8; uint16 for more than 255 classes
    are_colours: bool
    advice: str  # what to do about a value that is not in the table

    @classmethod
    def create(cls, labels: Mapping[int, int], num_classes: int, advice: str, are_colours: bool = False) -> LabelValues:
        """Makes a table of the label of each value, of a label space with so many classes."""
        values = sorted(labels)
        dtype = np.uint8 if ignore_index_of(num_classes) == IGNORE_INDEX else np.uint16
        return cls(
            np.array(values, np.int64), np.array([labels[value] for value in values], dtype), are_colours, advice
        )

    def read(self, image: np.ndarray) -> np.ndarray:
        """The labels of a label map as it was decoded.

        Args:
            image: Whole numbers [H, W]; of colours, BGR or BGRA, uint8 [H, W, 3 or 4].

        Returns:
            uint8 or uint16 [H, W].

        Raises:
            DataError: Where it is a map of another kind, or holds a value that means nothing.
        """
        codes = _codes(image) if self.are_colours else _ids(image)
        if codes.dtype in (np.uint8, np.uint16):
            found = self._table.take(codes)  # a tenth of the time of runs
            if found.min(initial=0) >= 0:
                return found.astype(self.labels.dtype)
        return translated(codes, self._labels_of)

    @cached_property
    def _table(self) -> np.ndarray:
        """The label of each 16-bit id, int32 [65536]; -1 where it is not in the table."""
        table = np.full(1 << 16, -1, np.int32)
        within = (self.values >= 0) & (self.values < len(table))
        table[self.values[within]] = self.labels[within]
        return table

    def _labels_of(self, distinct: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self.values, distinct).clip(max=len(self.values) - 1)
        unknown = distinct[self.values[places] != distinct].tolist()
        if unknown:
            kind, said = ('colour', map(_triple, unknown)) if self.are_colours else ('label id', map(str, unknown))
            shown = [value for value, _ in zip(said, range(5))]
            more = f' and {len(unknown) - 5} more' if len(unknown) > 5 else ''
            raise DataError(f'{kind} {"; ".join(shown)}{more} {self.advice}')
        return self.labels[places]


def read_values(
    content: Mapping[str, Any], space: LabelSpace, reduce_zero_label: bool = False, ignore_index: int = IGNORE_INDEX
) -> LabelValues | None:
    """What a ``classes.json`` says of the values in label maps; None where 8-bit values are the labels, as for mmseg.

    Args:
        content: Of the file.
        space: Its label space.
        reduce_zero_label: Whether the ids of label maps start at 1, and 0 is ignored.
        ignore_index: An id that counts nowhere, among those that are left after ``reduce_zero_label``.

    Raises:
        LabelSpaceError: Where ``ids`` or ``colours`` are ill-formed.
        DataError: Where ``ignore`` is.
        OptionError: Where an argument would change what ``ids`` or ``colours`` say.
    """
    void = ignore_index_of(space.num_classes)
    key = _table_of(content)
    if key is None and void == IGNORE_INDEX:
        return None
    if key is None:
        ignored = read_ignore(content, space.num_classes + reduce_zero_label, void)
        table = dict(zip(range(reduce_zero_label, space.num_classes + reduce_zero_label), range(space.num_classes)))
        if ignore_index != IGNORE_INDEX:
            table[ignore_index + reduce_zero_label] = void
        table |= dict.fromkeys([*ignored, void, *[0] * reduce_zero_label], void)
        first = int(reduce_zero_label)
        return LabelValues.create(
            table,
            space.num_classes,
            f'is outside the label space (allowed: {first}..{first + space.num_classes - 1} and {void} = ignore); '
            'correct the labels or the class list; where ids start at 1, set reduce_zero_label=True',
        )
    for option, value, default in (
        ('reduce_zero_label', reduce_zero_label, False),
        ('ignore_index', ignore_index, IGNORE_INDEX),
    ):
        if value != default:
            raise OptionError(
                f'{option}={value}, but "{key}" says what each value of the label maps is; leave the option out, and '
                f'write null in "{key}" for what counts nowhere'
            )
    if key == 'colours':
        if 'ignore' in content:
            raise DataError('"ignore" is an id, and label maps are "colours"; write {"R,G,B": null} there')
        table = _read_table(key, content[key], space, _colour)
        advice = 'is not named under "colours" of classes.json; add it: {"R,G,B": "class"}, or null to ignore it'
        return LabelValues.create(table, space.num_classes, advice, are_colours=True)
    table = _read_table(key, content[key], space, _id)
    largest = IGNORE_INDEX if max(table) <= IGNORE_INDEX else ignore_index_of(IGNORE_INDEX + 1)
    table.setdefault(largest, void)
    for ignored_id in read_ignore(content, 0, largest):
        if table.setdefault(ignored_id, void) != void:
            said = written(content['ids'][str(ignored_id)])
            raise DataError(f'"ignore" is {ignored_id}, which is {said} by "ids"; say it in "ids" alone')
    advice = 'is not named under "ids" of classes.json; add it: {"ID": "class"}, or null to ignore it'
    return LabelValues.create(table, space.num_classes, advice)


def read_ignore(content: Mapping[str, Any], first: int, last: int) -> list[int]:
    """Reads ``ignore``, one id or several of label maps that count nowhere, each from ``first`` to ``last``."""
    said = content.get('ignore', [])
    ids = said if isinstance(said, list) else [said]
    for one in ids:
        if not isinstance(one, int) or isinstance(one, bool) or not first <= one <= last:
            raise DataError(
                f'"ignore" is {written(said)}; it must be an id from {first} to {last} (of no class), or a '
                'list of such ids'
            )
    return ids


def _table_of(content: Mapping[str, Any]) -> str | None:
    keys = [key for key in ('ids', 'colours') if content.get(key) is not None]
    if len(keys) == 2:
        raise LabelSpaceError('has "ids" and "colours"; the label maps of a folder are of one kind, keep one')
    return keys[0] if keys else None


def _read_table(key: str, said: Any, space: LabelSpace, value_of: Any) -> dict[int, int]:
    """Labels by value; null becomes the label that counts nowhere."""
    form = '{"7": "road", "0": null}' if key == 'ids' else '{"128,64,128": "road", "0,0,0": null}'
    if not isinstance(said, Mapping):
        hint = '; what classes are drawn in is the "palette"' if key == 'colours' else ''
        raise LabelSpaceError(f'"{key}" is {written(said)}; write {form}{hint}')
    table: dict[int, int] = {}
    for text, name in said.items():
        value = value_of(text)
        if value is None:
            what = 'a whole number of at most 9 digits' if key == 'ids' else '"R,G,B" with numbers from 0 to 255'
            raise LabelSpaceError(f'"{key}" has the key {written(text)}; a key is {what}, as in {form}')
        if value in table:
            raise LabelSpaceError(f'"{key}" names {written(text)} twice, in two ways to write it; keep one')
        if name is not None and not isinstance(name, str):
            raise LabelSpaceError(f'"{key}": {written(text)} is {written(name)}; write the name of a class, or null')
        if name is not None and name.strip() not in space.classes:
            raise LabelSpaceError(
                f'"{key}": {written(text)} is the unknown class {name!r}; "classes" lists all names.'
                f'{did_you_mean(name, space.classes)}'
            )
        table[value] = ignore_index_of(space.num_classes) if name is None else space.classes.index(name.strip())
    if not set(table.values()) & set(range(space.num_classes)):
        raise LabelSpaceError(f'"{key}" names no class, so no pixel would be of any; write {form}')
    return table


def _id(text: str) -> int | None:
    return int(text) if _ID.fullmatch(text) else None


def _colour(text: str) -> int | None:
    found = _COLOUR.fullmatch(text)
    channels = [int(channel) for channel in found.groups()] if found else [256]
    return channels[0] << 16 | channels[1] << 8 | channels[2] if max(channels) < 256 else None


def _triple(code: int) -> str:
    return f'{code >> 16},{code >> 8 & 255},{code & 255}'


def _ids(image: np.ndarray) -> np.ndarray:
    image = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.ndim != 2:
        sample: Sequence[int] = image.reshape(-1, image.shape[-1])[0, 2::-1].tolist()
        raise DataError(
            f'the label map holds colours, such as {",".join(map(str, sample))}, not one id per pixel; name them under '
            '"colours" in classes.json, or save ids (PNG of mode L, P or I;16)'
        )
    if image.dtype.kind not in 'biu':
        raise DataError(f'the label map holds floating-point numbers, such as {image.flat[0]}; save whole numbers')
    return image


def _codes(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8:
        bits = 8 * image.dtype.itemsize
        raise DataError(
            f'the label map has {1 if image.ndim == 2 else image.shape[2]} channels of {bits} bits, not the 8-bit '
            'colours that classes.json names; a grey or palette file holds ids: name these under "ids"'
        )
    if image.shape[2] == 4 and (image[..., 3] != 255).any():
        raise DataError('the label map is transparent in places, where its colours mean nothing; save it without alpha')
    blue, green, red = (image[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue
