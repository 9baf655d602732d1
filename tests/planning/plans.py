"""A training that nobody measured, with figures that one can reckon with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mmlmseg.planning.figures import (
    DatasetFigures,
    EvaluationFigures,
    LoopFigures,
    Measured,
    Parameters,
    Pixels,
    Schedule,
)

PIXELS = Pixels(useful=0.75, ignored=0.05, padding=0.2)
MEASURED = Measured(
    device='cpu',
    batch_size=4,
    workers=2,
    parameters=Parameters(total=120, trained=20, parts=dict(backbone=(100, 0), decode_head=(20, 20))),
    schedule=Schedule(iterations=1000, validations=3),
    datasets=(
        DatasetFigures('streets', 100, 100, 0.25, load_seconds=0.1, pixels=PIXELS, step_seconds=2.0),
        DatasetFigures('rooms', 300, 375, 0.75, load_seconds=0.2, pixels=PIXELS, step_seconds=4.0),
    ),
    loop=LoopFigures(steps=30, compute_seconds=3.0, wait_seconds=0.5, mixed=True),
    evaluation=EvaluationFigures(
        batch_size=2,
        images=dict(streets=10, rooms=30),
        batch_seconds=dict(streets=1.0, rooms=2.0),
        start_seconds=0.5,
        peak_bytes=2**30,
    ),
    memory_how='peak',
    memory={2: 3 * 2**30, 4: 4 * 2**30},
)


def measured(**changes: Any) -> Measured:
    """The figures with some of them changed."""
    return replace(MEASURED, **changes)
