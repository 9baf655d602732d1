"""A training that is asked to end saves its state, and goes on from there as if nothing had been."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from mmlmseg.engine import CheckpointHook, preemption
from mmlmseg.engine.preemption import STATUS
from mmlmseg.lab.scenes import write_folder_dataset


@pytest.fixture(scope='module')
def script(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).with_name('resume_run.py'))


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp('data') / 'street'
    return str(write_folder_dataset(root, 'street', train=range(4), val=range(4, 5), size=(32, 32)))


class AskHook(Hook):
    """Sends a signal to its own process before a step."""

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize('step', [4, 5])  # the checkpoint of step 5 is written anyway
def test_asked_to_end(script: ModuleType, folder: str, tmp_path: Path, number: signal.Signals, step: int) -> None:
    before = signal.getsignal(number)
    runner = script.build_runner(tmp_path, [folder], max_iters=9, seed=1)
    runner.register_hook(AskHook(number, step))
    with pytest.raises(SystemExit) as ended:
        runner.train()
    assert ended.value.code == STATUS
    assert signal.getsignal(number) == before
    saved = tmp_path / f'iter_{step + 1}.pth'
    assert (tmp_path / 'last_checkpoint').read_text() == str(saved)
    assert torch.load(saved, weights_only=True)['meta']['iter'] == step + 1

    script.build_runner(tmp_path, [folder], max_iters=9, seed=1, resume=True).train()
    script.build_runner(tmp_path / 'whole', [folder], max_iters=9, seed=1).train()
    assert script.read_record(tmp_path) == script.read_record(tmp_path / 'whole')
    ours, theirs = (torch.load(where / 'iter_9.pth')['state_dict'] for where in (tmp_path, tmp_path / 'whole'))
    assert ours['weight'].equal(theirs['weight'])


def test_asked_to_end_while_evaluating(script: ModuleType, folder: str, tmp_path: Path) -> None:
    """Three steps, an evaluation that is broken off, and the same evaluation first thing in the resumed run."""
    evaluated: list[int] = []

    class Evaluation:
        def run(self) -> None:
            evaluated.append(runner.iter)
            runner.call_hook('before_val_epoch')
            os.kill(os.getpid(), signal.SIGUSR1)
            runner.call_hook('after_val_iter', batch_idx=0, data_batch=None, outputs=None)

    runner = script.build_runner(tmp_path, [folder], max_iters=3, seed=1)
    runner._hooks = [hook for hook in runner.hooks if not isinstance(hook, CheckpointHook)]
    runner.register_hook(CheckpointHook(interval=99, by_epoch=False, save_last=False), priority='VERY_LOW')
    loop = runner.train_loop
    loop.val_interval, loop.dynamic_intervals = 2, [2]
    runner._val_loop = val_loop(Evaluation())
    with pytest.raises(SystemExit):
        runner.train()
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_2.pth')
    runner = script.build_runner(tmp_path, [folder], max_iters=3, seed=1, resume=True)
    runner.train_loop.val_interval, runner.train_loop.dynamic_intervals = 2, [2]
    runner._val_loop = val_loop(Evaluation())
    with pytest.raises(SystemExit):
        runner.train()
    assert evaluated == [2, 2]


def val_loop(own: Any) -> Any:
    """A loop that does what ``own.run`` does."""

    class Loop(BaseLoop):
        def run(self) -> None:
            own.run()

    return Loop(None, DataLoader([]))


def test_several_processes_finish_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own number of batches; one that waited for the others between them would wait for ever."""

    def wait(*_: Any) -> None:
        raise AssertionError('an agreement')

    monkeypatch.setattr(preemption, 'get_world_size', lambda: 2)
    monkeypatch.setattr(preemption, 'all_reduce', wait)
    hook = preemption.PreemptionHook()
    hook._asked = True
    runner: Any = SimpleNamespace()
    hook.after_val_iter(runner, 0)
    with pytest.raises(AssertionError, match='an agreement'):
        hook.after_train_iter(runner, 0)
