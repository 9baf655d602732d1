"""Config files, and what is wrong with one that cannot be read."""

from __future__ import annotations

import traceback
from itertools import pairwise
from pathlib import Path

from mmengine.config import Config

from ..errors import OptionError, first_of, nearest

_SUFFIXES = ('.py', '.yml', '.yaml', '.json')  # what mmengine reads


def read_config(path: str | Path) -> Config:
    """Reads a config file; where there is none, an OptionError names configs of a like name beside it."""
    path = Path(path)
    if not path.is_file():
        if path.is_dir():
            raise OptionError(f'{path}: is a folder; name a config file in it')
        below = [] if path.parent.name else sorted(Path('configs').rglob(path.name))  # a bare name, as mim takes it
        near = [*map(str, below)] or nearest(path.name, [other.name for other in path.parent.glob('*.py')])
        meant = f'. Did you mean: {", ".join(near)}?' if near else _held_by(path.parent)
        raise OptionError(f'{path}: no such config file{meant}')
    if path.suffix not in _SUFFIXES:
        raise OptionError(
            f'{path}: is no config file, which ends in {", ".join(_SUFFIXES)}; configs come before weights and images'
        )
    try:
        return Config.fromfile(str(path))
    except Exception as error:
        fault = _fault_of_config(path, error)
        if fault is None:
            raise
        raise OptionError(fault) from error


def _held_by(folder: Path) -> str:
    """What a folder holds instead of a config that is not there."""
    if not folder.is_dir():
        return f', nor is there a folder {folder}'
    names = sorted(other.name for other in folder.glob('*.py'))
    return f'; {folder} holds {first_of(names) if names else "none"}'


def _fault_of_config(path: Path, error: Exception) -> str | None:
    """What is wrong with a config that cannot be read; None where the fault is elsewhere, as in what it imports."""
    said = f'{type(error).__name__}: {error}'
    frames = traceback.extract_tb(error.__traceback__)
    inside = Path(frames[-1].filename)
    for reader, own in reversed(list(pairwise(frames))):
        runs = own.name == '<module>' and reader.name.endswith('2dict')  # mmengine runs a config there
        if runs and (inside == Path(own.filename) or 'mmengine' in inside.parts):
            return f'{own.filename}, line {own.lineno}: {said}'
    if isinstance(error, SyntaxError):
        read = [frame.f_locals.get('filename') for frame, _ in traceback.walk_tb(error.__traceback__)]
        file = [name for name in read if isinstance(name, str) and Path(name).is_file()][-1]  # maybe one of its _base_
        first = error.__context__ if error.lineno is None and isinstance(error.__context__, SyntaxError) else error
        return f'{file}, line {first.lineno}: {first.msg}'
    if isinstance(error, FileNotFoundError):
        return f'{path}: {error}; mend its _base_'
    if isinstance(error, UnicodeDecodeError):
        return f'{path}: it, or one of its _base_, is not written in UTF-8: {error}'
    return f'{path}: {said}' if path.suffix != '.py' or 'mmengine' in inside.parts else None
