from __future__ import annotations

import math

import pytest
import torch

from mmlmseg.label_space import LabelSpaces
from mmlmseg.models.head.classifiers import LinearClassifier, TextClassifier, UnifiedClassifier
from mmlmseg.models.structures import Categories


def categories(channels: int = 6) -> Categories:
    """Two samples, of 3 and 2 classes; width 3."""
    valid = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 1]], dtype=torch.bool)
    rows = torch.randn(2, 4, channels, dtype=torch.float64) * valid[..., None]
    return Categories(('a', 'b'), valid, rows)


def test_text_logits_are_cosines_over_tau() -> None:
    asked = categories()
    queries = torch.randn(2, 2, 5, 6, dtype=torch.float64)
    logits = TextClassifier(6, tau=0.1).double()(queries, asked)
    assert torch.isfinite(logits).all()
    for layer in range(2):
        for b in range(2):
            for n in range(5):
                for k in range(4):
                    q, t = queries[layer, b, n], asked.rows[b, k]
                    expected = (q @ t / (q.norm() * t.norm()) / 0.1) if asked.valid[b, k] else 0.0
                    assert float(logits[layer, b, n, k]) == pytest.approx(float(expected), abs=1e-6)


def test_tau_can_be_learned_within_its_bound() -> None:
    classifier = TextClassifier(6, learn_tau=True)
    logits = classifier(torch.randn(1, 2, 5, 6), categories())
    logits.sum().backward()
    assert classifier.log_scale.grad is not None
    assert math.exp(classifier.log_scale) == pytest.approx(1 / 0.07, rel=1e-5)
    with torch.no_grad():
        classifier.log_scale.fill_(50.0)
    assert float(classifier(torch.randn(1, 2, 5, 6), categories()).abs().max()) <= 100.001


def test_text_logits_stay_in_fp32_under_autocast() -> None:
    queries = torch.randn(1, 2, 5, 6)
    with torch.autocast('cpu', torch.bfloat16):
        logits = TextClassifier(6)(queries.bfloat16(), categories())
    assert logits.dtype == torch.float32


def test_linear_layers_per_space(spaces) -> None:
    classifier = LinearClassifier(6, LabelSpaces(spaces))
    queries = torch.randn(2, 2, 4, 6)
    valid = torch.tensor([[1, 1, 1, 0, 0, 1], [1] * 6], dtype=torch.bool)
    logits = classifier(queries, Categories(('facade', 'street'), valid))
    assert logits.shape == (2, 2, 4, 6)
    own = classifier.layers[1](queries[:, 0])
    torch.testing.assert_close(logits[:, 0, :, :3], own[..., :3])
    torch.testing.assert_close(logits[:, 0, :, -1], own[..., -1])
    assert logits[:, 0, :, 3:5].abs().max() == 0
    with pytest.raises(KeyError, match='only knows street, facade'):
        classifier(queries, Categories(('facade', 'custom'), valid))


def test_idle_linear_layers_get_a_zero_gradient(spaces) -> None:
    classifier = LinearClassifier(6, LabelSpaces(spaces))
    valid = torch.ones(1, 4, dtype=torch.bool)
    classifier(torch.randn(1, 1, 4, 6), Categories(('facade',), valid)).sum().backward()
    assert classifier.layers[0].weight.grad.abs().max() == 0
    assert classifier.layers[1].weight.grad.abs().max() > 0


def test_a_text_classifier_needs_text() -> None:
    with pytest.raises(ValueError, match='needs text rows'):
        TextClassifier(6)(torch.randn(1, 1, 4, 6), Categories(('a',), torch.ones(1, 4, dtype=torch.bool)))


class TestUnified:
    """Over `street` (5 classes) and `facade` (3), which share `building`: 7 unified classes."""

    @pytest.fixture
    def asked(self) -> Categories:
        valid = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 1]], dtype=torch.bool)
        return Categories(('street', 'facade'), valid)

    def test_training_classifies_among_all(self, spaces, asked: Categories) -> None:
        classifier = UnifiedClassifier(4, LabelSpaces(spaces))
        queries = torch.randn(2, 2, 3, 4)
        assert torch.equal(classifier(queries, asked), classifier.layer(queries))
        assert classifier.valid(asked).tolist() == [[True] * 8] * 2
        assert [classifier.trained_columns(space) for space in spaces] == [(0, 1, 2, 3, 4), (5, 6, 1)]

    def test_evaluation_takes_the_columns_of_the_space(self, spaces, asked: Categories) -> None:
        classifier = UnifiedClassifier(4, LabelSpaces(spaces)).eval()
        queries = torch.randn(2, 2, 3, 4)
        logits, everything = classifier(queries, asked), classifier.layer(queries)
        assert torch.equal(classifier.valid(asked), asked.valid)
        assert torch.equal(logits[:, 0], everything[:, 0][..., [0, 1, 2, 3, 4, 7]])
        assert torch.equal(logits[:, 1][..., [0, 1, 2, 5]], everything[:, 1][..., [5, 6, 1, 7]])
        assert torch.isfinite(logits).all()
        asked.valid[0, 2] = False  # a class off the list
        assert torch.equal(classifier.valid(asked), asked.valid)

    def test_classes_left_out_are_never_predicted(self, spaces, asked: Categories, tmp_path) -> None:
        table = 'universal\tstreet\tfacade\nhouse\tbuilding\t{wall, window, building}\n\t{sky, tree, road, car}\t\n'
        (tmp_path / 't.tsv').write_text(table)
        classifier = UnifiedClassifier(4, LabelSpaces(spaces), dict(file=str(tmp_path / 't.tsv'))).eval()
        assert classifier.valid(asked).tolist() == [
            [False, True, False, False, False, True],
            [True] * 3 + [False] * 2 + [True],
        ]
        assert classifier.trained_columns(spaces[0]) == (None, 0, None, None, None)
        assert torch.isfinite(classifier(torch.randn(1, 2, 3, 4), asked)).all()
