"""Text rows of a class list, as a model that was exported with text as an input takes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import OptionError
from ..label_space import LabelSpace

ENDINGS = ('.npy', '.json')


@torch.no_grad()
def text_rows(model: Any, space: LabelSpace) -> NDArray[np.float32]:
    """What a model reads classes as.

    Args:
        model: A segmentor that reads text.
        space: One of its label spaces, or one made of a class list.

    Returns:
        float32 ``[K, C]``, in the order of the classes, behind the adapter; no-object is part of the graph.

    Raises:
        OptionError: Where the model reads no text.
        TextBankError: Where a name cannot be embedded.
    """
    head = model.decode_head
    if head.text is None:
        raise OptionError('the model reads no text, so classes have no text rows')
    rows: torch.Tensor = head.text.categories([space]).rows[0, :-1]
    return rows.float().cpu().numpy()


def check_ending(path: str | Path) -> None:
    """Refuses a file of rows that is neither of :data:`ENDINGS`."""
    if Path(path).suffix not in ENDINGS:
        raise OptionError(f'--out {path}: text rows are written to a .npy or a .json file')


def save_rows(path: str | Path, classes: Sequence[str], rows: NDArray[np.float32]) -> None:
    """Writes rows with the names of their classes: a ``.json`` holds both, beside a ``.npy`` lies a ``.txt``, one name
    a line."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.json':
        path.write_text(
            json.dumps(dict(classes=list(classes), rows=rows.tolist()), ensure_ascii=False), encoding='utf-8'
        )
    else:
        np.save(path, rows)
        path.with_suffix('.txt').write_text('\n'.join([*classes, '']), encoding='utf-8')
