"""Claims follow from sets of concepts; the right answers here were told by hand."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import torch

from mmlmseg.audit import Claim, claims_of_names, declared, judged, suggested
from mmlmseg.audit.claims import Place
from mmlmseg.audit.relations_file import relations_file
from mmlmseg.audit.report_html import html_report
from mmlmseg.audit.report_json import json_report
from mmlmseg.evaluation.confusion import Confusion
from mmlmseg.label_space import LabelSpace
from mmlmseg.relations import Relations, resolve

STREET = LabelSpace.create('street', ['sky', 'building', 'car', 'van', 'person', 'vegetation', 'background'])
CITY = LabelSpace.create('city', ['Sky', 'house', 'automobile', 'caravan', 'rider', 'tree', 'background'])
PEOPLE = LabelSpace.create('people', ['hair', 'vehicle', 'window'])


def said(claims: list[Claim]) -> set[tuple[str, str, str]]:
    return {(claim.kind, str(claim.first), str(claim.second)) for claim in claims}


def test_claims_of_two_spaces() -> None:
    claims = claims_of_names([STREET, CITY])
    assert said(claims) == {
        ('same', 'street:sky', 'city:Sky'),
        ('inside', 'city:house', 'street:building'),
        ('clash', 'street:car', 'city:automobile'),  # only street has vans beside it, only city caravans
        ('inside', 'street:van', 'city:automobile'),
        ('inside', 'city:caravan', 'street:car'),
        ('inside', 'city:rider', 'street:person'),
        ('inside', 'city:tree', 'street:vegetation'),
    }
    why = {str(claim.first): claim.why for claim in claims}
    assert why['street:car'] == (
        'both cover car, but only street counts caravan with it and only city counts van with it'
    )
    assert why['city:house'] == 'house is counted with building in street'


def test_parts_are_no_kinds() -> None:
    claims = said(claims_of_names([PEOPLE, STREET]))
    assert ('part_of', 'people:hair', 'street:person') in claims
    assert ('part_of', 'people:window', 'street:building') in claims
    assert ('inside', 'street:car', 'people:vehicle') in claims


def test_finer_names_beside_make_a_class_smaller() -> None:
    fine = LabelSpace.create('fine', ['building', 'window'])
    (claim, *_) = claims_of_names([fine, STREET])
    assert claim.kind == 'inside'
    assert (str(claim.first), str(claim.second)) == ('fine:building', 'street:building')
    assert claim.why == 'both mean building, but street counts window with it'


def test_claims_never_contradict_each_other() -> None:
    """Of every three stock datasets together, what is declared can be resolved."""
    types = ['ADE20KDataset', 'CityscapesDataset', 'COCOStuffDataset', 'PascalContextDataset59', 'MapillaryDataset_v1']
    spaces = [LabelSpace.from_dataset(name) for name in types]
    for some in combinations(spaces, 3):
        claims = claims_of_names(some)
        assert len(claims) > 50
        resolve(declared(claims), tuple(some))
    resolve(declared(claims_of_names(spaces)), tuple(spaces))


def confusion(truth: LabelSpace, asked: LabelSpace, found: dict[str, dict[str, int]]) -> Confusion:
    counts = torch.zeros(truth.num_classes, asked.num_classes, dtype=torch.long)
    for name, row in found.items():
        for other, pixels in row.items():
            counts[truth.classes.index(name), asked.classes.index(other)] = pixels
    return Confusion(truth, asked, counts, 0, 1)


@pytest.fixture
def confusions() -> dict[tuple[str, str], Confusion]:
    known = {name: {name: 5000} for name in STREET.classes if name != 'van'}
    return {
        ('street', 'street'): confusion(STREET, STREET, {**known, 'van': {'van': 1000, 'car': 4000}}),
        ('city', 'city'): confusion(CITY, CITY, {name: {name: 5000} for name in CITY.classes}),
        ('street', 'city'): confusion(
            STREET, CITY, {'sky': {'Sky': 9000, 'house': 1000}, 'person': {'caravan': 5000}, 'building': {'house': 50}}
        ),
        ('city', 'street'): confusion(
            CITY,
            STREET,
            {
                'Sky': {'sky': 5000},
                'house': {'building': 400, 'sky': 9600},
                'rider': {'person': 3000, 'car': 7000},
                'caravan': {'person': 6000, 'car': 4000},
                'tree': {'vegetation': 900},
            },
        ),
    }


def test_a_model_confirms_and_doubts(confusions: dict[tuple[str, str], Confusion]) -> None:
    claims = {str(claim.first): claim for claim in judged(claims_of_names([STREET, CITY]), confusions)}
    assert claims['street:sky'].found == (0.9, 1.0)
    assert claims['street:sky'].verdict == 'confirmed'
    assert claims['city:house'].found == (pytest.approx(0.04), None)  # 50 pixels tell nothing
    assert claims['city:house'].verdict == 'doubted'
    assert claims['city:rider'].verdict == ''  # 30 % is neither
    assert claims['city:tree'].found == (None, None)  # 900 pixels
    relations = declared([*claims.values()])
    assert ('street:sky', 'city:Sky') in relations.same
    assert ('city:house', 'street:building') not in relations.inside


def test_what_a_model_does_not_know_itself_it_does_not_judge(confusions: dict[tuple[str, str], Confusion]) -> None:
    confusions['city', 'street'] = confusion(CITY, STREET, {'automobile': {'van': 5000}})
    (claim,) = judged([Claim('inside', Place('city', 2, 'automobile'), Place('street', 3, 'van'), '')], confusions)
    assert claim.found == (None, None)


def test_a_model_suggests_what_it_finds_both_ways(confusions: dict[tuple[str, str], Confusion]) -> None:
    claims = claims_of_names([STREET, CITY])
    (found,) = suggested(claims, confusions)
    assert {str(found.first), str(found.second)} == {'street:person', 'city:caravan'}
    assert found.kind == 'same'
    assert sorted(found.found) == [0.6, 1.0]


def test_the_relations_file_is_read_as_what_is_declared(
    tmp_path: Path, confusions: dict[tuple[str, str], Confusion]
) -> None:
    odd = LabelSpace.create('odd', ['Sky #1: "blue", clear', 'motor car'])
    claims = claims_of_names([STREET, CITY, odd])
    for some in (claims, judged(claims, confusions), [c for c in claims if c.kind == 'clash'], []):
        text = relations_file(some)
        (tmp_path / 'relations.yml').write_text(text)
        assert Relations.from_config(tmp_path / 'relations.yml') == declared(some)
    assert '# - [' in relations_file(judged(claims, confusions))


def test_reports_hold_every_claim(confusions: dict[tuple[str, str], Confusion]) -> None:
    claims = judged(claims_of_names([STREET, CITY]), confusions)
    page = html_report(
        [STREET, CITY], claims, suggested(claims, confusions), {'street:sky': 'data:image/jpeg;base64,x'}
    )
    assert page.count('<div class="claim"') == len(claims) + 1
    assert 'street:car clashes with city:automobile' in page
    assert '<img alt="street:sky" src="data:image/jpeg;base64,x">' in page
    assert 'The model finds 90% of street:sky as Sky.' in page
    report = json_report([STREET, CITY], claims)
    assert len(report['claims']) == len(claims)
    house = next(one for one in report['claims'] if one['first'] == 'city:house')
    assert house == dict(
        kind='inside',
        first='city:house',
        second='street:building',
        why='house is counted with building in street',
        found=[0.04, None],
        verdict='doubted',
    )


def test_names_cannot_write_html() -> None:
    bad = [LabelSpace.create(name, ['<b>sky</b>', 'car']) for name in ('one', 'two')]
    page = html_report(bad, claims_of_names(bad))
    assert '<b>sky</b>' not in page
    assert '&lt;b&gt;sky' in page
