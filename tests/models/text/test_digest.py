from __future__ import annotations

import torch

from mmlmseg.models.text.digest import weights_digest


def test_equal_weights_have_equal_digests_and_others_have_not() -> None:
    weights = {'a': torch.tensor([1.0, 2.0]), 'b': torch.tensor([[3.0]])}
    digest = weights_digest(weights)
    assert digest == weights_digest({'b': weights['b'].half(), 'a': weights['a'].double()})
    assert digest != weights_digest({**weights, 'b': torch.tensor([[3.5]])})
    assert digest != weights_digest({**weights, 'b': torch.tensor([3.0])})
    assert digest != weights_digest({'c': weights['a'], 'b': weights['b']})
