from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch

from mmlmseg.audit import Concepts
from mmlmseg.class_texts import readings
from mmlmseg.errors import LabelSpaceError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.criterion import semantic_targets
from mmlmseg.models.structures import Categories
from mmlmseg.models.text.variation import check_choices, draw_texts, drop_absent, present_classes, with_lexicon

SPACE = LabelSpace.create(
    'street',
    ['Sky', 'car, auto', 'tree', 'bush'],
    synonyms={'car, auto': ['motor-car', 'tree'], 'tree': ['plant', 'Motor car'], 'bush': ['plant', 'shrub']},
)


def test_nothing_to_draw_is_refused() -> None:
    check_choices([[('sky',)], readings(SPACE)])
    with pytest.raises(LabelSpaceError, match=r"no class of the label spaces has one.*synonyms=\{'car'.*'lexicon'"):
        check_choices([readings(LabelSpace.create('s', ['sky', 'car']))])


def test_the_lexicon_adds_names_that_mean_the_same_and_no_other_class() -> None:
    space = LabelSpace.create('s', ['Road', 'sidewalk', 'pavement', 'zorp'], synonyms={'Road': ['way']})
    concepts = Concepts.from_yaml()
    alike = {name for name, concept in concepts.called.items() if concept == 'road'} - {'road'}
    assert len(alike) > 2
    found = with_lexicon(space, concepts, lambda name: name != 'street')
    road, sidewalk, pavement, zorp = readings(found)
    assert road[:2] == ('road', 'way')
    assert set(road[2:]) == alike - {'street'}
    assert 'footpath' in sidewalk
    assert 'pavement' not in sidewalk  # a class of its own
    assert (pavement, zorp) == (('pavement',), ('zorp',))


def test_names_are_drawn_uniformly_and_independently() -> None:
    counts = Counter(draw_texts(readings(SPACE)) for _ in range(4000))
    assert set(counts) == set(itertools.product(*readings(SPACE)))  # 1 * 2 * 1 * 2
    assert all(abs(count - 1000) < 150 for count in counts.values())  # 5.5 standard deviations


def test_draws_follow_the_seed_and_stay_in_range(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append([draw_texts(readings(SPACE)) for _ in range(5)])
    assert drawn[0] == drawn[1]
    monkeypatch.setattr(torch, 'rand', lambda size: torch.full((size,), 1 - 2**-24))  # the largest it can give
    assert draw_texts(readings(SPACE)) == ('sky', 'auto', 'tree', 'shrub')


def test_present_classes_are_those_of_the_truth() -> None:
    maps = torch.randint(0, 6, (5, 4, 4))
    maps[maps == 5] = 255
    maps[4] = 255  # nothing annotated
    present = present_classes([semantic_targets(maps[:2]), semantic_targets(maps[2:, :2])], num_classes=7)
    seen = [*maps[:2], *maps[2:, :2]]
    assert present.tolist() == [[bool((m == k).any()) for k in range(7)] for m in seen]


def random_categories(rows: bool = True) -> Categories:
    valid = torch.rand(64, 21) < 0.8
    valid[:, -1] = True
    values = torch.randn(64, 21, 3) * valid[..., None]
    return Categories(spaces=('street',) * 64, valid=valid, rows=values.requires_grad_() if rows else None)


def test_only_absent_classes_are_dropped_and_at_the_given_rate() -> None:
    categories = random_categories()
    present = (torch.rand(64, 20) < 0.3) & categories.valid[:, :-1]
    thinned = drop_absent(categories, present, 0.25)
    assert thinned.spaces == categories.spaces
    gone = categories.valid & ~thinned.valid
    assert not (thinned.valid & ~categories.valid).any()
    assert not gone[:, -1].any()
    assert not (gone[:, :-1] & present).any()
    absent = categories.valid[:, :-1] & ~present
    assert abs(gone.sum() / absent.sum() - 0.25) < 0.06  # 4 standard deviations
    assert gone.unique(dim=0).shape[0] > 32  # drawn for each sample
    assert thinned.rows is not None
    assert categories.rows is not None
    assert (thinned.rows[~thinned.valid] == 0).all()
    assert torch.equal(thinned.rows[thinned.valid], categories.rows[thinned.valid])
    (grad,) = torch.autograd.grad(thinned.rows.sum(), categories.rows)
    assert torch.equal(grad[..., 0].bool(), thinned.valid)


def test_nothing_is_dropped_at_zero_or_without_leave() -> None:
    categories = random_categories(rows=False)
    none = torch.zeros(64, 20, dtype=torch.bool)
    assert torch.equal(drop_absent(categories, none, 0.0).valid, categories.valid)
    assert torch.equal(drop_absent(categories, ~none, 0.99).valid, categories.valid)
    before = categories.valid.clone()
    assert drop_absent(categories, none, 0.5).rows is None
    assert torch.equal(categories.valid, before)
    for wrong in (-0.1, 1.0):
        with pytest.raises(ValueError, match=rf'probability in \[0, 1\), got {wrong}'):
            drop_absent(categories, none, wrong)
