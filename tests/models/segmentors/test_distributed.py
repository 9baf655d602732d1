"""Two processes train to the same numbers as one that holds the whole batch."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp

STEPS = 2


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    return sum(value for key, value in losses.items() if 'loss' in key)


def build(config: dict[str, Any]) -> torch.nn.Module:
    from mmengine.registry import MODELS

    import mmlmseg  # noqa: F401

    torch.manual_seed(3)
    model = MODELS.build(config)
    model.init_weights()
    return model.double()


def train(model: torch.nn.Module, segmentor: torch.nn.Module, samples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A few steps of plain gradient descent; returns the weights."""
    optimiser = torch.optim.SGD(segmentor.parameters(), 0.05)
    for _ in range(STEPS):
        batch = dict(inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'].clone() for s in samples])
        data = segmentor.data_preprocessor(batch, True)
        data['inputs'] = [group.double() for group in data['inputs']]
        optimiser.zero_grad()
        total(model(**data, mode='loss')).backward()
        optimiser.step()
    return {name: p.detach().clone() for name, p in segmentor.named_parameters()}


def worker(rank: int, port: int, config: dict[str, Any], shares: list[list[dict[str, Any]]], out: str) -> None:
    from mmengine.dist import init_dist
    from mmengine.model import MMDistributedDataParallel

    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    init_dist('pytorch', backend='gloo')
    segmentor = build(config)
    weights = train(MMDistributedDataParallel(segmentor), segmentor, shares[rank])
    torch.save(weights, f'{out}/{rank}.pt')
    torch.distributed.destroy_process_group()


CASES = {
    'the same spaces on both ranks': ([('street', 64), ('facade', 64)], [('facade', 64), ('street', 64)]),
    'one space per rank, unequal sizes': ([('street', 64), ('street', 128)], [('facade', 64), ('facade', 64)]),
    'a rank with nothing to learn': ([('street', 64), ('street', 64)], [('facade', None), ('facade', None)]),
}


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('text', [True, False])
def test_two_processes_equal_one(model_config, make_sample, tmp_path: Path, case: str, text: bool) -> None:
    if not text and case != 'one space per rank, unequal sizes':
        pytest.skip('the linear classifier adds nothing here but its idle layers')
    config = model_config(text=text)
    shares = []
    for rank, share in enumerate(CASES[case]):
        samples = [make_sample(space, (size or 64,) * 2, 2 * rank + i) for i, (space, size) in enumerate(share)]
        for sample, (_, size) in zip(samples, share):
            if size is None:
                sample['data_samples'].gt_sem_seg.data.fill_(255)
        shares.append(samples)

    segmentor = build(config)
    expected = train(segmentor, segmentor, [sample for share in shares for sample in share])

    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mp.spawn(worker, (port, config, shares, str(tmp_path)), nprocs=2)
    for rank in range(2):
        weights = torch.load(tmp_path / f'{rank}.pt')
        assert weights.keys() == expected.keys()
        for name, value in weights.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-8, atol=1e-10, msg=lambda m, n=name: f'{n}: {m}')
