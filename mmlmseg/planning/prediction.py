"""From what was measured to what a training takes; arithmetic only."""

from __future__ import annotations

import math
import statistics
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .figures import EvaluationFigures, Measured

RESERVE = 0.1
"""The share of a memory that is left free: drivers, fragments, and batches larger than those that were seen."""
WAITING = 0.1
"""The share of an iteration from which on waiting for data is called the bottleneck."""


@dataclass(frozen=True)
class MemoryLine:
    """Memory as a straight line over the batch size, in bytes."""

    fixed: float
    per_image: float

    @classmethod
    def through(cls, readings: Mapping[int, int]) -> MemoryLine | None:
        """The line through two readings by batch size; None where there are not two, or they do not grow.

        Example:
            >>> MemoryLine.through({4: 1400, 8: 1800})
            MemoryLine(fixed=1000.0, per_image=100.0)
        """
        if len(readings) < 2:
            return None
        (small, low), (large, high) = sorted(readings.items())
        slope = (high - low) / (large - small)
        return cls(low - slope * small, slope) if slope > 0 else None

    def largest_batch(self, limit: float) -> int:
        """The largest batch that fits a memory, with :data:`RESERVE` of it left free; 0 where none does."""
        return max(0, math.floor((limit * (1 - RESERVE) - self.fixed) / self.per_image))


@dataclass(frozen=True)
class Plan:
    """What a training will take. Times are in seconds, memory is in bytes.

    Attributes:
        measured: What it follows from.
        compute_seconds, wait_seconds: The parts of an iteration.
        bottleneck: ``compute`` or ``loading``.
        workers_needed: Processes that load as quickly as the model computes, each with a core of its own.
        draws: Images of each dataset that are seen.
        epochs: How often each dataset is seen.
        evaluation_seconds: Of one evaluation.
        train_seconds, total_seconds: Of all iterations; and with all evaluations.
        memory_line: None where memory was not seen to grow with the batch.
        memory_limit: What has to be enough.
        largest_batch: That fits it; None where there is no line.
    """

    measured: Measured
    compute_seconds: float
    wait_seconds: float
    bottleneck: str
    workers_needed: int
    draws: Mapping[str, float]
    epochs: Mapping[str, float]
    evaluation_seconds: float
    train_seconds: float
    total_seconds: float
    memory_line: MemoryLine | None
    memory_limit: int
    largest_batch: int | None

    @property
    def iteration_seconds(self) -> float:
        """Of one iteration."""
        return self.compute_seconds + self.wait_seconds


def predict(measured: Measured, memory_limit: int) -> Plan:
    """What follows from measurements.

    Args:
        measured: The measurements.
        memory_limit: The memory that a training has to fit, in bytes.
    """
    loop, batch, datasets = measured.loop, measured.batch_size, measured.datasets
    compute = (
        loop.compute_seconds if loop.mixed else sum(one.probability * one.step_seconds for one in datasets)
    )  # of steps of one dataset too few are seen in a minute to have each as often as in the long run
    load = batch * sum(one.probability * one.load_seconds for one in datasets)
    # What was loaded in advance may not have been used up while the loop was measured.
    starved = load / measured.workers - compute if measured.workers else 0.0
    wait = max(loop.wait_seconds, starved)
    draws = {one.name: measured.schedule.iterations * batch * one.probability for one in datasets}
    training = measured.schedule.iterations * (compute + wait)
    evaluating = evaluation_seconds(measured.evaluation)
    line = MemoryLine.through(measured.memory)
    return Plan(
        measured=measured,
        compute_seconds=compute,
        wait_seconds=wait,
        bottleneck='loading' if wait > WAITING * (compute + wait) else 'compute',
        workers_needed=max(1, math.ceil(load / compute)),
        draws=draws,
        epochs={one.name: draws[one.name] / one.pass_length for one in datasets},
        evaluation_seconds=evaluating,
        train_seconds=training,
        total_seconds=training + measured.schedule.validations * evaluating,
        memory_line=line,
        memory_limit=memory_limit,
        largest_batch=None if line is None else line.largest_batch(memory_limit),
    )


def evaluation_seconds(figures: EvaluationFigures | None) -> float:
    """The time of one evaluation: its start, and the batches of each dataset by the time of one."""
    if figures is None:
        return 0.0
    batches = {name: count / figures.batch_size for name, count in figures.images.items()}
    return figures.start_seconds + sum(count * figures.batch_seconds[name] for name, count in batches.items())


def validation_count(length: int, interval: int, begin: int = 1, changes: Sequence[tuple[int, int]] = ()) -> int:
    """How often mmengine's training loops evaluate: at every multiple of the interval, and at the end.

    Args:
        length: Iterations or epochs.
        interval: Between two evaluations.
        begin: The first place at which one may be.
        changes: Later intervals, each behind its place, as ``dynamic_intervals`` of a loop has them.

    Example:
        >>> validation_count(4500, 1500), validation_count(10, 4)
        (3, 3)
    """
    places, intervals = [0, *(place for place, _ in changes)], [interval, *(own for _, own in changes)]
    return sum(
        done >= begin and (done % intervals[bisect(places, done + 1) - 1] == 0 or done == length)
        for done in range(1, length + 1)
    )


def middle_mean(values: Sequence[float]) -> float:
    """The mean of the middle half: as steady as a median, but it also sees that some batches take longer than others.

    Example:
        >>> middle_mean([1.0, 2.0, 4.0, 90.0])
        3.0
    """
    cut = len(values) // 4
    return statistics.fmean(sorted(values)[cut : len(values) - cut])
