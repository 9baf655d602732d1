"""Compare methods under one total cost: trains what is missing, then writes the table and its figure.

Every finished run adds a line to RESULTS/NAME.jsonl, so the same command goes on where it was stopped, also inside a
run. The table is written to RESULTS/NAME.json and NAME.md, the figure to NAME.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmlmseg  # noqa: F401  (first: it lets the libraries below import)
from mmlmseg.benchmark import Benchmark, Run, execute, make_report, run_config
from mmlmseg.benchmark.spec import append_line, read_lines
from mmlmseg.cli import one_line_errors
from mmlmseg.errors import OptionError
from mmlmseg.visualization.cost_curves import plot_cost_curves, read_cost_curves


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('benchmark', help='a benchmark file, e.g. tools/benchmarks/clash5_semantic.yml')
    parser.add_argument('--results', default='docs/results', help='where lines, table and figure go')
    parser.add_argument('--work-dir', default='work_dirs/benchmarks', help='where logs and checkpoints go')
    parser.add_argument(
        '--report', action='store_true', help='train nothing, only write the table of what has finished'
    )
    parser.add_argument('--run', help='one run, by its name')
    return parser.parse_args()


def main() -> None:
    """Runs the benchmark."""
    args = parse_arguments()
    with one_line_errors():
        benchmark = Benchmark.from_file(args.benchmark)
        lines_file = Path(args.results, f'{benchmark.name}.jsonl')
        if args.run:
            run_one(benchmark, args.run, lines_file, Path(args.work_dir, benchmark.name))
        elif not args.report:
            run_all(benchmark, lines_file)
        if not args.run:
            write_report(benchmark, lines_file)


def run_all(benchmark: Benchmark, lines_file: Path) -> None:
    """Does every run that has no line yet, each in a process of its own."""
    runs = [*benchmark.tuning_runs(), *benchmark.final_runs()]
    for number, run in enumerate(runs, 1):
        if run.name in read_lines(lines_file):
            continue
        print(f'[{number}/{len(runs)}] {run.name}', flush=True)
        done = subprocess.run([sys.executable, *sys.argv, '--run', run.name], check=False)
        if done.returncode:
            raise OptionError(f'run {run.name} ended with status {done.returncode}; see its output above')


def run_one(benchmark: Benchmark, name: str, lines_file: Path, work_dir: Path) -> None:
    """Does one run and adds its line."""
    runs = {run.name: run for run in [*benchmark.tuning_runs(), *benchmark.final_runs()]}
    if name not in runs:
        raise OptionError(f'{benchmark.name} has no run {name!r}; it has {", ".join(runs)}')
    lines = read_lines(lines_file)
    options = choose(benchmark, runs[name], lines)
    line = execute(benchmark, runs[name], run_config(benchmark, runs[name], options, work_dir))
    append_line(lines_file, {**line, 'options': dict(options)})


def choose(benchmark: Benchmark, run: Run, lines: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The options of a run: those that it tries, or those that served its method best on held-out training images.

    Raises:
        OptionError: Where a trial has not finished.
    """
    if run.choice is not None:
        return benchmark.choices[run.choice]
    trials = [trial for trial in benchmark.tuning_runs() if trial.method == run.method and trial.dataset == run.dataset]
    if not trials:
        return benchmark.choices[0] if benchmark.choices else {}
    missing = [trial.name for trial in trials if trial.name not in lines]
    if missing:
        raise OptionError(f'{run.name} waits for {", ".join(missing)}')

    def mean(trial: Run) -> float:
        scores = lines[trial.name]['scores']
        return sum(score[benchmark.metric] for score in scores.values()) / len(scores)

    return benchmark.choices[max(trials, key=mean).choice or 0]


def write_report(benchmark: Benchmark, lines_file: Path) -> None:
    """Writes table and figure, and prints the table."""
    report = make_report(benchmark, read_lines(lines_file))
    if not report.rows:
        print(f'no method has finished yet: {len(report.missing)} runs are missing')
        return
    lines_file.with_suffix('.json').write_text(json.dumps(report.to_dict(), indent=1) + '\n')
    lines_file.with_suffix('.md').write_text(f'### {report.title}\n\n{report.to_markdown()}')
    if benchmark.readings > 1:
        curves, metric = read_cost_curves(lines_file.with_suffix('.json'))
        plot_cost_curves(curves, lines_file.with_suffix('.png'), y_label=f'mean {metric}', title=report.title)
    print(report.to_markdown())


if __name__ == '__main__':
    main()
