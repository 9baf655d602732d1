"""What is measured of a training before it is predicted. Times are in seconds, memory is in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Pixels:
    """Shares of the pixels that a model gets: together 1.

    Attributes:
        useful: With a label, so that something is learned there.
        ignored: Of the image, but nobody annotated them.
        padding: Added by ``Pad``.
    """

    useful: float
    ignored: float
    padding: float


@dataclass(frozen=True)
class DatasetFigures:
    """One dataset of a training.

    Attributes:
        name: Of the dataset.
        images: How many it lists.
        pass_length: Draws until each of them came: as many as images, or more where rare ones are repeated.
        probability: That an image, or a step, is of this dataset.
        load_seconds: One image through its pipeline, by one process.
        pixels: Of an image after augmentation.
        step_seconds: Of a batch that is of this dataset alone; without loading.
    """

    name: str
    images: int
    pass_length: float
    probability: float
    load_seconds: float
    pixels: Pixels
    step_seconds: float


@dataclass(frozen=True)
class LoopFigures:
    """Iterations of the training's own loop.

    Attributes:
        steps: How many were measured.
        compute_seconds: From having a batch to the end of the step.
        wait_seconds: For the batch, the mean over all, since loading processes deliver in bursts.
        mixed: Whether datasets mix in a batch; else a step is of one dataset.
    """

    steps: int
    compute_seconds: float
    wait_seconds: float
    mixed: bool


@dataclass(frozen=True)
class EvaluationFigures:
    """One evaluation.

    Attributes:
        batch_size: Of its loader.
        images: Of each dataset.
        batch_seconds: Of a batch of each dataset, with loading as the loader does it, and scoring.
        start_seconds: What its first batch takes more than others, as processes that load are started.
        peak_bytes: The most memory while evaluating.
    """

    batch_size: int
    images: Mapping[str, int]
    batch_seconds: Mapping[str, float]
    start_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Schedule:
    """How long a training is: its iterations, and the evaluations along them."""

    iterations: int
    validations: int


@dataclass(frozen=True)
class Parameters:
    """How many numbers a model has, how many of them are trained, and both by part."""

    total: int
    trained: int
    parts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Measured:
    """All that was measured.

    Attributes:
        device: ``cpu``, or the name of the accelerator.
        batch_size: Of a step.
        workers: Processes that load; 0 where the training itself does.
        memory_how: How memory was read.
        memory: The peak by batch size, of one or two.
    """

    device: str
    batch_size: int
    workers: int
    parameters: Parameters
    schedule: Schedule
    datasets: tuple[DatasetFigures, ...]
    loop: LoopFigures
    evaluation: EvaluationFigures | None
    memory_how: str
    memory: Mapping[int, int]
