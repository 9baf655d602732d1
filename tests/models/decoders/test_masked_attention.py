"""Masked attention: what a query may look at, and that nothing else reaches it."""

from __future__ import annotations

import pytest
import torch

from mmlmseg.models.decoders import MaskedAttentionDecoder
from mmlmseg.models.decoders.masked_attention import hidden_pixels
from mmlmseg.models.structures import Categories, MemoryLevel

SMALL = dict(num_heads=2, ffn_channels=16)


def level(images: int, size: tuple[int, int], padding: torch.Tensor | None = None) -> MemoryLevel:
    shape = (images, size[0] * size[1])
    padding = torch.zeros(shape, dtype=torch.bool) if padding is None else padding
    return MemoryLevel(torch.randn(*shape, 8), torch.randn(*shape, 8), padding, size)


def test_queries_look_inside_their_masks() -> None:
    """Against a loop over samples, queries and pixels; two sets an image."""
    logits = torch.randn(4, 3, 3, 4)
    logits[1, 2] = -1.0  # an empty mask
    padding = torch.zeros(2, 12, dtype=torch.bool)
    padding[1, 8:] = True
    hidden = hidden_pixels(logits, level(2, (3, 4), padding))
    assert hidden.shape == (2, 6, 12)
    for sample in range(4):
        image, place = divmod(sample, 2)
        small = logits[sample].flatten(1)
        for query in range(3):
            visible = [p for p in range(12) if small[query, p].sigmoid() >= 0.5 and not padding[image, p]]
            visible = visible or [p for p in range(12) if not padding[image, p]]
            assert (~hidden[image, place * 3 + query]).nonzero().flatten().tolist() == visible


def test_predicts_before_every_layer_and_after_the_last(decoder_inputs) -> None:
    decoder = MaskedAttentionDecoder(8, num_levels=2, num_layers=3, **SMALL)
    decoder.init_weights()
    given = decoder_inputs(levels=2)
    hidden = decoder(**given)
    assert hidden.shape == (4, 2, 4, 8)
    torch.testing.assert_close(hidden[0], decoder.norm(given['content']))


def test_pixels_outside_the_masks_do_not_matter(decoder_inputs) -> None:
    decoder = MaskedAttentionDecoder(8, num_levels=1, num_layers=1, **SMALL)
    given = decoder_inputs()
    left = torch.tensor([1.0, 1.0, -1.0])
    given['masks_at'] = lambda hidden, size: left.expand(*hidden.shape[:2], *size)
    before = decoder(**given)
    given['memory'][0].value.view(2, 2, 3, 8)[:, :, 2] += 1.0
    torch.testing.assert_close(decoder(**given), before)
    given['memory'][0].value.view(2, 2, 3, 8)[:, :, 0] += 1.0
    assert not torch.allclose(decoder(**given)[1], before[1])


def test_levels_are_read_in_turns(decoder_inputs) -> None:
    decoder = MaskedAttentionDecoder(8, num_levels=2, num_layers=3, **SMALL)
    given = decoder_inputs(levels=2)
    before = decoder(**given)
    given['memory'][1].value.add_(1.0)
    after = decoder(**given)
    torch.testing.assert_close(after[:2], before[:2])  # the first layer reads the coarse level
    assert not torch.allclose(after[2], before[2])
    with pytest.raises(ValueError, match='makes 1 levels of memory, the decoder reads 2'):
        decoder(**decoder_inputs(levels=1))


def test_query_sets_side_by_side_are_as_each_alone(decoder_inputs) -> None:
    decoder = MaskedAttentionDecoder(8, num_levels=2, num_layers=4, **SMALL)
    given = decoder_inputs(images=2, sets=3, levels=2)
    hidden = decoder(**given)
    asked = given['categories']
    for s in range(3):
        own = dict(
            given,
            content=given['content'][s::3],
            position=given['position'][s::3],
            categories=Categories(asked.spaces[s::3], asked.valid[s::3]),
        )
        torch.testing.assert_close(hidden[:, s::3], decoder(**own))


def test_every_parameter_learns(decoder_inputs) -> None:
    decoder = MaskedAttentionDecoder(8, num_levels=2, num_layers=2, **SMALL)
    decoder(**decoder_inputs(levels=2)).square().sum().backward()
    assert [name for name, p in decoder.named_parameters() if p.grad is None] == []
