from __future__ import annotations

import pytest
import torch
from torch import nn

from mmlmseg.models.decoders import CategoryGuidedDecoder, PlainDecoder
from mmlmseg.models.decoders.blocks import UnprojectedAttention
from mmlmseg.models.structures import Categories

SMALL = dict(num_layers=2, num_heads=2, ffn_channels=16, dropout=0.0)


def inputs(batch: int = 2, channels: int = 8, width: int = 3) -> dict:
    valid = torch.ones(batch, width + 1, dtype=torch.bool)
    return dict(
        content=torch.zeros(batch, 4, channels),
        position=torch.randn(batch, 4, channels),
        memory=torch.randn(batch, 6, channels),
        memory_position=torch.randn(batch, 6, channels),
        padding=torch.zeros(batch, 6, dtype=torch.bool),
        categories=Categories(('a',) * batch, valid, torch.randn(batch, width + 1, channels)),
    )


@pytest.mark.parametrize('project', [True, False])
@pytest.mark.parametrize('order', ['visual-text', 'text-visual'])
def test_queries_see_the_rows_of_their_own_space_only(order: str, project: bool) -> None:
    decoder = CategoryGuidedDecoder(8, order=order, project_keys_values=project, **SMALL)
    decoder.init_weights()
    given = inputs()
    hidden = decoder(**given)
    assert hidden.shape == (2, 2, 4, 8)

    asked = given['categories']
    asked.valid[1, 1] = False
    narrow = decoder(**given)
    torch.testing.assert_close(narrow[:, 0], hidden[:, 0])
    assert not torch.allclose(narrow[:, 1], hidden[:, 1])
    asked.rows[1, 1] = 100.0  # a row that is not valid does not matter
    torch.testing.assert_close(decoder(**given), narrow)
    asked.rows[1, 3] = 100.0  # the no-object row does
    assert not torch.allclose(decoder(**given)[:, 1], narrow[:, 1])


def test_the_orders_differ() -> None:
    decoders = [CategoryGuidedDecoder(8, order=order, **SMALL) for order in ('visual-text', 'text-visual')]
    decoders[1].load_state_dict(decoders[0].state_dict())
    given = inputs()
    assert not torch.allclose(decoders[0](**given), decoders[1](**given))
    with pytest.raises(ValueError, match='order must be'):
        CategoryGuidedDecoder(8, order='visual', **SMALL)


@pytest.mark.parametrize(
    'decoder',
    [
        PlainDecoder(8, **SMALL),
        CategoryGuidedDecoder(8, **SMALL),
        CategoryGuidedDecoder(8, project_keys_values=False, **SMALL),
    ],
)
def test_padding_is_not_seen(decoder) -> None:
    given = inputs()
    given['padding'][1, 4:] = True
    hidden = decoder(**given)
    given['memory'][1, 4:] = 100.0
    torch.testing.assert_close(decoder(**given), hidden)


@pytest.mark.parametrize('project', [True, False])
def test_every_parameter_learns(project: bool) -> None:
    decoder = CategoryGuidedDecoder(8, project_keys_values=project, **SMALL)
    decoder(**inputs()).square().sum().backward()
    assert [name for name, p in decoder.named_parameters() if p.grad is None] == []


def test_only_cross_attention_can_do_without_key_and_value_projections() -> None:
    layer = CategoryGuidedDecoder(8, project_keys_values=False, **SMALL).layers[1]
    kinds = [type(block.attention) for block in (layer.among_queries, layer.visual, layer.text)]
    assert kinds == [nn.MultiheadAttention, UnprojectedAttention, UnprojectedAttention]


def test_text_is_needed() -> None:
    given = inputs()
    given['categories'] = Categories(('a', 'a'), given['categories'].valid)
    with pytest.raises(ValueError, match='needs text rows'):
        CategoryGuidedDecoder(8, **SMALL)(**given)
    PlainDecoder(8, **SMALL)(**given)
