"""The libraries of the extra ``export``, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import OptionError


def needed(*names: str) -> Any:
    """Imports libraries; returns the first.

    Raises:
        OptionError: Where one is not installed.
    """
    found = []
    for name in names:
        try:
            found.append(importlib.import_module(name))
        except ModuleNotFoundError as error:
            if error.name != name.partition('.')[0]:
                raise
            raise OptionError(
                f'{name} is not installed, which exporting needs: pip install "mmlmseg[export]"'
            ) from None
    return found[0]
