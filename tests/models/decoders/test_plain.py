from __future__ import annotations

import torch

from mmlmseg.models.decoders import PlainDecoder
from mmlmseg.models.structures import Categories

NONE = Categories(('a', 'a'), torch.ones(2, 4, dtype=torch.bool))
SMALL = dict(num_heads=2, ffn_channels=16, dropout=0.0)


def inputs() -> dict:
    return dict(
        content=torch.randn(2, 4, 8),
        position=torch.randn(2, 4, 8),
        memory=torch.randn(2, 6, 8),
        memory_position=torch.randn(2, 6, 8),
        padding=None,
        categories=NONE,
    )


def test_every_layer_gives_normalised_queries() -> None:
    decoder = PlainDecoder(8, num_layers=3, **SMALL)
    decoder.init_weights()
    hidden = decoder(**inputs())
    assert hidden.shape == (3, 2, 4, 8)
    torch.testing.assert_close(hidden.mean(-1), torch.zeros(3, 2, 4), atol=1e-5, rtol=0)
    assert not torch.allclose(hidden[0], hidden[1])


def test_first_layers_do_not_depend_on_later_ones() -> None:
    deep, shallow = PlainDecoder(8, num_layers=3, **SMALL), PlainDecoder(8, num_layers=2, **SMALL)
    shallow.load_state_dict({name: tensor for name, tensor in deep.state_dict().items() if 'layers.2.' not in name})
    given = inputs()
    torch.testing.assert_close(shallow(**given), deep(**given)[:2])


def test_queries_see_each_other_and_their_own_image_only() -> None:
    decoder = PlainDecoder(8, num_layers=1, **SMALL)
    given = inputs()
    before = decoder(**given)
    given['memory'][1] += 1.0
    after = decoder(**given)
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])
    given['content'][1, 0] += torch.randn(8)
    assert not torch.allclose(decoder(**given)[:, 1, 1:], after[:, 1, 1:])


def test_the_order_of_the_pixels_does_not_matter() -> None:
    decoder = PlainDecoder(8, num_layers=2, **SMALL)
    given = inputs()
    before = decoder(**given)
    order = torch.randperm(6)
    for name in ('memory', 'memory_position'):
        given[name] = given[name][:, order]
    torch.testing.assert_close(decoder(**given), before)
