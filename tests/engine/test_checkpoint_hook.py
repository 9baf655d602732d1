"""No moment at which a run has no whole checkpoint."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mmengine.hooks import Hook

from mmlmseg.checkpoint_files import newest_checkpoint
from mmlmseg.engine import checkpoint_hook
from mmlmseg.engine.checkpoint_hook import write_whole
from mmlmseg.errors import CheckpointError
from mmlmseg.lab.scenes import write_folder_dataset


@pytest.fixture(scope='module')
def script(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).with_name('resume_run.py'))


@pytest.fixture
def make_runner(script: ModuleType, tmp_path: Path) -> Callable[..., Any]:
    """A factory of runs of 9 steps that save every third and keep one; in the folder ``run``."""
    folder = write_folder_dataset(tmp_path / 'street', 'street', train=range(4), val=range(4, 5), size=(32, 32))

    def make(**options: Any) -> Any:
        runner = script.build_runner(tmp_path / 'run', [str(folder)], max_iters=9, seed=1, **options)
        runner._hooks = [hook for hook in runner.hooks if not isinstance(hook, checkpoint_hook.CheckpointHook)]
        options = dict(interval=3, by_epoch=False, max_keep_ckpts=1, save_best='mIoU', rule='greater')
        runner.register_hook(checkpoint_hook.CheckpointHook(**options), priority='VERY_LOW')
        return runner

    return make


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in ('.pth', '.part'))


def test_one_is_kept(make_runner: Callable[..., Any], tmp_path: Path) -> None:
    make_runner().train()
    assert files(tmp_path / 'run') == ['iter_9.pth']
    assert newest_checkpoint(tmp_path / 'run') == tmp_path / 'run' / 'iter_9.pth'


def test_old_ones_go_after_the_new_one_is_there(
    make_runner: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[list[str]] = []

    def write(path: str | Path, content: Any) -> None:
        write_whole(path, content)
        there.append(files(tmp_path / 'run'))

    monkeypatch.setattr(checkpoint_hook, 'write_whole', write)
    make_runner().train()
    assert ['iter_3.pth', 'iter_6.pth'] in there
    assert all(there)
    assert files(tmp_path / 'run') == ['iter_9.pth']


def test_a_full_disk_takes_nothing_away(
    make_runner: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullHook(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == 4:
                monkeypatch.setattr(checkpoint_hook.os, 'fsync', full)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    runner = make_runner()
    runner.register_hook(FullHook())
    with pytest.raises(CheckpointError, match=r'iter_6\.pth: cannot be written \(No space left on device\)'):
        runner.train()
    assert files(tmp_path / 'run') == ['iter_3.pth']
    monkeypatch.undo()
    make_runner(resume=True).train()
    assert files(tmp_path / 'run') == ['iter_9.pth']


def test_the_best_goes_after_a_better_one_is_there(
    make_runner: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = make_runner()
    hook = next(hook for hook in runner.hooks if isinstance(hook, checkpoint_hook.CheckpointHook))
    there: list[list[str]] = []
    save = type(runner).save_checkpoint

    class ScoreHook(Hook):
        def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
            if runner.iter + 1 in (4, 8):
                runner.train_loop._iter += 1  # a validation comes behind the count
                hook._save_best_checkpoint(runner, dict(mIoU=float(runner.iter)))
                runner.train_loop._iter -= 1

    def watched(self: Any, *arguments: Any, **options: Any) -> None:
        save(self, *arguments, **options)
        there.append([name for name in files(tmp_path / 'run') if name.startswith('best')])

    monkeypatch.setattr(type(runner), 'save_checkpoint', watched)
    runner.register_hook(ScoreHook(), priority='LOWEST')
    runner.train()
    assert ['best_mIoU_iter_4.pth', 'best_mIoU_iter_8.pth'] in there
    assert [name for name in files(tmp_path / 'run') if name.startswith('best')] == ['best_mIoU_iter_8.pth']


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / 'below' / 'a.pth'
    write_whole(file, b'first')

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_hook.os, 'fsync', interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, b'second')
    assert [path.name for path in file.parent.iterdir()] == ['a.pth']
    assert file.read_bytes() == b'first'


def test_a_copy_leaves_the_best_of_the_original(tmp_path: Path) -> None:
    hook = checkpoint_hook.CheckpointHook(interval=3)
    hook.out_dir, hook.best_ckpt_path = str(tmp_path / 'copy'), str(tmp_path / 'original' / 'best_mIoU_iter_4.pth')
    hook.best_ckpt_path_dict = dict(a=None, b='elsewhere/best_b.pth')
    hook._own_best()
    assert hook.best_ckpt_path == str(tmp_path / 'copy' / 'best_mIoU_iter_4.pth')
    assert hook.best_ckpt_path_dict == dict(a=None, b=str(tmp_path / 'copy' / 'best_b.pth'))
