"""Write the tables of docs/evidence.md anew, from the lines and files of docs/results. The words between them stay.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. A test fails where the page says other than the lines.

Example:
    python tools/docs/evidence.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--page', default='docs/evidence.md', help='the page to write (default: %(default)s)')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
import re
import statistics
from dataclasses import replace
from typing import Any

import mmlmseg  # noqa: F401  (first: it lets the libraries below import)
from mmlmseg.cli import one_line_errors
from mmlmseg.errors import OptionError, did_you_mean
from mmlmseg.lab.benchmark import Benchmark, Report, make_report, read_results
from mmlmseg.lab.benchmark.report import SIGNIFICANT, Row, paired

RESULTS, FILES = Path('docs/results'), Path('tools/benchmarks')
ENOUGH_SEEDS = 3
# The goals compare with LMSeg, these files with RESI.
REFERENCES = {f'mixed_{name}': 'LMSeg' for name in ('streets', 'facades', 'people', 'scenes')}
MARGINS = dict(mIoU=1.6, PQ=9.1, AP=12.1, PIQ=3.0)  # of the paper, over earlier methods


def compare(name: str, reference: str | None = None) -> Report:
    """The report of a benchmark: of the seeds that every method has finished, where there are any, else of all.

    Where its reference has not finished, methods are read against the best one.
    """
    benchmark, results = Benchmark.from_file(FILES / f'{name}.yml'), read_results(RESULTS / f'{name}.jsonl')
    runs = benchmark.final_runs()
    finished = [
        seed for seed in benchmark.seeds if all(run.name in results for run in runs if run.seed == seed)
    ] or benchmark.seeds
    reference = reference or REFERENCES.get(name, benchmark.reference)
    benchmark = replace(benchmark, seeds=tuple(finished), reference=reference)
    report = make_report(benchmark, results)
    if report.rows and reference not in {row.method for row in report.rows}:
        best = max(report.rows, key=lambda row: row.mean)
        report = make_report(replace(benchmark, reference=best.method), results)
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


def comparison(name: str) -> str:
    """The table of a benchmark with a verdict for each method, and what its numbers were made by."""
    command = f'`python tools/benchmarks/compare_methods.py tools/benchmarks/{name}.yml`'
    if not (RESULTS / f'{name}.jsonl').is_file():
        return f'{command}: **not run**.'
    report = compare(name)
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
    unfinished = [*report.missing, *(f'seed {seed}' for seed in every.seeds if seed not in benchmark.seeds)]
    missing = f' Not finished: {", ".join(unfinished)}.' if unfinished else ''
    return f'{table(head, rows)}\n\n{command}; {made_by(report)}.{missing}'


def made_by(report: Report) -> str:
    """Length, seeds, machines, precisions and commits of the runs of a report, as far as their lines say."""
    results = read_results(RESULTS / f'{report.benchmark.name}.jsonl')
    lines = [results[run.name] for run in report.benchmark.final_runs() if run.name in results]

    def told(key: str, older: str = '') -> str:
        return ', '.join(dict.fromkeys(str(line.get(key) or line.get(older) or 'not recorded') for line in lines))

    cost = ', '.join(dict.fromkeys(str(row.cost) for row in report.rows))
    seeds = ', '.join(map(str, report.benchmark.seeds))
    return (
        f'{cost} iterations of {report.batch_size} images, {"seed" if len(report.benchmark.seeds) == 1 else "seeds"} '
        f'{seeds}; machine: {told("machine", "device")}; precision: {told("precision")}; torch: {told("torch")}; '
        f'commit: {told("commit")}'
    )


def goals() -> str:
    """What was aimed at, what was measured, and whether that reaches it."""
    rows = [
        ['LMSeg > multi-head > single models on the mean of five datasets, p < 0.05 with three seeds', *order()],
        [
            'on two of four mixed benchmarks the best of ours leads LMSeg by 1.6 mIoU, 9.1 PQ, 12.1 AP, 3.0 PIQ',
            *margins(),
        ],
        ['fine labels reach images labelled coarsely, relations on and off, fine halves of 40 images', *transfer()],
        ['five kinds of renaming cost 1.0 mIoU or less', *renamed()],
        ['longer lists cost 0.5 mIoU or less', *longer()],
        ['a dataset left out reaches 60 % of its supervised mIoU where another has the concept', *left_out()],
        ['mean score against cost at three budgets, three seeds', 'readings along runs of one length', 'not run'],
    ]
    return table(['goal', 'measured', 'reached'], rows)


def order() -> tuple[str, str]:
    """LMSeg over multi-head over single models: of the main table where it has them, else of the earlier run."""
    names = 'LMSeg', 'multi-head', 'MaskFormer'
    candidates = [name for name in ('clash5_main', 'clash5_semantic') if (RESULTS / f'{name}.jsonl').is_file()]
    name = next(name for name in candidates if {*names} <= {row.method for row in compare(name).rows})
    report, lower = compare(name, 'multi-head'), compare(name, 'MaskFormer')
    upper, below = row_of(report, 'LMSeg'), row_of(lower, 'multi-head')
    seeds = len(report.benchmark.seeds)
    means = ', '.join(f'{own} {row_of(report, own).mean:.1f}' for own in names)
    verdicts = {verdict(row, seeds) if (row.difference or 0) > 0 else 'no' for row in (upper, below)}
    if verdicts == {'holds'}:
        reached = 'yes'
    else:
        reached = 'no' if 'no' in verdicts else f'not yet: {", ".join(sorted(verdicts))}'
    return f'{means}; {paired(upper)} and {paired(below)}', reached


def margins() -> tuple[str, str]:
    """What the best RESI of each mixed benchmark is ahead of LMSeg, in each metric."""
    told, reached, run = [], 0, 0
    for name in ('streets', 'facades', 'people', 'scenes'):
        if not (RESULTS / f'mixed_{name}.jsonl').is_file():
            continue
        run += 1
        report = compare(f'mixed_{name}')
        ours = max((row for row in report.rows if row.method.startswith('RESI')), key=lambda row: row.mean)
        lmseg = row_of(report, 'LMSeg')
        leads = {report.benchmark.metric: ours.mean - lmseg.mean}
        for metric in ('mIoU', 'PQ', 'AP'):
            found = [(ours.also[key], lmseg.also[key]) for key in ours.also if key.endswith(f'/{metric}')]
            if found:
                leads[metric] = statistics.fmean((a or 0) - (b or 0) for a, b in found)
        told.append(f'{name}, {ours.method}: ' + ', '.join(f'{lead:+.1f} {metric}' for metric, lead in leads.items()))
        reached += all(lead >= MARGINS[metric] for metric, lead in leads.items())
    return '; '.join(told) + f'; {run} of 4 run, {reached} reach it', 'yes' if reached >= 2 else 'no'


def transfer() -> tuple[str, str]:
    """What declared relations give, on halves of 184 images."""
    report = compare('transfer_relations')
    row = row_of(report, 'LMSeg with relations')
    return f'fine half of 184 images: relations {paired(row)}, p = {row.p}', f'not run at 40; {verdict(row, 3)} at 184'


def renamed() -> tuple[str, str]:
    """The drops under other names: of those that a bank can be asked by."""
    drops = {kind: own['drop'] for kind, own in stress().items() if own['drop'] is not None}
    read = ', '.join(f'{kind} {drop:+.1f}' for kind, drop in drops.items())
    mean = statistics.fmean(drops.values())
    return f'{read}; mean {mean:+.1f} of {len(drops)} kinds, {5 - len(drops)} unread', 'yes' if mean >= -1 else 'no'


def longer() -> tuple[str, str]:
    """The drops under longer lists."""
    own, *longer = list_means().values()
    drops = [mean - own for mean in longer]
    return f'{signed(*drops)} mIoU', 'yes' if min(drops) >= -0.5 else 'no'


def left_out() -> tuple[str, str]:
    """How many of the five datasets have been left out."""
    found = len([*RESULTS.glob('leave_one_out_*.jsonl')])
    return f'{found} of 5 datasets left out', 'not run' if not found else 'see the table'


def stress() -> dict[str, dict[str, Any]]:
    """Of each kind of other names: how many there are, how many the bank holds, and the mIoU of all classes."""
    kinds = {}
    for kind, datasets in load('renaming_stress.json')['kinds'].items():
        asked = [own for own in datasets.values() if own['after'] is not None]
        before, after = (mean_of([own[key] for own in asked]) for key in ('all_before', 'all_after'))
        names, read = (sum(own[key] for own in datasets.values()) for key in ('names', 'renamed'))
        drop = None if before is None or after is None else after - before
        kinds[kind] = dict(names=names, read=read, before=before, after=after, drop=drop)
    return kinds


def renaming() -> str:
    """Kinds of other names, and what they cost."""
    rows = [
        [kind, str(own['names']), str(own['read']), *(number(own[key]) for key in ('before', 'after')), drop_of(own)]
        for kind, own in stress().items()
    ]
    return table(['kind', 'names', 'held by the bank', 'all classes', 'renamed', 'drop'], rows)


def drop_of(own: Mapping[str, Any]) -> str:
    """A drop, or that there is none as the names cannot be read."""
    return 'cannot be read' if own['drop'] is None else f'{own["drop"]:+.1f}'


def synonyms() -> str:
    """What a model that was trained on fixed names, and one on random synonyms, lose under synonyms new to both."""
    rows = []
    for trained, file in (('the class names', 'lmseg'), ('random synonyms', 'random_synonyms')):
        results = load(f'renamed_classes_{file}.json')['results']
        original, renamed = (results[key]['mean/mIoU'] for key in ('original', 'renamed'))
        rows.append([trained, f'{original:.1f}', f'{renamed:.1f}', signed(renamed - original)])
    return table(['trained on', 'original names', 'renamed', 'change'], rows)


def list_means() -> dict[str, float]:
    """The mean over datasets of each class list."""
    datasets = load('list_length_lmseg.json')['datasets'].values()
    lists = next(iter(datasets))
    return {name: statistics.fmean(own[name]['mIoU'] for own in datasets) for name in lists}


def lists() -> str:
    """What longer lists cost."""
    means = list_means()
    own = next(iter(means.values()))
    return table(['class list', 'mean mIoU', 'change'], [[n, f'{m:.1f}', signed(m - own)] for n, m in means.items()])


def cross_space() -> str:
    """Every dataset asked in every label space; in brackets the classes that are scored, of those there are."""
    results = load('cross_space_lmseg_r18_clash5.json')['results']
    found = {(own['label_space'], own['dataset']): own for own in results}
    spaces = list(dict.fromkeys(own['label_space'] for own in results))
    rows = []
    for space in spaces:
        cells = (found[space, dataset] for dataset in spaces)
        rows.append(
            [space, *(f'{number(own["mIoU"])} ({own["classes_scored"]}/{own["classes_of_truth"]})' for own in cells)]
        )
    return table(['asked in', *spaces], rows)


def trainings() -> str:
    """One model trained again: by seed, and by what else changed."""
    lines = [json.loads(line) for line in (RESULTS / 'precision_lmseg_r18_clash5.jsonl').open(encoding='utf-8')]
    rows = [[own['run'], f'{own["mIoU"]["mean"]:.1f}', own['commit'], own['machine']] for own in lines if 'mIoU' in own]
    return table(['run', 'mean mIoU', 'commit', 'machine'], rows)


TABLES: dict[str, Callable[[], str]] = dict(
    goals=goals, renaming=renaming, synonyms=synonyms, lists=lists, cross_space=cross_space, trainings=trainings
)


def fill(page: str) -> str:
    """The page with its tables made anew.

    Raises:
        OptionError: Where the page asks for a table that there is none of.
    """

    def anew(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES and not (FILES / f'{name}.yml').is_file():
            known = [*TABLES, *(path.stem for path in FILES.glob('*.yml'))]
            raise OptionError(f'there is no table {name!r}.{did_you_mean(name, known)}')
        made = TABLES[name]() if name in TABLES else comparison(name)
        return f'<!-- table: {name} -->\n{made}\n<!-- end -->'

    return re.sub(r'<!-- table: (\S+) -->\n.*?<!-- end -->', anew, page, flags=re.DOTALL)


def load(name: str) -> Any:
    """A JSON file of the results."""
    return json.loads((RESULTS / name).read_text(encoding='utf-8'))


def row_of(report: Report, method: str) -> Row:
    """The row of a method."""
    return next(row for row in report.rows if row.method == method)


def mean_of(values: Sequence[float]) -> float | None:
    """The mean, of nothing None."""
    return statistics.fmean(values) if values else None


def number(value: float | None) -> str:
    """A score as tables show it."""
    return '-' if value is None else f'{value:.1f}'


def signed(*values: float) -> str:
    """Differences as tables show them."""
    return ', '.join(f'{value:+.1f}' for value in values)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in (head, ['---'] * len(head), *rows))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    page = Path(parse_args(argv).page)
    with one_line_errors():
        page.write_text(fill(page.read_text(encoding='utf-8')), encoding='utf-8')
    print(f'wrote {page}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
