"""Which checkpoint a run goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark import Benchmark, Method, run_config
from mmlmseg.lab.benchmark.resuming import go_on

METHODS = (Method('LMSeg', 'configs/lmseg/lmseg_r18_clash5.py'),)
BENCHMARK = Benchmark('bench', 'B', 'mIoU', 'LMSeg', ('ccp', 'camvid11'), METHODS, iterations=2)


def config(work_dir: Path) -> Config:
    return run_config(BENCHMARK, BENCHMARK.runs()[0], {}, work_dir)


def save_checkpoint(path: Path) -> None:
    torch.save(dict(state_dict={}, meta={}, message_hub={}, optimizer={}, param_schedulers=[]), path)


def test_goes_on_from_the_newest_whole_checkpoint(clash5: Path, tmp_path: Path) -> None:
    cfg = config(tmp_path)
    cfg.load_from = 'start.pth'
    go_on(cfg)
    assert (cfg.resume, cfg.load_from) == (False, 'start.pth')  # nothing is there
    folder = Path(cfg.work_dir)
    folder.mkdir()
    cfg.dump(folder / Path(cfg.filename).name)
    for step in (9, 100, 20):
        save_checkpoint(folder / f'iter_{step}.pth')
    go_on(cfg)
    assert (cfg.resume, cfg.load_from) == (True, str(folder / 'iter_100.pth'))
    whole = (folder / 'iter_100.pth').read_bytes()
    (folder / 'iter_100.pth').write_bytes(whole[: len(whole) // 2])
    go_on(cfg)
    assert cfg.load_from == str(folder / 'iter_20.pth')


def test_does_not_go_on_from_a_run_with_another_config(clash5: Path, tmp_path: Path) -> None:
    cfg = config(tmp_path)
    folder = Path(cfg.work_dir)
    folder.mkdir()
    save_checkpoint(folder / 'iter_2.pth')
    written = folder / Path(cfg.filename).name
    before = Config(cfg.to_dict())
    before.log_level = 'WARNING'  # which changes no result
    before.dump(written)
    go_on(cfg)
    assert cfg.resume
    before.optim_wrapper.optimizer.lr = 1.0
    before.train_cfg.max_iters = 9
    before.dump(written)
    with pytest.raises(
        OptionError, match=r'iter_2\.pth: is of a run with another optim_wrapper, train_cfg; remove its'
    ):
        go_on(cfg)
    written.rename(folder / 'other_config.py')
    with pytest.raises(OptionError, match=r'iter_2\.pth: is of a run with another model, '):
        go_on(cfg)
