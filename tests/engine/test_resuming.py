"""A run that is resumed with other settings does what its config says now, and says what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mmlmseg.errors import CheckpointError, OptionError
from mmlmseg.lab.scenes import write_folder_dataset

STEPS = 6


@pytest.fixture(scope='module')
def script(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).with_name('resume_run.py'))


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp('data') / 'street'
    return [str(write_folder_dataset(root, 'street', train=range(7), val=range(7, 8), size=(32, 32)))]


@pytest.fixture(scope='module')
def checkpoint(script: ModuleType, folders: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp('short')
    script.build_runner(folder, folders, max_iters=STEPS, seed=3).train()
    return str(folder / 'iter_3.pth')


@pytest.fixture
def resumed(
    script: ModuleType, folders: list[str], checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[Any], list[str]]]:
    """A function that resumes with other settings: what each step saw, and the warnings."""

    def resume(**settings: Any) -> tuple[list[Any], list[str]]:
        runner = script.build_runner(
            tmp_path / 'rest', folders, **{'max_iters': STEPS, 'seed': 3, 'resume': checkpoint, **settings}
        )
        runner.cfg.randomness = dict(seed=settings.get('seed', 3))
        said: list[str] = []
        monkeypatch.setattr(runner.logger, 'warning', said.append)
        runner.train()
        return script.read_record(tmp_path / 'rest'), said

    return resume


@pytest.mark.parametrize('flexible', [False, True])
@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(max_iters=12), 'param_scheduler.end 12 (was 6)'),
        (dict(optimizer=dict(type='AdamW', lr=0.5)), 'lr 0.5 (was 0.01)'),
        (dict(scheduler=dict(type='StepLR', step_size=2, by_epoch=False)), 'param_scheduler of another type'),
        (dict(scheduler={}), '0 param_scheduler (was 1)'),
    ],
)
def test_rates_are_those_of_an_undisturbed_run(
    script: ModuleType,
    folders: list[str],
    tmp_path: Path,
    resumed: Callable[..., tuple[list[Any], list[str]]],
    settings: dict[str, Any],
    message: str,
    flexible: bool,
) -> None:
    steps, said = resumed(flexible=flexible, **settings)
    script.build_runner(tmp_path / 'whole', folders, seed=3, **{'max_iters': STEPS, **settings}).train()
    assert steps == script.read_record(tmp_path / 'whole')[3:]
    assert [line for line in said if message in line], said


def test_other_options_of_the_optimiser_are_taken(resumed: Callable[..., tuple[list[Any], list[str]]]) -> None:
    _, said = resumed(optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.5, betas=(0.5, 0.9)))
    assert 'weight_decay 0.5 (was 0.01)' in ''.join(said)
    assert 'betas (0.5, 0.9) (was (0.9, 0.999))' in ''.join(said)


def test_the_same_settings_are_nothing_to_speak_of(resumed: Callable[..., tuple[list[Any], list[str]]]) -> None:
    assert not [line for line in resumed()[1] if 'resumed' in line or 'checkpoint' in line]


def test_seed_and_batch_size_are_said(resumed: Callable[..., tuple[list[Any], list[str]]]) -> None:
    _, said = resumed(seed=8, batch_size=2)
    assert [line for line in said if 'that of the checkpoint, 3, and not 8 of the config (randomness.seed)' in line]
    assert [line for line in said if 'a step has 2 samples over all processes, in the checkpoint it had 3' in line]


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(max_iters=2), OptionError, 'stands at iteration 3, but the training ends at 2'),
        (dict(optimizer=dict(type='SGD', lr=0.1)), CheckpointError, 'has the optimiser SGD, the checkpoint another'),
        (
            dict(scheduler=dict(type='ReduceOnPlateauLR', monitor='loss')),
            OptionError,
            'ReduceOnPlateau goes by scores',
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(
    resumed: Callable[..., tuple[list[Any], list[str]]],
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        resumed(**settings)
