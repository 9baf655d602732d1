"""The methods of a benchmark and the runs that they take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: What the table calls it.
        config: The file of its config, over all datasets of the benchmark.
        alone: Whether it is trained on each dataset alone; the models share the budget. Asked for several label spaces
            at once, they answer together.
        iterations: Per dataset, where they are not those of the benchmark.
        options: What differs from the config, as ``--cfg-options``.
    """

    name: str
    config: str
    alone: bool = False
    iterations: int | None = None
    options: Options = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """Its name in names of files."""
        return re.sub(r'[\W_]+', '-', self.name.lower()).strip('-')


@dataclass(frozen=True)
class Run:
    """One training, or the evaluation of several trained models together.

    Attributes:
        name: Unique in the benchmark; also the name of its folder.
        method: The method.
        dataset: The only dataset of the run; None for all.
        seed: Of everything random.
        choice: Which of the benchmark's choices it tries; None for a final run, which is scored on the val split.
        members: The runs whose models it puts together and evaluates; empty for a training.
    """

    name: str
    method: Method
    dataset: str | None
    seed: int
    choice: int | None = None
    members: tuple[Run, ...] = ()
