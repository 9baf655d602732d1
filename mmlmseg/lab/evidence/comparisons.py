"""Comparisons of methods, graded by what their seeds and images can tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..benchmark import Benchmark, Report, make_report, read_results
from ..benchmark.report import SIGNIFICANT, Row, paired
from .markdown import signed, table

FILES = Path('tools/benchmarks')
"""Where the files of benchmarks are, seen from the root of the repository, as all their paths are."""

ENOUGH_SEEDS = 3

# The goals compare with LMSeg, these files with RESI.
_REFERENCES = {f'mixed_{name}': 'LMSeg' for name in ('streets', 'facades', 'people', 'scenes')}


def compare(results: Path, name: str, reference: str | None = None, methods: Collection[str] | None = None) -> Report:
    """The report of a benchmark: of the seeds that every method has finished, where there are any, else of those that
    its reference has, else of all.

    Where its reference has not finished, methods are read against the best one.

    Args:
        results: The folder of lines.
        name: Of the benchmark.
        reference: What the others are compared with; by default that of the benchmark or of the goals.
        methods: Which methods beside it; by default all.
    """
    benchmark, lines = _read(results, name)
    return _compared(benchmark, lines, reference or _REFERENCES.get(name, benchmark.reference), methods)


def _read(results: Path, name: str) -> tuple[Benchmark, dict[str, Any]]:
    """A benchmark, and the lines of its runs by their names."""
    return Benchmark.from_file(FILES / f'{name}.yml'), read_results(results / f'{name}.jsonl')


def _compared(
    benchmark: Benchmark, lines: Mapping[str, Any], reference: str, methods: Collection[str] | None = None
) -> Report:
    if methods is not None:
        chosen = tuple(own for own in benchmark.methods if own.name in {reference, *methods})
        benchmark = replace(benchmark, methods=chosen)
    names = [own.name for own in benchmark.methods]
    seeds = finished(benchmark, lines, names) or finished(benchmark, lines, [reference]) or benchmark.seeds
    benchmark = replace(benchmark, seeds=seeds, reference=reference)
    report = make_report(benchmark, lines)
    if report.rows and reference not in {row.method for row in report.rows}:
        best = max(report.rows, key=lambda row: row.mean)
        report = make_report(replace(benchmark, reference=best.method), lines)
    return report


def finished(benchmark: Benchmark, lines: Collection[str], methods: Collection[str]) -> tuple[int, ...]:
    """The seeds of which all runs of some methods are there."""
    runs = [run for run in benchmark.final_runs() if run.method.name in methods]
    return tuple(seed for seed in benchmark.seeds if all(run.name in lines for run in runs if run.seed == seed))


def verdict(row: Row, seeds: int) -> str:
    """What a difference may be called: it holds with three seeds and p below 0.05 only."""
    if row.difference is None or row.interval is None:
        return '-'
    if seeds >= ENOUGH_SEEDS:
        return 'holds' if row.p is not None and row.p < SIGNIFICANT else f'not shown, {seeds} seeds'
    few = 'one seed' if seeds == 1 else f'{seeds} seeds'
    low, high = row.interval
    return f'not told apart, {few}' if low <= 0 <= high else f'points that way, {few}'


def comparison(results: Path, name: str) -> str:
    """The table of a benchmark with a verdict for each method, and what its numbers were made by.

    Each method is compared over the seeds that it and the reference have finished.
    """
    command = f'`python tools/benchmarks/compare_methods.py tools/benchmarks/{name}.yml`'
    if not (results / f'{name}.jsonl').is_file():
        return f'{command}: **not run**.'
    every, lines = _read(results, name)
    overall = _compared(every, lines, _REFERENCES.get(name, every.reference))
    if not overall.rows:
        return f'{command}: {len(overall.missing)} runs are **not finished**.'
    reference = overall.benchmark.reference
    done = {own.name: finished(every, lines, {own.name, reference}) for own in every.methods}
    reports = {method: _compared(every, lines, reference, [method]) for method, seeds in done.items() if seeds}
    several = max(map(len, done.values())) > 1
    metric = every.metric if len(every.scored_datasets) == 1 else f'mean {every.metric}'
    head = ['method', 'text', metric, f'minus {reference} [95 %]']
    rows = []
    for method, report in reports.items():
        row = row_of(report, method)
        mean = f'{row.mean:.1f}' + ('' if row.std is None else f' ± {row.std:.1f}')
        by_seed = [f'{row.p:.3f}', signed(*row.by_seed)] if row.p is not None else ['-', '-']
        seeds = [*by_seed, str(len(done[method]))] if several else []
        rows.append([method, row.text, mean, paired(row), *seeds, verdict(row, len(done[method]))])
    told = table([*head, *(['p', 'by seed', 'seeds'] if several else []), 'verdict'], rows)
    missing = _unfinished(every, done)
    return f'{told}\n\n{command}; {made_by(lines, [*reports.values()])}.' + (
        f' Not finished: {missing}.' if missing else ''
    )


def _unfinished(benchmark: Benchmark, done: Mapping[str, tuple[int, ...]]) -> str:
    """Methods of which there is no seed, then the seeds that others lack."""
    told = [method for method, seeds in done.items() if not seeds]
    begun = [method for method, seeds in done.items() if seeds]
    for seed in benchmark.seeds:
        lacking = [method for method in begun if seed not in done[method]]
        if lacking:
            told.append(f'seed {seed}' + ('' if lacking == begun else f' of {" and ".join(lacking)}'))
    return ', '.join(told)


def made_by(found: Mapping[str, Any], reports: Sequence[Report]) -> str:
    """Length, seeds, machines, time, precisions and commits of the runs of reports, as far as their lines say."""
    runs = dict.fromkeys(run.name for report in reports for run in report.benchmark.final_runs())
    lines = [found[run] for run in runs if run in found]

    def told(key: str, older: str = '') -> str:
        return ', '.join(dict.fromkeys(str(line.get(key) or line.get(older) or 'not recorded') for line in lines))

    seconds = [line['seconds'] for line in lines]
    minutes = 'minutes not recorded' if None in seconds else f'{sum(seconds) / 60:.0f} minutes in all'
    cost = ', '.join(dict.fromkeys(str(row.cost) for report in reports for row in report.rows))
    seeds = sorted({seed for report in reports for seed in report.benchmark.seeds})
    return (
        f'{cost} iterations of {reports[0].batch_size} images, {"seed" if len(seeds) == 1 else "seeds"} '
        f'{", ".join(map(str, seeds))}; machine: {told("machine", "device")}, {minutes}; '
        f'precision: {told("precision")}; torch: {told("torch")}; commit: {told("commit")}'
    )


def row_of(report: Report, method: str) -> Row:
    """The row of a method."""
    return next(row for row in report.rows if row.method == method)
