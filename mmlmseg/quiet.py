"""What the libraries below say at every start, and no user can do anything about, is not said.

Each message is named by its beginning; everything else is said as ever, and errors are never touched.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import Any

# mmseg and mmdet look for a service of their makers; mmengine's own hooks use what it calls deprecated.
MESSAGES = (
    'Could not import OneDL',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)
# Where `print_log` is called, or taken from, for these.
_SPEAKERS = ('mmengine.logging', 'mmengine.fileio.file_client')
# mmseg warns that its hook draws nothing where a config asks it to draw nothing.
_WARNINGS = ('The draw is False',)


def apply() -> None:
    """Silences them; calling it again changes nothing. It has to come before the first import of mmseg's datasets."""
    for name in _SPEAKERS:
        module: Any = importlib.import_module(name)
        if not hasattr(module.print_log, 'leaves_out'):
            module.print_log = without_messages(module.print_log)
    for start in _WARNINGS:
        warnings.filterwarnings('ignore', message=start)


def without_messages(print_log: Callable[..., None]) -> Callable[..., None]:
    """mmengine's `print_log`, without the messages above."""

    @functools.wraps(print_log)
    def quiet(msg: Any, *args: Any, **kwargs: Any) -> None:
        if not str(msg).startswith(MESSAGES):
            print_log(msg, *args, **kwargs)

    quiet.leaves_out = MESSAGES  # type: ignore[attr-defined]
    return quiet
