from __future__ import annotations

import pytest
import torch

from mmlmseg.models.decoders import CategoryGuidedDecoder, PlainDecoder
from mmlmseg.models.decoders.attention import MultiHeadAttention, UnprojectedAttention
from mmlmseg.models.structures import Categories

SMALL = dict(num_layers=2, num_heads=2, ffn_channels=16, dropout=0.0)


@pytest.mark.parametrize('project', [True, False])
@pytest.mark.parametrize('order', ['visual-text', 'text-visual'])
def test_queries_see_the_rows_of_their_own_space_only(decoder_inputs, order: str, project: bool) -> None:
    decoder = CategoryGuidedDecoder(8, order=order, project_keys_values=project, **SMALL)
    decoder.init_weights()
    given = decoder_inputs()
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


def test_the_orders_differ(decoder_inputs) -> None:
    decoders = [CategoryGuidedDecoder(8, order=order, **SMALL) for order in ('visual-text', 'text-visual')]
    decoders[1].load_state_dict(decoders[0].state_dict())
    given = decoder_inputs()
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
def test_padding_is_not_seen(decoder_inputs, decoder) -> None:
    given = decoder_inputs()
    given['memory'][0].padding[1, 4:] = True
    hidden = decoder(**given)
    given['memory'][0].value[1, 4:] = 100.0
    torch.testing.assert_close(decoder(**given), hidden)


@pytest.mark.parametrize('project', [True, False])
def test_every_parameter_learns(decoder_inputs, project: bool) -> None:
    decoder = CategoryGuidedDecoder(8, project_keys_values=project, **SMALL)
    decoder(**decoder_inputs()).square().sum().backward()
    assert [name for name, p in decoder.named_parameters() if p.grad is None] == []


def test_only_cross_attention_can_do_without_key_and_value_projections() -> None:
    layer = CategoryGuidedDecoder(8, project_keys_values=False, **SMALL).layers[1]
    kinds = [type(block.attention) for block in (layer.self_attention, layer.image_attention, layer.text_attention)]
    assert kinds == [MultiHeadAttention, UnprojectedAttention, UnprojectedAttention]


def test_text_is_needed(decoder_inputs) -> None:
    given = decoder_inputs()
    given['categories'] = Categories(('a', 'a'), given['categories'].valid)
    with pytest.raises(ValueError, match='needs text rows'):
        CategoryGuidedDecoder(8, **SMALL)(**given)
    PlainDecoder(8, **SMALL)(**given)
