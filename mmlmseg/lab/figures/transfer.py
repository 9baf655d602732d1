"""Scores of datasets in every label space, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...evaluation.transfer import Transfer
from .style import INK, PALE, figure

_CELL = 1.1  # inches


def plot_transfers(transfers: Sequence[Transfer], path: str | Path, *, title: str = '') -> None:
    """Draws mIoU, a row for each label space asked and a column for each dataset, with how many classes are scored.

    Args:
        transfers: Of every dataset in every label space.
        path: PNG, PDF or SVG to write.
        title: Written above.
    """
    columns = [*dict.fromkeys(one.dataset for one in transfers)]
    rows = [*dict.fromkeys(one.confusion.prediction.name for one in transfers)]
    scores = np.full((len(rows), len(columns)), np.nan)
    with figure(path, len(columns) * _CELL + 2.2, len(rows) * _CELL * 0.6 + 1.6) as drawn:
        axes = drawn.add_subplot()
        for one in transfers:
            row, column = rows.index(one.confusion.prediction.name), columns.index(one.dataset)
            score = one.mean_iou
            scores[row, column] = np.nan if score is None else score
            said = f'{"-" if score is None else f"{score:.1f}"}\n{int(one.scored.sum())}/{len(one.scored)}'
            colour = 'white' if score is not None and score > 45 else INK
            axes.text(column, row, said, ha='center', va='center', fontsize=8, color=colour)
        axes.set_facecolor(PALE)
        axes.imshow(scores, cmap='Blues', vmin=0, vmax=100, aspect='auto')
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha='right')
        axes.set_yticks(range(len(rows)), rows)
        axes.set(xlabel='images of', ylabel='asked in', title=title)
        axes.tick_params(length=0)
        axes.grid(False)
