"""Label spaces and class lists."""

from __future__ import annotations

from pathlib import Path

from refusals import Refusals

from mmlmseg.errors import LabelSpaceError
from mmlmseg.label_space import LabelSpace

REFUSALS = Refusals()


@REFUSALS.by(LabelSpaceError, 'Traffic Light', 'traffic_light')
def two_classes_of_one_meaning(folder: Path) -> None:
    LabelSpace.create('streets', ['Traffic Light', 'traffic_light'])
