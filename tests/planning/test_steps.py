from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mmlmseg.errors import OptionError
from mmlmseg.planning import device, steps


class Loader(SimpleNamespace):
    """What is asked of a loader."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**dict(batch_size=1, num_workers=0, prefetch_factor=None, dataset=[0]), **settings})
        self.collate_fn, self.sampler = list, SimpleNamespace()


class Runner(SimpleNamespace):
    """What is asked of a runner."""

    def __init__(self, step: Any = None, **settings: Any) -> None:
        super().__init__(train_dataloader=Loader(**settings), optim_wrapper=None)
        self.model = SimpleNamespace(train_step=step)


def test_a_loader_that_draws_whole_batches_is_refused() -> None:
    with pytest.raises(OptionError, match='batch_sampler.*give it a batch_size'):
        steps.StepsHook(Runner(batch_size=None))  # type: ignore[arg-type]


def test_where_two_images_do_not_fit_only_one_is_known() -> None:
    def step(data: Any, optim_wrapper: Any) -> None:
        raise torch.cuda.OutOfMemoryError('full')

    runner: Any = Runner(step)
    hook = steps.StepsHook(runner)
    hook._batches = [['image']]
    assert hook.larger_batch(runner) == {}


def test_a_training_that_ends_at_once_cannot_be_measured() -> None:
    runner: Any = Runner()
    with pytest.raises(OptionError, match='ended before'):
        steps.StepsHook(runner).figures()


def test_iterations_count_once_what_was_loaded_in_advance_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three warm up, and two processes have two batches each ready."""
    runner: Any = Runner(num_workers=2, prefetch_factor=2)
    hook = steps.StepsHook(runner)
    monkeypatch.setattr(steps, 'STEPS', 5)
    hook._started = hook._last = device.now()
    for done in range(3 + 2 * 2 + 4):
        hook.before_train_iter(runner, done)
        hook.after_train_iter(runner, done)
    with pytest.raises(steps.EnoughError):
        hook.after_train_iter(runner, 3 + 2 * 2 + 4)
    assert hook.figures().steps == 5
