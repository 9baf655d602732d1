"""Speed, side by side: what a step takes, measured in processes of their own that run in turn, and a JSON line of it.

A benchmark is a script under ``tools/benchmarks/`` that plays all its sides. Called as a user calls it, it starts
itself once a side and round, A B A B, with ``--side NAME``; such a process measures and prints the figures of
:func:`measure`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, float]
"""``wall`` and ``cpu`` seconds of a step (medians), ``peak_mb`` of the process (resident), and what a side adds."""

MODULES = ('torch', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'mmseg')


def measure(step: Callable[[], Any], repeats: int, warmup: int = 1) -> Figures:
    """Medians over ``repeats`` calls, after ``warmup`` more; CPU seconds count all threads, and children that ended."""
    for _ in range(warmup):
        step()
    walls, cpus = [], []
    for _ in range(repeats):
        cpu, wall = _cpu_seconds(), time.perf_counter()
        step()
        walls.append(time.perf_counter() - wall)
        cpus.append(_cpu_seconds() - cpu)
    return dict(wall=statistics.median(walls), cpu=statistics.median(cpus), peak_mb=peak_mb())


def peak_mb() -> float:
    """The most memory this process had resident so far, in MB (2**20 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def add_arguments(parser: argparse.ArgumentParser, rounds: int = 2, repeats: int = 5) -> None:
    """Adds what all benchmarks take: ``--rounds``, ``--repeats``, ``--threads``, ``--out``, and ``--side`` of a process
    that plays one."""
    parser.add_argument('--rounds', type=int, default=rounds, help='times that each side is started')
    parser.add_argument('--repeats', type=int, default=repeats, help='measured steps of a side and round')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='CPU threads of torch')
    parser.add_argument('--out', type=Path, help='add the JSON lines to this file as well')
    parser.add_argument('--side', help=argparse.SUPPRESS)


def in_turn(sides: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Figures]:
    """Starts this script once a side and round, in turn.

    Args:
        sides: By name the arguments that make the script play that side, to which ``--side NAME`` is added.
        rounds: How often.

    Returns:
        The median of each figure of a side over the rounds; of ``peak_mb`` the largest.

    Raises:
        RuntimeError: Where a process fails; with the end of what it printed.
    """
    found: dict[str, list[Figures]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, arguments in sides.items():
            command = [sys.executable, sys.argv[0], *map(str, arguments), '--side', name]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f'side {name} ended with status {done.returncode}:\n{done.stderr[-2000:]}')
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: {key: (max if key == 'peak_mb' else statistics.median)([own[key] for own in each]) for key in each[0]}
        for name, each in found.items()
    }


def report(
    claim: str,
    figures: Mapping[str, Figures],
    ours: str,
    peer: str,
    goal: str,
    sizes: Mapping[str, Any],
    load_before: float,
    out: Path | None = None,
) -> dict[str, Any]:
    """Prints, and adds to ``out``, one JSON line: what is claimed, both sides, and how many times the peer's time (and
    share of its memory) ours takes."""
    a, b = figures[ours], figures[peer]
    line = dict(
        claim=claim,
        goal=goal,
        ratio=round(b['wall'] / a['wall'], 2),
        ratio_cpu=round(b['cpu'] / a['cpu'], 2),
        memory=round(a['peak_mb'] / b['peak_mb'], 3),
        ours={ours: _rounded(a)},
        peer={peer: _rounded(b)},
        sizes=dict(sizes),
        load=[round(load_before, 2), round(os.getloadavg()[0], 2)],
        versions=versions(),
    )
    text = json.dumps(line)
    print(text, flush=True)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open('a', encoding='utf-8') as file:
            file.write(text + '\n')
    return line


def versions() -> dict[str, str]:
    """Of the packages below us, by the distributions that bring them."""
    brought_by = importlib.metadata.packages_distributions()
    return {name: importlib.metadata.version(name) for module in MODULES for name in set(brought_by.get(module, ()))}


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _rounded(figures: Figures) -> dict[str, float]:
    return {key: float(f'{value:.4g}') for key, value in figures.items()}
