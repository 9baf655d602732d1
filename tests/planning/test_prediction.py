from __future__ import annotations

from dataclasses import replace

import pytest
from plans import MEASURED, measured

from mmlmseg.planning.prediction import MemoryLine, predict, validation_count

GB = 2**30


def test_hours_are_those_of_iterations_and_evaluations() -> None:
    plan = predict(MEASURED, 8 * GB)
    assert plan.iteration_seconds == 3.5
    assert plan.train_seconds == 3500
    assert plan.evaluation_seconds == 0.5 + 5 * 1.0 + 15 * 2.0
    assert plan.total_seconds == 3500 + 3 * 35.5


def test_a_training_without_evaluation_takes_its_iterations() -> None:
    plan = predict(measured(evaluation=None), 8 * GB)
    assert (plan.evaluation_seconds, plan.total_seconds) == (0, 3500)


def test_epochs_follow_from_ratio_and_length_of_a_pass() -> None:
    plan = predict(MEASURED, 8 * GB)
    assert plan.draws == dict(streets=1000, rooms=3000)
    assert plan.epochs == dict(streets=10, rooms=8)  # rare images of rooms are repeated: 375 draws a pass


def test_steps_of_one_dataset_count_as_often_as_they_are_drawn() -> None:
    loop = replace(MEASURED.loop, mixed=False)
    assert predict(measured(loop=loop), 8 * GB).compute_seconds == 0.25 * 2.0 + 0.75 * 4.0


@pytest.mark.parametrize(('wait', 'bottleneck'), [(0.0, 'compute'), (0.3, 'compute'), (0.4, 'loading')])
def test_loading_is_the_bottleneck_where_a_tenth_of_the_time_is_waiting(wait: float, bottleneck: str) -> None:
    assert predict(measured(loop=replace(MEASURED.loop, wait_seconds=wait)), 8 * GB).bottleneck == bottleneck


def test_what_was_loaded_in_advance_hides_no_bottleneck() -> None:
    """A batch of 4 takes 0.7 s of a process to load; where a step takes 0.2 s, two processes are too few."""
    quick = replace(MEASURED.loop, compute_seconds=0.2, wait_seconds=0.0)
    plan = predict(measured(loop=quick), 8 * GB)
    assert plan.wait_seconds == pytest.approx(0.7 / 2 - 0.2)
    assert (plan.bottleneck, plan.workers_needed) == ('loading', 4)


def test_the_largest_batch_leaves_a_tenth_free() -> None:
    plan = predict(MEASURED, 10 * GB)  # 2 GB, and 0.5 GB an image
    assert plan.memory_line == MemoryLine(fixed=2 * GB, per_image=GB / 2)
    assert plan.largest_batch == 14


@pytest.mark.parametrize(('limit', 'batch'), [(1, 0), (2.2, 0), (2.8, 1), (24, 39)])
def test_a_memory_may_be_too_small_for_any_batch(limit: float, batch: int) -> None:
    assert MemoryLine(fixed=2 * GB, per_image=GB / 2).largest_batch(limit * GB) == batch


@pytest.mark.parametrize('memory', [{4: GB}, {2: GB, 4: GB}, {2: 2 * GB, 4: GB}])
def test_memory_that_does_not_grow_tells_no_largest_batch(memory: dict[int, int]) -> None:
    assert predict(measured(memory=memory), GB).largest_batch is None


@pytest.mark.parametrize(
    ('length', 'interval', 'begin', 'changes', 'count'),
    [
        (4500, 1500, 1, [], 3),
        (4500, 1000, 1, [], 5),  # at the end, too
        (60, 100, 1, [], 1),
        (10, 2, 5, [], 3),  # 6, 8, 10
        (10, 4, 1, [(9, 1)], 4),  # 4, 8, 9, 10
        (5, 1, 9, [], 0),
    ],
)
def test_evaluations_are_those_of_the_training_loop(
    length: int, interval: int, begin: int, changes: list[tuple[int, int]], count: int
) -> None:
    assert validation_count(length, interval, begin, changes) == count
