"""Masks that are matched get their logits, and gradients, from filters and pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmlmseg.models.head.mask_embedding import MaskEmbedding
from mmlmseg.models.structures import HeadOutputs


@pytest.fixture
def parts() -> tuple[Tensor, Tensor]:
    """Filters of 3 layers, 4 samples of 2 images and 5 queries; pixels of 2 images."""
    filters, pixels = torch.randn(3, 4, 5, 6, dtype=torch.float64), torch.randn(2, 6, 4, 7, dtype=torch.float64)
    return filters.requires_grad_(), pixels.requires_grad_()


def outputs(filters: Tensor | None, pixels: Tensor | None, mask_logits: Tensor) -> HeadOutputs:
    valid = torch.ones(4, 2, dtype=torch.bool)
    return HeadOutputs(torch.zeros(3, 4, 5, 2), mask_logits, valid, filters=filters, pixels=pixels)


@pytest.mark.parametrize('samples', [[0, 0, 1, 3], [2], []])
def test_matched_masks_are_those_of_all(parts, samples: list[int]) -> None:
    filters, pixels = parts
    sample = torch.tensor(samples, dtype=torch.long)
    layer, query = torch.randint(3, sample.shape), torch.randint(5, sample.shape)
    every = MaskEmbedding.masks(filters, pixels)
    wanted = outputs(None, None, every).matched_masks(layer, sample, query)
    got = outputs(filters, pixels, every.detach()).matched_masks(layer, sample, query)
    assert got.shape == (len(samples), 4, 7)
    torch.testing.assert_close(got, wanted)
    grads = torch.randn_like(wanted)
    torch.testing.assert_close(
        torch.autograd.grad(got, parts, grads), torch.autograd.grad(wanted, parts, grads, materialize_grads=True)
    )


def test_several_query_sets_of_an_image_read_its_pixels(parts) -> None:
    filters, pixels = parts
    every = MaskEmbedding.masks(filters, pixels)
    for sample in range(4):
        wanted = torch.einsum('lnc,chw->lnhw', filters[:, sample], pixels[sample // 2])
        torch.testing.assert_close(every[:, sample], wanted)
