"""Comparisons of methods, graded by what their seeds and images can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..benchmark import Benchmark, Report, make_report, read_results
from ..benchmark.report import SIGNIFICANT, Row, paired
from .markdown import signed, table

FILES = Path('tools/benchmarks')
"""Where the files of benchmarks are, seen from the root of the repository, as all their paths are."""

ENOUGH_SEEDS = 3

# The goals compare with LMSeg, these files with RESI.
_REFERENCES = {f'mixed_{name}': 'LMSeg' for name in ('streets', 'facades', 'people', 'scenes')}


def compare(results: Path, name: str, reference: str | None = None) -> Report:
    """The report of a benchmark: of the seeds that every method has finished, where there are any, else of those that
    its reference has, else of all.

    Where its reference has not finished, methods are read against the best one.
    """
    benchmark, lines = Benchmark.from_file(FILES / f'{name}.yml'), read_results(results / f'{name}.jsonl')
    reference = reference or _REFERENCES.get(name, benchmark.reference)

    def finished(*methods: str) -> list[int]:
        runs = [run for run in benchmark.final_runs() if run.method.name in methods]
        return [seed for seed in benchmark.seeds if all(run.name in lines for run in runs if run.seed == seed)]

    finished_seeds = finished(*(method.name for method in benchmark.methods)) or finished(reference) or benchmark.seeds
    benchmark = replace(benchmark, seeds=tuple(finished_seeds), reference=reference)
    report = make_report(benchmark, lines)
    if report.rows and reference not in {row.method for row in report.rows}:
        best = max(report.rows, key=lambda row: row.mean)
        report = make_report(replace(benchmark, reference=best.method), lines)
    return report


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
    """The table of a benchmark with a verdict for each method, and what its numbers were made by."""
    command = f'`python tools/benchmarks/compare_methods.py tools/benchmarks/{name}.yml`'
    if not (results / f'{name}.jsonl').is_file():
        return f'{command}: **not run**.'
    report = compare(results, name)
    if not report.rows:
        return f'{command}: {len(report.missing)} runs are **not finished**.'
    benchmark = report.benchmark
    several = len(benchmark.seeds) > 1
    seeds = ['p', 'by seed'] if several else []
    metric = benchmark.metric if len(benchmark.scored_datasets) == 1 else f'mean {benchmark.metric}'
    head = ['method', 'text', metric, f'minus {benchmark.reference} [95 %]', *seeds, 'verdict']
    rows = []
    for row in report.rows:
        by_seed = [f'{row.p:.3f}', signed(*row.by_seed)] if row.p is not None else ['-', '-']
        mean = f'{row.mean:.1f}' + ('' if row.std is None else f' ± {row.std:.1f}')
        rows.append(
            [row.method, row.text, mean, paired(row), *by_seed[: len(seeds)], verdict(row, len(benchmark.seeds))]
        )
    every = Benchmark.from_file(FILES / f'{name}.yml')
    shown = {row.method for row in report.rows}
    unfinished = [own.name for own in benchmark.methods if own.name not in shown]
    unfinished += [f'seed {seed}' for seed in every.seeds if seed not in benchmark.seeds]
    missing = f' Not finished: {", ".join(unfinished)}.' if unfinished else ''
    return f'{table(head, rows)}\n\n{command}; {made_by(results, report)}.{missing}'


def made_by(results: Path, report: Report) -> str:
    """Length, seeds, machines, time, precisions and commits of the runs of a report, as far as their lines say."""
    found = read_results(results / f'{report.benchmark.name}.jsonl')
    lines = [found[run.name] for run in report.benchmark.final_runs() if run.name in found]

    def told(key: str, older: str = '') -> str:
        return ', '.join(dict.fromkeys(str(line.get(key) or line.get(older) or 'not recorded') for line in lines))

    seconds = [line['seconds'] for line in lines]
    minutes = 'minutes not recorded' if None in seconds else f'{sum(seconds) / 60:.0f} minutes in all'
    cost = ', '.join(dict.fromkeys(str(row.cost) for row in report.rows))
    seeds = ', '.join(map(str, report.benchmark.seeds))
    return (
        f'{cost} iterations of {report.batch_size} images, {"seed" if len(report.benchmark.seeds) == 1 else "seeds"} '
        f'{seeds}; machine: {told("machine", "device")}, {minutes}; precision: {told("precision")}; '
        f'torch: {told("torch")}; commit: {told("commit")}'
    )


def row_of(report: Report, method: str) -> Row:
    """The row of a method."""
    return next(row for row in report.rows if row.method == method)
