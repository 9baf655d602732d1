"""Dataclasses from what a YAML file holds, and the errors on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark.schema import fill


@dataclass(frozen=True)
class Item:
    name: str
    new: bool = False


@dataclass(frozen=True)
class Box:
    file: str
    items: tuple[Item, ...]
    sizes: tuple[int, ...] = ()
    limit: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def test_fills_every_kind_of_field() -> None:
    content = dict(items=[dict(name='a', new=True), dict(name='b')], sizes=[1, 2], limit=3, notes={'x.y': [4]})
    box = fill(Box, content, 'box.yml', file='f')
    assert box == Box('f', (Item('a', True), Item('b')), (1, 2), 3, {'x.y': [4]})
    assert fill(Box, dict(items=[], limit=None), 'box.yml', file='f') == Box('f', ())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'box.yml: must be keys with values, got None'),
        ([1], r'box.yml: must be keys with values, got \[1\]'),
        (dict(items=[], size=[1]), "box.yml: unknown key 'size'. Did you mean: sizes"),
        (dict(items=[], colour=1), "box.yml: unknown key 'colour'. Known: items, sizes, limit, notes"),
        (dict(items=[], file='g'), "box.yml: unknown key 'file'"),
        ({1: 2}, 'box.yml: unknown key 1'),
        (dict(sizes=[1]), "box.yml: lacks the key 'items'"),
        (dict(items='a'), "box.yml: items: must be a list, got 'a'"),
        (dict(items=['a']), "box.yml: items, entry 1: must be keys with values, got 'a'"),
        (dict(items=[dict(name='a'), dict(name=3)]), 'box.yml: items, entry 2: name: must be text, got 3'),
        (dict(items=[dict(new=True)]), "box.yml: items, entry 1: lacks the key 'name'"),
        (dict(items=[dict(name='a', new=1)]), 'new: must be true or false, got 1'),
        (dict(items=[], sizes=[1, 2.5]), 'box.yml: sizes, entry 2: must be a whole number, got 2.5'),
        (dict(items=[], sizes=[True]), 'must be a whole number, got True'),
        (dict(items=[], limit='3'), "box.yml: limit: must be a whole number, got '3'"),
        (dict(items=[], notes=[]), r'box.yml: notes: must be keys with values, got \[\]'),
    ],
)
def test_errors_name_the_key(content: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        fill(Box, content, 'box.yml', file='f')
