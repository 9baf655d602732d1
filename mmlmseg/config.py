"""Reading config files."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from .errors import OptionError, did_you_mean


def read_config(path: str | Path) -> Config:
    """Reads a config file.

    Args:
        path: The file.

    Raises:
        OptionError: Where there is none; configs of a like name beside it are named.
    """
    path = Path(path)
    if not path.is_file():
        near = did_you_mean(path.name, [other.name for other in path.parent.glob('*.py')])
        raise OptionError(f'{path}: no such config file.{near}')
    return Config.fromfile(str(path))
