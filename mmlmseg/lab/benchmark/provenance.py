"""What a run was made by: the commit of the code, the machine, and the precision of its products."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import torch
from mmengine.config import Config

from ...models.numerics import gains_by_bfloat16

ROOT = Path(__file__).resolve().parents[3]
"""The working copy, where the package is not installed apart from it."""

_CODE = ('mmlmseg', 'configs', 'tools')  # what decides a result; docs change with every line that is written


def commit_of(root: Path = ROOT) -> str | None:
    """The short hash of the commit that a working copy is at, with ``+`` where its code has changed since.

    Args:
        root: The folder that holds the package.

    Returns:
        None where there is no git, or where the package is no part of the repository around it, as one that is
        installed in an environment is not.
    """
    if not _git(root, 'ls-files', '--', 'mmlmseg/version.py'):
        return None
    commit = _git(root, 'rev-parse', '--short', 'HEAD')
    return commit and commit + ('+' if _git(root, 'status', '--porcelain', '--', *_CODE) else '')


def _git(root: Path, *command: str) -> str | None:
    """What git says; None where it fails or is missing."""
    try:
        done = subprocess.run(['git', '-C', str(root), *command], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def machine_name() -> str:
    """The GPU that trains, where there is one, and the CPU with the threads that torch takes."""
    threads = torch.get_num_threads()
    cpu = f'{_cpu_name()}, {threads} {"thread" if threads == 1 else "threads"}'
    return f'{torch.cuda.get_device_name()}; {cpu}' if torch.cuda.is_available() else cpu


def _cpu_name() -> str:
    """As the system calls it."""
    information = Path('/proc/cpuinfo')  # of Linux, where platform.processor says little
    lines = information.read_text(encoding='utf-8').splitlines() if information.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def training_precision(cfg: Config) -> str:
    """What the products of a training run in on this machine: ``float32`` or ``bfloat16``, ``float16`` under AMP."""
    wrapper = cfg.optim_wrapper
    kind = wrapper.type.rsplit('.', 1)[-1]
    if kind == 'BFloat16OptimWrapper':  # an autocast around the model goes first
        return 'bfloat16'
    if kind == 'AmpOptimWrapper':
        return wrapper.get('dtype') or 'float16'
    model = cfg.model.members[0] if 'members' in cfg.model else cfg.model
    precision = model.get('precision', 'float32')
    if precision != 'auto':
        return precision
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    return 'bfloat16' if gains_by_bfloat16(device) else 'float32'
