"""The reports hold what was found, in a form that browsers and programs read."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmlmseg.doctor import KINDS, Examination, html_report, json_report

ROOT = Path(__file__).resolve().parents[2]
Make, Look = Callable[..., Path], Callable[..., Examination]
_TYPES = {'object': dict, 'array': list, 'string': str, 'integer': int, 'number': (int, float), 'null': type(None)}


@pytest.fixture
def seen(make_streets: Make, make_parts: Make, look: Look) -> Examination:
    """A folder with an id outside, an odd name and an unreadable image, and a file of objects."""
    root = make_streets('a<b>&"c"', classes=('road', '<script>', 'car'))
    Image.fromarray(np.full((48, 64), 77, np.uint8)).save(root / 'labels' / '1.png')
    (root / 'images' / '0.jpg').write_text('no image')
    return look(root, make_parts())


def check(value: Any, schema: dict[str, Any], where: str = '') -> None:
    """As much of JSON Schema as docs/doctor.schema.json uses."""
    if 'enum' in schema:
        assert value in schema['enum'], where
        return
    kinds = schema['type'] if isinstance(schema['type'], list) else [schema['type']]
    assert any(isinstance(value, _TYPES[kind]) for kind in kinds), where
    if isinstance(value, dict):
        assert list(value) == schema['required'] == list(schema['properties']), where
        for key, own in value.items():
            check(own, schema['properties'][key], f'{where}.{key}')
    if isinstance(value, list):
        for own in value:
            check(own, schema['items'], f'{where}[]')


def test_the_json_report_is_as_its_schema_says(seen: Examination) -> None:
    report = json.loads(json.dumps(json_report(seen)))
    check(report, json.loads((ROOT / 'docs' / 'doctor.schema.json').read_text()))
    assert report['summary']['errors'] == 2
    assert [one['code'] for one in report['findings'][:2]] == ['image', 'ids']
    assert report['datasets'][0]['sizes'] == [[48, 64], [48, 64]]


class Page(HTMLParser):
    """Tags that are open, addresses, and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text = ''
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or '' for key, value in attrs if key in ('src', 'href')]
        if tag not in ('meta', 'br', 'img', 'rect'):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != 'rect':
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_html_report_is_one_sound_file(seen: Examination) -> None:
    page = Page(html_report(seen))
    assert page.open == []
    assert page.addresses
    assert all(address.startswith('data:image/jpeg;base64,') for address in page.addresses)
    assert 'a<b>&"c" (train): 1 of 4 samples: ids outside of the label space' in page.text
    assert '<script>' in page.text
    for finding in seen.findings:
        assert finding.advice in page.text


def test_pictures_show_ids_outside(seen: Examination) -> None:
    code = re.findall(r'base64,([^"]+)', html_report(seen))[0]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert('RGB')).astype(int)
    labels = picture[60:150, 280:460].reshape(-1, 3).mean(0)
    assert labels[0] > labels[1] + 60  # magenta over the image
    assert labels[2] > labels[1] + 60


def test_an_empty_examination_is_a_report_too(look: Look, tmp_path: Path) -> None:
    (tmp_path / 'none').mkdir()
    seen = look(tmp_path / 'none')
    assert 'holds no classes.json' in html_report(seen)
    assert json_report(seen)['summary']['images'] == 0


def test_every_kind_is_described_in_the_documentation() -> None:
    text = (ROOT / 'docs' / 'doctor.md').read_text()
    rows = dict(re.findall(r'^\| `([\w-]+)` \| (\w+) \|', text, re.MULTILINE))
    assert rows == {code: kind.severity for code, kind in KINDS.items()}
