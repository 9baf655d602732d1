"""Compare methods under one total cost: trains what is missing, then writes the table and its figure.

Every finished run adds a line to RESULTS/NAME.jsonl, so the same command goes on where it was stopped, also inside a
run. The table is written to RESULTS/NAME.json and NAME.md, the figure to NAME.png.

Examples:
    python tools/benchmarks/compare_methods.py tools/benchmarks/clash5_semantic.yml
    python tools/benchmarks/compare_methods.py tools/benchmarks/clash5_main.yml --seeds 0     # the rest later
    python tools/benchmarks/compare_methods.py tools/benchmarks/clash5_main.yml --runs        # what is done
    python tools/benchmarks/compare_methods.py tools/benchmarks/clash5_main.yml --run resi_seed0
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('benchmark', help='a benchmark file, e.g. tools/benchmarks/clash5_semantic.yml')
    parser.add_argument('--results', default='docs/results', help='where lines, table and figure go')
    parser.add_argument('--work-dir', default='work_dirs/benchmarks', help='where logs and checkpoints go')
    parser.add_argument('--seeds', metavar='S,...', help='of the benchmark, those to do and to report (default: all)')
    only = parser.add_mutually_exclusive_group()
    only.add_argument('--report', action='store_true', help='train nothing, only write the table of what has finished')
    only.add_argument('--runs', action='store_true', help='train nothing, only list the runs, and which are done')
    only.add_argument('--run', metavar='NAME', help='do this run only, and write no table')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import mmlmseg  # noqa: F401  (first: it lets the libraries below import)
from mmlmseg.cli import one_line_errors
from mmlmseg.errors import OptionError, did_you_mean, errors_of
from mmlmseg.lab.benchmark import (
    Benchmark,
    Run,
    append_result,
    check_fairness,
    chosen_options,
    execute,
    make_report,
    read_results,
    run_config,
)
from mmlmseg.lab.figures.curves import plot_cost_curves, read_cost_curves


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with one_line_errors():
        benchmark = Benchmark.from_file(args.benchmark)
        results_file = Path(args.results, f'{benchmark.name}.jsonl')
        if args.run:
            do_run(benchmark, args.run, results_file, Path(args.work_dir, benchmark.name))
            return 0
        some = replace(benchmark, seeds=seeds_of(benchmark, args.seeds))
        # Choices are made with the first seed of all, whichever are done.
        runs = [run for run in benchmark.runs() if run.choice is not None or run.seed in some.seeds]
        if args.runs:
            list_runs(runs, results_file)
            return 0
        if not args.report:
            check_fairness(benchmark)
            if status := do_all(runs, args, results_file):
                return status
        write_report(some, results_file)
    return 0


def seeds_of(benchmark: Benchmark, asked: str | None) -> tuple[int, ...]:
    """The seeds that are asked for, in the order of the benchmark."""
    names = [str(seed) for seed in benchmark.seeds]
    wanted = names if asked is None else asked.split(',')
    if unknown := [name for name in wanted if name not in names]:
        raise OptionError(f'--seeds: {benchmark.name} has the seeds {", ".join(names)}, not {", ".join(unknown)!r}')
    return tuple(seed for seed in benchmark.seeds if str(seed) in wanted)


def list_runs(runs: Sequence[Run], results_file: Path) -> None:
    """Print the name of each run, and whether it has a line."""
    done = read_results(results_file)
    for run in runs:
        print(f'{"done" if run.name in done else "-":<6}{run.name}')
    print(f'{sum(run.name in done for run in runs)} of {len(runs)} runs are done')


def do_all(runs: Sequence[Run], args: argparse.Namespace, results_file: Path) -> int:
    """Do every run that has no line yet, each in a process of its own; returns the status of the first that fails."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # takes the run along
    for number, run in enumerate(runs, 1):
        if run.name in read_results(results_file):
            continue
        print(f'[{number}/{len(runs)}] {run.name}', flush=True)
        command = [sys.executable, __file__, args.benchmark, '--results', args.results, '--work-dir', args.work_dir]
        status = subprocess.run([*command, '--run', run.name], check=False).returncode
        if status:
            print(f'error: run {run.name} ended with status {status}; the same command goes on there', file=sys.stderr)
            return status if status > 0 else 128 - status  # as a shell reports signals
    return 0


def do_run(benchmark: Benchmark, name: str, results_file: Path, work_dir: Path) -> None:
    """Do one run and add its line."""
    runs = {run.name: run for run in benchmark.runs()}
    if name not in runs:
        raise OptionError(f'--run: {benchmark.name} has no run {name!r}.{did_you_mean(name, runs)}')
    options = chosen_options(benchmark, runs[name], read_results(results_file))
    result = execute(benchmark, runs[name], run_config(benchmark, runs[name], options, work_dir))
    append_result(results_file, {**result, 'options': dict(options)})


def write_report(benchmark: Benchmark, results_file: Path) -> None:
    """Write table and figure, and print the table."""
    results = read_results(results_file)
    with errors_of(results_file):
        report = make_report(benchmark, results)
    if not report.rows:
        print(f'no method has finished yet: {len(report.missing)} runs are missing')
        return
    table = results_file.with_suffix('.json')
    table.write_text(json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    results_file.with_suffix('.md').write_text(report.to_markdown(), encoding='utf-8')
    if benchmark.readings > 1:
        curves, metric = read_cost_curves(table)
        plot_cost_curves(curves, results_file.with_suffix('.png'), y_label=f'mean {metric}', title=benchmark.title)
    print(report.to_markdown())


if __name__ == '__main__':
    sys.exit(main())
