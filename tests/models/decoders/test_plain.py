from __future__ import annotations

import pytest
import torch

from mmlmseg.models.decoders import CategoryGuidedDecoder, PlainDecoder
from mmlmseg.models.structures import Categories

SMALL = dict(num_heads=2, ffn_channels=16, dropout=0.0)


def test_every_layer_gives_normalised_queries(decoder_inputs) -> None:
    decoder = PlainDecoder(8, num_layers=3, **SMALL)
    decoder.init_weights()
    hidden = decoder(**decoder_inputs())
    assert hidden.shape == (3, 2, 4, 8)
    torch.testing.assert_close(hidden.mean(-1), torch.zeros(3, 2, 4), atol=1e-5, rtol=0)
    assert not torch.allclose(hidden[0], hidden[1])


def test_first_layers_do_not_depend_on_later_ones(decoder_inputs) -> None:
    deep, shallow = PlainDecoder(8, num_layers=3, **SMALL), PlainDecoder(8, num_layers=2, **SMALL)
    shallow.load_state_dict({name: tensor for name, tensor in deep.state_dict().items() if 'layers.2.' not in name})
    given = decoder_inputs()
    torch.testing.assert_close(shallow(**given), deep(**given)[:2])


def test_queries_see_each_other_and_their_own_image_only(decoder_inputs) -> None:
    decoder = PlainDecoder(8, num_layers=1, **SMALL)
    given = decoder_inputs()
    before = decoder(**given)
    given['memory'][0].value[1] += 1.0
    after = decoder(**given)
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])
    given['content'][1, 0] += torch.randn(8)
    assert not torch.allclose(decoder(**given)[:, 1, 1:], after[:, 1, 1:])


def test_the_order_of_the_pixels_does_not_matter(decoder_inputs) -> None:
    decoder = PlainDecoder(8, num_layers=2, **SMALL)
    given = decoder_inputs()
    before = decoder(**given)
    order = torch.randperm(6)
    for values in (given['memory'][0].value, given['memory'][0].position):
        values.copy_(values[:, order].clone())
    torch.testing.assert_close(decoder(**given), before)


@pytest.mark.parametrize('decoder', [PlainDecoder(8, **SMALL), CategoryGuidedDecoder(8, **SMALL)])
def test_query_sets_side_by_side_are_as_each_alone(decoder_inputs, decoder: PlainDecoder) -> None:
    given = decoder_inputs(images=2, sets=3)
    hidden = decoder(**given)
    for s in range(3):
        asked = given['categories']
        own = dict(
            given,
            content=given['content'][s::3],
            position=given['position'][s::3],
            categories=Categories(asked.spaces[s::3], asked.valid[s::3], asked.rows[s::3]),
        )
        torch.testing.assert_close(hidden[:, s::3], decoder(**own))
