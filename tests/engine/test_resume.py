"""A run that was killed ends with the weights of an uninterrupted one: same samples, transforms, dropout and rates."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from mmlmseg.errors import DataError
from mmlmseg.lab.scenes import write_folder_dataset

SCRIPT = Path(__file__).with_name('resume_run.py')
STEPS = 10


@pytest.fixture(scope='module')
def script(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(SCRIPT)


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp('data')
    return [
        str(
            write_folder_dataset(root / space, space, train=range(number), val=range(number, number + 1), size=(32, 32))
        )
        for space, number in (('street', 7), ('facade', 5))
    ]


@pytest.mark.parametrize(
    ('workers', 'sampler'),
    [
        (0, dict(type='mmlmseg.PerImageSampler')),
        pytest.param(2, dict(type='mmlmseg.SameDatasetSampler', batch_size=3, ratio='size'), marks=pytest.mark.slow),
    ],
)
def test_resumed_equals_uninterrupted(
    script: ModuleType, folders: list[str], tmp_path: Path, workers: int, sampler: dict[str, Any]
) -> None:
    common = dict(folders=folders, workers=workers, sampler=sampler)
    script.build_runner(tmp_path / 'whole', max_iters=STEPS, seed=3, **common).train()
    whole = script.read_record(tmp_path / 'whole')
    assert len({str(step['seen']) for step in whole}) > 1
    checkpoint = str(tmp_path / 'whole' / 'iter_6.pth')
    loaded = count_loaded(script.build_runner(tmp_path / 'rest', max_iters=STEPS, seed=3, resume=checkpoint, **common))
    assert script.read_record(tmp_path / 'rest') == whole[6:]
    assert weights(tmp_path / 'rest' / 'iter_9.pth') == weights(tmp_path / 'whole' / 'iter_9.pth')
    if not workers:
        assert len(loaded) == (STEPS - 6) * 3  # the samples of finished steps are not even loaded


def weights(checkpoint: Path) -> float:
    return torch.load(checkpoint, weights_only=False)['state_dict']['weight'].item()


def count_loaded(runner: Any) -> list[int]:
    """Trains, and lists the samples that the main process loads."""
    loaded: list[int] = []
    loop = runner.build_train_loop(runner._train_loop)
    runner._train_loop = loop
    get = type(loop.dataloader.dataset).__getitem__

    class Counting(type(loop.dataloader.dataset)):  # type: ignore[misc]
        def __getitem__(self, index: int) -> dict[str, Any]:
            loaded.append(index)
            return get(self, index)

    loop.dataloader.dataset.__class__ = Counting
    runner.train()
    return loaded


def test_a_batch_size_that_is_not_the_loaders(script: ModuleType, folders: list[str], tmp_path: Path) -> None:
    sampler = dict(type='mmlmseg.SameDatasetSampler', batch_size=4)
    runner = script.build_runner(tmp_path, folders, max_iters=1, sampler=sampler)
    with pytest.raises(DataError, match='SameDatasetSampler has batch_size=4, the data loader batch_size=3'):
        runner.train()


def test_a_seed_of_the_samplers_own_stays(script: ModuleType, folders: list[str], tmp_path: Path) -> None:
    common = dict(folders=folders, max_iters=6, sampler=dict(type='mmlmseg.PerImageSampler', seed=11))
    script.build_runner(tmp_path / 'whole', seed=3, **common).train()
    script.build_runner(tmp_path / 'rest', seed=4, resume=str(tmp_path / 'whole' / 'iter_3.pth'), **common).train()
    assert script.read_record(tmp_path / 'rest') == script.read_record(tmp_path / 'whole')[3:]


@pytest.mark.slow
def test_killed_and_resumed(script: ModuleType, folders: list[str], tmp_path: Path) -> None:
    def run(work_dir: Path, *arguments: str) -> int:
        command = [sys.executable, str(SCRIPT), str(work_dir), *folders, '--workers', '2', *arguments]
        return subprocess.run(command, timeout=240).returncode

    killed = tmp_path / 'killed'
    assert run(killed, '--kill-at', '8') == -signal.SIGKILL  # no seed given: the checkpoint has to carry it
    before = script.read_record(killed)
    assert [step['step'] for step in before] == list(range(8))
    assert run(killed, '--resume') == 0
    after = script.read_record(killed)[8:]
    assert [step['step'] for step in after] == list(range(6, 12))  # from the last checkpoint
    seed = torch.load(killed / 'iter_6.pth', weights_only=False)['meta']['seed']
    assert run(tmp_path / 'whole', '--seed', str(seed)) == 0
    assert before[:6] + after == script.read_record(tmp_path / 'whole')
    assert weights(killed / 'iter_12.pth') == weights(tmp_path / 'whole' / 'iter_12.pth')


def test_workers_change_nothing(script: ModuleType, folders: list[str], tmp_path: Path) -> None:
    for workers in (0, 2):
        script.build_runner(tmp_path / str(workers), folders, max_iters=6, seed=0, workers=workers).train()
    assert script.read_record(tmp_path / '0') == script.read_record(tmp_path / '2')
    assert weights(tmp_path / '0' / 'iter_6.pth') == weights(tmp_path / '2' / 'iter_6.pth')
