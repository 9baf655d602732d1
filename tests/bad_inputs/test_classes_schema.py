"""The schema of classes.json says what the reader does, as far as a schema can tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from bad_class_lists import FILES
from bad_id_maps import TABLES

from mmlmseg.datasets import FolderDataset

SCHEMA = json.loads((Path(__file__).parents[2] / 'docs' / 'classes.schema.json').read_text(encoding='utf-8'))
KINDS: dict[str, Any] = dict(object=dict, array=list, string=str, null=type(None))

ACCEPTED: list[dict[str, Any]] = [
    dict(),
    dict(note='mine', name='streets', things=['car'], synonyms={'car': ['auto']}, ignore=255),
    dict(definitions={'car': 'a motor vehicle, for few'}),
    dict(palette=[[0, 0, 0], [255, 128, 0]], ignore=[2, 254]),
    dict(ids={'7': 'road', '-1': None, '65535': 'car', '0': None}, ignore=9),
    dict(colours={'128,64,128': 'road', '0, 0, 142': 'car', '255,255,255': None}),
    dict(image=dict(bands=4, scale=10000, nodata='nan')),
    dict(image=None),
    dict(things=None, ids=None, colours={'0,0,0': 'car'}),
]
REFUSED = {
    **{name: content for name, (content, _) in FILES.items() if isinstance(content, dict)},
    **{name: dict(classes=['road', 'car'], **described) for name, (described, _) in TABLES.items()},
    'no_classes': dict(classes=[]),
    'an_unknown_key_of_images': dict(classes=['road'], image=dict(depth=16)),
    'an_ignored_text': dict(classes=['road'], ignore='255'),
    'an_ignored_fraction': dict(classes=['road'], ignore=[2.5]),
}
BEYOND_A_SCHEMA = {
    'an_unknown_thing',
    'a_colour_too_few',
    'an_id_of_an_unknown_class',
    'ids_that_are_all_ignored',
    'a_colour_twice',
}
"""What depends on another entry."""


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value fits a schema; of the keywords of JSON Schema it knows those that are in use here."""
    return all(RULES[key](value, rule, schema) for key, rule in schema.items() if key not in NOTES)


def _is_kind(value: Any, kind: str) -> bool:
    number = isinstance(value, int) and not isinstance(value, bool)
    return number if kind == 'integer' else isinstance(value, KINDS[kind])


def _additional(value: Any, rule: Any, schema: dict[str, Any]) -> bool:
    known = schema.get('patternProperties', {})
    others = [item for key, item in value.items() if not any(re.search(p, key) for p in known)] if value else []
    return not others if rule is False else all(fits(item, rule) for item in others)


def _numbers(value: Any) -> list[Any]:
    return [value] if _is_kind(value, 'integer') else []


NOTES = {'$schema', 'title', 'description'}
RULES: dict[str, Any] = dict(
    type=lambda value, rule, _: any(_is_kind(value, kind) for kind in ([rule] if isinstance(rule, str) else rule)),
    required=lambda value, rule, _: set(rule) <= set(value),
    properties=lambda value, rule, _: all(fits(value[key], own) for key, own in rule.items() if key in value),
    patternProperties=lambda value, rule, _: all(
        fits(item, own)
        for pattern, own in rule.items()
        for key, item in (value.items() if isinstance(value, dict) else ())
        if re.search(pattern, key)
    ),
    additionalProperties=lambda value, rule, schema: not isinstance(value, dict) or _additional(value, rule, schema),
    propertyNames=lambda value, rule, _: all(fits(key, rule) for key in value),
    minProperties=lambda value, rule, _: not isinstance(value, dict) or len(value) >= rule,
    items=lambda value, rule, _: not isinstance(value, list) or all(fits(item, rule) for item in value),
    minItems=lambda value, rule, _: len(value) >= rule,
    maxItems=lambda value, rule, _: len(value) <= rule,
    uniqueItems=lambda value, rule, _: len({json.dumps(item) for item in value}) == len(value),
    pattern=lambda value, rule, _: not isinstance(value, str) or bool(re.search(rule, value)),
    minimum=lambda value, rule, _: all(number >= rule for number in _numbers(value)),
    maximum=lambda value, rule, _: all(number <= rule for number in _numbers(value)),
    enum=lambda value, rule, _: value in rule,
)
RULES['not'] = lambda value, rule, _: not fits(value, rule)


def built(folder: Path, content: dict[str, Any]) -> FolderDataset:
    (folder / 'classes.json').write_text(json.dumps(content))
    return FolderDataset(folder, lazy_init=True)


@pytest.mark.parametrize('described', ACCEPTED)
def test_what_the_reader_takes_fits_the_schema(tmp_path: Path, described: dict[str, Any]) -> None:
    content = dict(classes=['road', 'car'], **described)
    assert built(tmp_path, content).space.num_classes == 2
    assert fits(content, SCHEMA)


@pytest.mark.parametrize('name', REFUSED)
def test_what_the_reader_refuses_does_not_fit_the_schema(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r'classes\.json: '):
        built(tmp_path, REFUSED[name])
    try:
        fitting = fits(REFUSED[name], SCHEMA)
    except TypeError:  # a rule that is of another kind of value
        fitting = False
    assert fitting == (name in BEYOND_A_SCHEMA)
