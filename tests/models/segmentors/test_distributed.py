"""Two processes train to the same numbers as one that holds the whole batch."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

CONFIGS = Path(__file__).parents[3] / 'configs'
STEPS = 2
# Contents that start at zero are alike, so in the first layer it makes no difference which of them a query attends to.
WITHOUT_GRADIENT = 'decode_head.decoder.layers.0.self_attention.attention.in_proj_weight'
State = dict[str, torch.Tensor]


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    return sum(value for key, value in losses.items() if 'loss' in key)


def build(config: dict[str, Any], trained: dict[str, Any] | None = None) -> tuple[torch.nn.Module, list[str]]:
    """A model in float64, where it adds label spaces on the weights of the trained one; and what is new of it."""
    from mmengine.registry import MODELS

    from mmlmseg.engine.add_label_space import add_label_spaces

    torch.manual_seed(3)
    model = MODELS.build(config)
    model.init_weights()
    new = [] if trained is None else add_label_spaces(model, build(trained)[0].state_dict())
    return model.double(), new


def state_of(model: torch.nn.Module) -> State:
    return {name: value.clone() for name, value in model.state_dict().items()}


def train(
    model: torch.nn.Module, segmentor: torch.nn.Module, new: list[str], samples: Sequence[dict[str, Any]]
) -> State:
    """A few steps of plain gradient descent, of what is new only where something is; returns parameters and buffers."""
    from mmlmseg.engine import FreezeHook

    optimiser = torch.optim.SGD(segmentor.parameters(), 0.05)
    hooks, runner = [FreezeHook(new)] if new else [], SimpleNamespace(model=model)
    for hook in hooks:
        hook.after_load_checkpoint(runner, {})
        hook.before_train(runner)
    for _ in range(STEPS):
        for hook in hooks:
            hook.before_val(runner)  # as a validation between steps, for which the others are unfrozen
        model.eval()
        model.train()
        batch = dict(inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'].clone() for s in samples])
        for hook in hooks:
            hook.before_train_iter(runner, 0, batch)
        data = segmentor.data_preprocessor(batch, True)
        data['inputs'] = [group.double() for group in data['inputs']]
        optimiser.zero_grad()
        total(model(**data, mode='loss')).backward()
        optimiser.step()
    return state_of(segmentor)


CASES = {
    'the same spaces on both ranks': ([('street', 64), ('facade', 64)], [('facade', 64), ('street', 64)]),
    'one space per rank, unequal sizes': ([('street', 64), ('street', 128)], [('facade', 64), ('facade', 64)]),
    'a rank with nothing to learn': ([('street', 64), ('street', 64)], [('facade', None), ('facade', None)]),
}


GARDEN = dict(name='garden', classes=['tree', 'grass', 'house'])
ADAPTER = dict(type='mmlmseg.SpaceAdapter', width=8)
RESI = dict(
    queries=dict(type='mmlmseg.LabelSpaceQueries', num_queries=8),
    decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_levels=1, num_layers=2, num_heads=4, ffn_channels=64),
)

Method = tuple[str, dict[str, Any], dict[str, Any] | None]
"""The case it trains on, the config, and that of the trained model where label spaces are added."""


def methods(model_config: Callable[..., dict[str, Any]], spaces: Sequence[Any]) -> Iterator[Method]:
    def make(**head: Any) -> dict[str, Any]:
        """A narrow model, as the ranks write down all weights, whose residual branches do not start dead."""
        config = model_config(in_channels=[8, 16, 32, 64], **head)
        config['backbone'].update(base_channels=8, zero_init_residual=False)
        return config

    def added(**head: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both spaces, added to a model of another one; norm layers learn where nothing stops them."""
        config = make(label_spaces=[spaces[0], GARDEN, *spaces[1:]], **head)
        trained = make(**{**head, 'label_spaces': [GARDEN], 'adapters': {}})
        for one in (config, trained):
            one['backbone'].update(norm_eval=False, norm_cfg=dict(type='BN'))
        return config, trained

    for case in CASES:
        yield case, make(), None
    yield 'one space per rank, unequal sizes', make(text=False), None
    weights = dict(street=dict(car=5.0, sky=0.25), facade=[0.5, 2.0, 3.0])
    yield 'one space per rank, unequal sizes', make(text=False, class_weights=weights), None
    # Each rank leaves the queries and the adapter of the other's space idle.
    yield 'one space per rank, unequal sizes', make(**RESI, adapters=dict(facade=ADAPTER)), None
    yield 'one space per rank, unequal sizes', *added(**RESI, adapters=dict(street=ADAPTER, facade=ADAPTER))
    yield 'a rank with nothing to learn', *added(text=False)


@pytest.mark.slow
def test_two_processes_equal_one(model_config, spaces, make_sample, tmp_path: Path) -> None:
    work = []
    for case, config, trained in methods(model_config, spaces):
        shares = []
        for rank, share in enumerate(CASES[case]):
            samples = [make_sample(space, (size or 64,) * 2, 2 * rank + i) for i, (space, size) in enumerate(share)]
            for sample, (_, size) in zip(samples, share):
                if size is None:
                    sample['data_samples'].gt_sem_seg.data.fill_(255)
            shares.append(samples)
        work.append((config, trained, shares))
    (tmp_path / 'work').write_bytes(pickle.dumps(work))

    # One pair of processes for all cases: importing is what takes time. As scripts, they need no importable name.
    ranks = [
        subprocess.Popen([sys.executable, '-W', 'ignore', __file__, str(rank), str(tmp_path)]) for rank in range(2)
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes: float32 sums (images, text bank) depend on how they are split
    expected = []
    for config, trained, shares in work:
        segmentor, new = build(config, trained)
        start = state_of(segmentor)
        learned = {name for name, p in segmentor.named_parameters() if p.requires_grad}
        if trained:
            learned = {name for name in learned if f'{name}.'.startswith(tuple(f'{prefix}.' for prefix in new))}
        kept = start.keys() - learned if trained else set()
        alone = train(segmentor, segmentor, new, [sample for share in shares for sample in share])
        expected.append((start, learned, kept, alone))
    torch.set_num_threads(threads)
    assert [process.wait(timeout=300) for process in ranks] == [0, 0]

    results = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    for first, second, (start, learned, kept, alone) in zip(*results, expected, strict=True):
        assert first.keys() == second.keys() == alone.keys()
        for name, value in first.items():
            assert torch.equal(value, second[name]), name
            assert name not in learned - {WITHOUT_GRADIENT} or not torch.equal(value, start[name]), name
            assert name not in kept or torch.equal(value, start[name]), name
            torch.testing.assert_close(value, alone[name], rtol=1e-8, atol=1e-10, msg=lambda m, n=name: f'{n}: {m}')


def test_shipped_configs_leave_the_wrapper_alone() -> None:
    """The processes here wrap the model as mmengine does where a config says nothing, or freezes parameters."""
    files = sorted(CONFIGS.rglob('*.py'))
    assert files
    for file in files:
        text = file.read_text()
        assert ('find_unused_parameters = True' in text) == ('FreezeHook' in text), file
        assert 'model_wrapper_cfg' not in text, file


def work_as_rank(rank: int, folder: Path) -> None:
    """What one of the two processes does."""
    from mmengine.model import MMDistributedDataParallel

    from mmlmseg.processes import leave_processes

    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', f'file://{folder}/meet', rank=rank, world_size=2)
    results = []
    for config, trained, shares in pickle.loads((folder / 'work').read_bytes()):
        segmentor, new = build(config, trained)
        # As mmengine's runner: no buffers are sent, unused parameters are looked for where the config says so.
        model = MMDistributedDataParallel(segmentor, broadcast_buffers=False, find_unused_parameters=bool(new))
        results.append(train(model, segmentor, new, shares[rank]))
    torch.save(results, folder / f'{rank}.pt')
    del segmentor, model
    leave_processes()


if __name__ == '__main__':
    work_as_rank(int(sys.argv[1]), Path(sys.argv[2]))
