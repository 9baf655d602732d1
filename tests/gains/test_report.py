"""The report: who is said to have given, and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch

from mmlmseg.gains.counts import CountedModel
from mmlmseg.gains.report import Report, make_report
from mmlmseg.gains.report_html import to_html
from mmlmseg.label_space import LabelSpace, LabelSpaces

Counted = Callable[..., CountedModel]
CLASSES = ('sky', 'road', 'cow', 'nowhere')
SPACES = [LabelSpace.create('street', CLASSES), LabelSpace.create('farm', CLASSES), LabelSpace.create('air', ['sky'])]


def report(counted: Counted, single: CountedModel) -> Report:
    """Of a joint model that is better on streets, and was trained on three datasets."""
    return make_report([counted(1, 0.9, datasets=('street', 'farm'), spaces=SPACES, rows=torch.eye(9))], [single])


def test_donors_are_told_of_what_changed_alone(counted: Counted) -> None:
    made = report(counted, counted(2))
    assert {own.name: own.verdict for own in made.found} == dict(sky='helped', road='helped', cow='undecided')
    told = {name: [(one.space, one.name) for one in donors] for (_, name), donors in made.donors.items()}
    assert told == dict(sky=[('farm', 'sky'), ('air', 'sky')], road=[('farm', 'road')])


def test_what_the_rival_was_trained_on_too_gives_nothing(counted: Counted) -> None:
    single = replace(counted(2), spaces=LabelSpaces(SPACES[:2]))
    made = report(counted, single)
    told = {name: [(one.space, one.name) for one in donors] for (_, name), donors in made.donors.items()}
    assert told == dict(sky=[('air', 'sky')], road=[])
    assert made.to_dict()['datasets'][0]['single'] == dict(models=['model 2'], trained_on=['street', 'farm'])


def test_plain_data_tells_all(counted: Counted) -> None:
    told = json.loads(json.dumps(report(counted, counted(2)).to_dict()))
    (street,) = told['datasets']
    assert {key: street[key] for key in ('helped', 'hurt', 'undecided', 'left_out')} == dict(
        helped=2, hurt=0, undecided=1, left_out=1
    )
    assert [(own['dataset'], own['name']) for own in told['left_out']] == [('farm', None), ('street', 'nowhere')]
    sky = told['classes'][0]
    assert sky['gain'] == pytest.approx(sky['joint'] - sky['single'], abs=2e-4)
    assert sky['donors'][0] == dict(space='farm', name='sky', relation='same', source='names', similarity=0.0)


class Tags(HTMLParser):
    """Which tags stand open, and what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ''

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ('meta', 'br', 'line', 'circle'):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ('line', 'circle'):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f'{data} '


def test_the_page_is_whole_and_escaped(counted: Counted) -> None:
    page = Tags()
    page.feed(to_html(report(counted, replace(counted(2), name='<b>single'))))
    assert page.open == []
    assert '<b>single' in page.text
    assert 'farm:sky' in page.text
    assert 'same, by names, cosine 0.00' in page.text
    assert 'no single model was counted on it' in page.text
    for section in ('Helped', 'Undecided', 'Not compared', 'How to read it'):
        assert section in page.text
    assert 'Hurt ' not in page.text
