"""Two processes train to the same numbers as one that holds the whole batch."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

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


def train(
    model: torch.nn.Module, segmentor: torch.nn.Module, samples: Sequence[dict[str, Any]]
) -> dict[str, torch.Tensor]:
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


CASES = {
    'the same spaces on both ranks': ([('street', 64), ('facade', 64)], [('facade', 64), ('street', 64)]),
    'one space per rank, unequal sizes': ([('street', 64), ('street', 128)], [('facade', 64), ('facade', 64)]),
    'a rank with nothing to learn': ([('street', 64), ('street', 64)], [('facade', None), ('facade', None)]),
}


def test_two_processes_equal_one(model_config, make_sample, tmp_path: Path) -> None:
    work = []
    for text, case in [(True, case) for case in CASES] + [(False, 'one space per rank, unequal sizes')]:
        shares = []
        for rank, share in enumerate(CASES[case]):
            samples = [make_sample(space, (size or 64,) * 2, 2 * rank + i) for i, (space, size) in enumerate(share)]
            for sample, (_, size) in zip(samples, share):
                if size is None:
                    sample['data_samples'].gt_sem_seg.data.fill_(255)
            shares.append(samples)
        work.append((model_config(text=text), shares))
    (tmp_path / 'work').write_bytes(pickle.dumps(work))

    # One pair of processes for all cases: importing is what takes time. As scripts, they need no importable name.
    ranks = [
        subprocess.Popen([sys.executable, '-W', 'ignore', __file__, str(rank), str(tmp_path)]) for rank in range(2)
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes: float32 sums (images, text bank) depend on how they are split
    expected = []
    for config, shares in work:
        segmentor = build(config)
        expected.append(train(segmentor, segmentor, [sample for share in shares for sample in share]))
    torch.set_num_threads(threads)
    assert [process.wait(timeout=300) for process in ranks] == [0, 0]

    for rank in range(2):
        results = torch.load(tmp_path / f'{rank}.pt')
        assert len(results) == len(work)
        for weights, alone in zip(results, expected):
            assert weights.keys() == alone.keys()
            for name, value in weights.items():
                torch.testing.assert_close(value, alone[name], rtol=1e-8, atol=1e-10, msg=lambda m, n=name: f'{n}: {m}')


def work_as_rank(rank: int, folder: Path) -> None:
    """What one of the two processes does."""
    from mmengine.model import MMDistributedDataParallel

    import mmlmseg  # noqa: F401

    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', f'file://{folder}/meet', rank=rank, world_size=2)
    results = []
    for config, shares in pickle.loads((folder / 'work').read_bytes()):
        segmentor = build(config)
        results.append(train(MMDistributedDataParallel(segmentor), segmentor, shares[rank]))
    torch.save(results, folder / f'{rank}.pt')
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    work_as_rank(int(sys.argv[1]), Path(sys.argv[2]))
