from __future__ import annotations

import pytest
import torch

from mmlmseg.models import numerics
from mmlmseg.models.numerics import ClassActivation, at_least_float32, class_probabilities, no_autocast

VALID = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 1]], dtype=torch.bool)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_lifted(dtype: torch.dtype) -> None:
    assert at_least_float32(torch.ones(2, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_full_precision_passes_untouched(dtype: torch.dtype) -> None:
    tensor = torch.ones(2, dtype=dtype)
    assert at_least_float32(tensor) is tensor


def test_no_autocast_keeps_the_precision_of_products() -> None:
    matrix = torch.ones(2, 2)
    with torch.autocast('cpu', torch.bfloat16):
        assert (matrix @ matrix).dtype == torch.bfloat16
        with no_autocast(matrix):
            assert (matrix @ matrix).dtype == torch.float32


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_probabilities_are_those_of_loops(activation: ClassActivation) -> None:
    logits = torch.randn(2, 2, 5, 4, dtype=torch.float64)
    got = class_probabilities(logits, VALID, activation)
    for layer, b, n in torch.cartesian_prod(*map(torch.arange, logits.shape[:3])).tolist():
        row = logits[layer, b, n]
        weights = torch.where(VALID[b], row.exp(), 0.0)
        expected = weights / (weights.sum() if activation == 'softmax' else 1 + row.exp())
        if activation == 'sigmoid':
            expected[-1] = 0
        torch.testing.assert_close(got[layer, b, n], expected)
    alone = class_probabilities(logits[-1, 1], VALID[1], activation)  # of one sample
    assert torch.equal(alone, got[-1, 1])


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_masked_classes_get_no_probability_and_no_gradient(activation: ClassActivation) -> None:
    logits = torch.randn(2, 2, 5, 4, requires_grad=True)
    probabilities = class_probabilities(logits, VALID, activation)
    assert probabilities[:, 1, :, 2].abs().max() == 0
    probabilities[..., :3].square().sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[:, 1, :, 2].abs().max() == 0
    assert bool(logits.grad[..., 3].any()) == (activation == 'softmax')


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_half_precision_is_lifted_to_float32(activation: ClassActivation) -> None:
    logits = 10 * torch.randn(1, 2, 5, 4, dtype=torch.bfloat16)
    with torch.autocast('cpu', torch.bfloat16):
        got = class_probabilities(logits, VALID, activation)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, class_probabilities(logits.double(), VALID, activation).float())


@pytest.mark.parametrize(
    ('precision', 'native', 'wanted', 'word'),
    [
        ('auto', True, torch.bfloat16, ''),
        ('auto', False, torch.float32, 'precision: float32, as this machine'),
        ('bfloat16', True, torch.bfloat16, ''),
        ('bfloat16', False, torch.bfloat16, 'slower in it than in float32'),
        ('float32', True, torch.float32, ''),
    ],
)
def test_precision_follows_the_machine(monkeypatch, precision, native: bool, wanted: torch.dtype, word: str) -> None:
    said: list[str] = []
    monkeypatch.setattr(numerics, 'gains_by_bfloat16', lambda device: native)
    monkeypatch.setattr(numerics, 'print_log', lambda text, *_: said.append(text))
    numerics._say.cache_clear()
    matrix = torch.ones(2, 2)
    for _ in range(2):
        with numerics.precision_context(precision, matrix.device):
            assert (matrix @ matrix).dtype == wanted
    assert len(said) == bool(word)
    assert word in ''.join(said)


@pytest.mark.parametrize('precision', ['auto', 'bfloat16', 'float32'])
def test_an_autocast_around_the_model_goes_first(precision) -> None:
    matrix = torch.ones(2, 2)
    with torch.autocast('cpu', torch.float16), numerics.precision_context(precision, matrix.device):
        assert (matrix @ matrix).dtype == torch.float16


@pytest.mark.parametrize(
    ('flags', 'wanted'),
    [
        ((True, True, True, False, False), True),
        ((True, True, True, False, True), False),
        ((True, True, True, True, True), True),
        ((True, True, False, True, True), True),
        ((True, True, False, False, False), False),
        ((True, False, False, False, False), True),
        ((False, True, True, True, False), False),
    ],
)
def test_a_cpu_gains_by_bfloat16_by_its_instructions(monkeypatch, flags: tuple[bool, ...], wanted: bool) -> None:
    """oneDNN's word, AVX512, its bfloat16, AMX, Intel: where oneDNN says yes on x86 without either, it emulates."""
    onednn, *cpu, intel = flags
    monkeypatch.setattr(numerics, '_is_intel', lambda: intel)
    names = ('_is_avx512_supported', '_is_avx512_bf16_supported', '_is_amx_tile_supported')
    monkeypatch.setattr(numerics, '_onednn_has_bfloat16', lambda: onednn)
    for name, flag in zip(names, cpu, strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda flag=flag: flag)
    assert numerics.gains_by_bfloat16(torch.device('cpu')) is wanted
    assert numerics.gains_by_bfloat16(torch.device('meta')) is False
