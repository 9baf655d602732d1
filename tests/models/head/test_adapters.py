from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from mmlmseg.errors import CheckpointError, LabelSpaceError
from mmlmseg.label_space import LabelSpaces
from mmlmseg.models.head.adapters import SpaceAdapter, SpaceAdapters, served_alone
from mmlmseg.models.head.classifiers import LinearClassifier

CONFIG = dict(type='mmlmseg.SpaceAdapter', width=4)


def adapters(spaces, **configs: dict) -> SpaceAdapters:
    """With weights that are not zero."""
    module = SpaceAdapters(8, LabelSpaces(spaces), configs)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def test_an_untrained_adapter_changes_nothing() -> None:
    adapter = SpaceAdapter(8, width=4)
    queries = torch.randn(2, 5, 8)
    assert adapter(queries).equal(queries)
    adapter(queries).square().sum().backward()
    assert adapter.up.weight.grad.abs().sum() > 0


def test_only_samples_of_adapted_spaces_change(spaces) -> None:
    module = adapters(spaces, facade=CONFIG)
    queries = torch.randn(2, 3, 5, 8)
    with torch.no_grad():
        found = module(queries, ('street', 'facade', 'street'))
        x = queries[:, 1]
        down, up = module.own[0].down, module.own[0].up
        expected = x + (x @ down.weight.T + down.bias).clamp(min=0) @ up.weight.T + up.bias
        torch.testing.assert_close(found[:, 1], expected)
        assert found[:, ::2].equal(queries[:, ::2])
        assert module(queries, ('street',) * 3) is queries
        module.own[0].down.weight.fill_(torch.nan)  # not even weights gone wrong reach other spaces
        assert module(queries, ('street', 'facade', 'street'))[:, ::2].equal(queries[:, ::2])


def test_adapters_stand_in_the_order_of_the_spaces(spaces) -> None:
    module = adapters(spaces, facade=dict(CONFIG, width=2), street=dict(CONFIG, width=3))
    assert [own.down.out_features for own in module.own] == [3, 2]
    names = {'own.1.down.weight', 'own.1.down.bias', 'own.1.up.weight', 'own.1.up.bias'}
    assert module.start('facade', {}).keys() == names
    with pytest.raises(LabelSpaceError, match=r'unknown label space .street1.*Did you mean: street'):
        adapters(spaces, street1=CONFIG)


def test_idle_adapters_get_a_zero_gradient(spaces) -> None:
    module = adapters(spaces, facade=CONFIG, street=CONFIG)
    module(torch.randn(1, 1, 5, 8), ('street',)).sum().backward()
    assert all(parameter.grad.eq(0).all() for parameter in module.own[1].parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.own[0].parameters())


def test_what_serves_one_space_alone_is_known_by_prefix(spaces) -> None:
    model = nn.Sequential(adapters(spaces, facade=CONFIG), LinearClassifier(8, LabelSpaces(spaces)))
    assert served_alone(model) == {'0.own.0': 'facade', '1.layers.0': 'street', '1.layers.1': 'facade'}


def test_weights_of_fewer_spaces_go_to_these_spaces(spaces) -> None:
    """Also where a name begins as another does: own.1, own.10."""
    old = LinearClassifier(8, LabelSpaces(spaces)).state_dict()
    more = [replace(spaces[0], name=f'more{i}') for i in range(9)]
    new = LinearClassifier(8, LabelSpaces([spaces[1], *more, spaces[0]]))
    weights = new.from_fewer(old, [space.name for space in spaces])
    assert weights.keys() == new.state_dict().keys()
    assert weights['layers.10.weight'] is old['layers.0.weight']
    assert weights['layers.0.bias'] is old['layers.1.bias']
    for place in range(1, 10):
        assert weights[f'layers.{place}.weight'].equal(new.layers[place].weight)


def test_parts_of_a_space_that_has_none_any_more_are_refused(spaces) -> None:
    old = adapters(spaces, street=CONFIG, facade=CONFIG).state_dict()
    with pytest.raises(
        CheckpointError, match=r'holds own\.1 of SpaceAdapters, but the config has only 1 for street, fac'
    ):
        adapters(spaces, facade=CONFIG).from_fewer(old, ['street', 'facade'])
