"""A training that diverges stops before it saves what came of it, and names what it saw."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook

from mmlmseg.lab.scenes import write_folder_dataset


@pytest.fixture(scope='module')
def script(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).with_name('resume_run.py'))


class SpoilHook(Hook):
    """Makes the weights of a model unusable before a step."""

    def __init__(self, value: float) -> None:
        self.value = value

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == 5:
            torch.nn.init.constant_(runner.model.weight, self.value)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_stops_and_names_the_samples(script: ModuleType, tmp_path: Path, value: float) -> None:
    folder = write_folder_dataset(tmp_path / 'street', 'street', train=range(4), val=range(4, 5), size=(32, 32))
    runner = script.build_runner(tmp_path / 'run', [str(folder)], max_iters=9, seed=1)
    runner.register_hook(SpoilHook(value))
    with pytest.raises(FloatingPointError, match=r'iteration 5: the loss is .* listed in .*diverged_iter_5\.json'):
        runner.train()
    assert sorted(path.name for path in (tmp_path / 'run').glob('*.pth')) == ['iter_3.pth']
    told = json.loads((tmp_path / 'run' / 'diverged_iter_5.json').read_text())
    assert (told['iteration'], told['seed']) == (5, 1)
    seen = script.read_record(tmp_path / 'run')[5]['seen']
    assert [[s['dataset'], Path(s['img_path']).name, s['flip']] for s in told['samples']] == seen
