"""How processes meet and part, also on machines without a GPU."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmlmseg import processes
from mmlmseg.errors import OptionError

SLURM = dict(SLURM_PROCID='3', SLURM_NTASKS='8', SLURM_LOCALID='1', SLURM_NODELIST='node[1-4]', MASTER_ADDR='node1')
MPI = dict(OMPI_COMM_WORLD_RANK='3', OMPI_COMM_WORLD_SIZE='8', OMPI_COMM_WORLD_LOCAL_RANK='1', MASTER_ADDR='10.0.0.1')


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """No accelerator is here; the rendezvous is recorded, with what it would read, and not held."""
    read = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
    found: list[dict[str, str]] = []

    def meet(backend: str) -> None:
        assert backend == 'gloo'
        found.append({name: os.environ[name] for name in read if name in os.environ})

    monkeypatch.setattr(processes, 'has_accelerator', lambda: False)
    monkeypatch.setattr(torch.distributed, 'init_process_group', meet)
    for name in (*read, *SLURM, *MPI):
        monkeypatch.setenv(name, '')  # so that what is set below is taken back
        monkeypatch.delenv(name)
    return found


@pytest.mark.parametrize(('launcher', 'variables'), [('slurm', SLURM), ('mpi', MPI)])
def test_other_launchers_meet_over_gloo(
    launcher: str, variables: dict[str, str], met: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    cfg = Config(dict(launcher=launcher))
    processes.join_processes(cfg)
    own = dict(RANK='3', WORLD_SIZE='8', LOCAL_RANK='1', MASTER_ADDR=variables['MASTER_ADDR'], MASTER_PORT='29500')
    assert met == [own]
    assert cfg.model_wrapper_cfg.device_ids is None
    monkeypatch.delenv(next(iter(variables)))
    with pytest.raises(OptionError, match=f'--launcher {launcher}: {next(iter(variables))} not set'):
        processes.join_processes(cfg)


def test_mpi_has_to_be_told_where(met: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MPI.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv('MASTER_ADDR')
    with pytest.raises(OptionError, match='set MASTER_ADDR to the address of the machine of rank 0'):
        processes.join_processes(Config(dict(launcher='mpi')))
    assert not met


@pytest.mark.parametrize(
    ('options', 'strategy'),
    [
        (dict(), None),
        (dict(runner_type='FlexibleRunner'), dict(type='DDPStrategy')),
        (dict(runner_type='FlexibleRunner', strategy=dict(type='mmlmseg.FSDPStrategy')), None),
    ],
)
def test_both_runners_are_told_of_unused_parameters_and_the_cpu(
    options: dict[str, Any], strategy: dict[str, Any] | None, met: list[dict[str, str]]
) -> None:
    cfg = Config(dict(launcher='pytorch', find_unused_parameters=True, **options))
    processes.join_processes(cfg)
    assert len(met) == 1
    wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=True)
    wrapper.update(device_ids=None, gradient_as_bucket_view=True)
    assert cfg.model_wrapper_cfg == wrapper
    expected = options.get('strategy') if strategy is None else dict(strategy, model_wrapper=wrapper)
    assert cfg.get('strategy') == expected


def test_one_process_is_left_alone(met: list[dict[str, str]]) -> None:
    cfg = Config(dict(launcher='none'))
    processes.join_processes(cfg)
    assert (met, list(cfg)) == ([], ['launcher'])


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='needs the list of threads that Linux keeps')
def test_no_thread_of_a_process_group_outlives_its_runner(tmp_path: Path) -> None:
    """Or the interpreter may abort as it ends, after a training that went well."""

    def talking() -> list[str]:
        threads = [(task / 'comm').read_text() for task in Path('/proc/self/task').iterdir()]
        return [name for name in threads if 'gloo' in name]

    torch.distributed.init_process_group('gloo', f'file://{tmp_path}/meet', rank=0, world_size=1)
    runner = argparse.Namespace(model=torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2)))
    runner.model.runner = runner  # as hooks refer to their runner
    assert talking()
    del runner
    processes.leave_processes()
    assert not talking()
    assert not torch.distributed.is_initialized()
    processes.leave_processes()  # nothing to leave
