"""The goals, what was measured, and whether that reaches them."""

from __future__ import annotations

import statistics
from pathlib import Path

from ..benchmark.report import paired
from .comparisons import compare, row_of, verdict
from .markdown import signed, table
from .models import list_means, load, stress

MARGINS = dict(mIoU=1.6, PQ=9.1, AP=12.1, PIQ=3.0)
"""What the paper's method is ahead of earlier ones, and ours shall be of LMSeg."""


def goals(results: Path) -> str:
    """What was aimed at, what was measured, and whether that reaches it."""
    rows = [
        ['LMSeg > multi-head > single models on the mean of five datasets, p < 0.05 with three seeds', *order(results)],
        [
            'on two of four mixed benchmarks the best of ours leads LMSeg by 1.6 mIoU, 9.1 PQ, 12.1 AP, 3.0 PIQ',
            *margins(results),
        ],
        [
            'fine labels reach images labelled coarsely, relations on and off, fine halves of 40 images',
            *transfer(results),
        ],
        ['five kinds of renaming cost 1.0 mIoU or less', *renamed(results)],
        ['longer lists cost 0.5 mIoU or less', *longer(results)],
        ['a dataset left out reaches 60 % of its supervised mIoU where another has the concept', *left_out(results)],
        ['mean score against cost at three budgets, three seeds', 'readings along runs of one length', 'not run'],
    ]
    return table(['goal', 'measured', 'reached'], rows)


def order(results: Path) -> tuple[str, str]:
    """LMSeg over multi-head over single models: of the main table where it has them, else of the earlier run."""
    names = 'LMSeg', 'multi-head', 'MaskFormer'
    candidates = [name for name in ('clash5_main', 'clash5_semantic') if (results / f'{name}.jsonl').is_file()]
    name = next(
        name for name in candidates if {*names} <= {row.method for row in compare(results, name, None, names).rows}
    )
    report, lower = (compare(results, name, reference, names) for reference in names[1:])
    upper, below = row_of(report, 'LMSeg'), row_of(lower, 'multi-head')
    seeds = len(report.benchmark.seeds)
    means = ', '.join(f'{own} {row_of(report, own).mean:.1f}' for own in names)
    verdicts = {verdict(row, seeds) if (row.difference or 0) > 0 else 'no' for row in (upper, below)}
    if verdicts == {'holds'}:
        reached = 'yes'
    else:
        reached = 'no' if 'no' in verdicts else f'not yet: {", ".join(sorted(verdicts))}'
    return f'{means}; {paired(upper)} and {paired(below)}', reached


def margins(results: Path) -> tuple[str, str]:
    """What the best RESI of each mixed benchmark is ahead of LMSeg, in each metric."""
    told, reached, run = [], 0, 0
    for name in ('streets', 'facades', 'people', 'scenes'):
        if not (results / f'mixed_{name}.jsonl').is_file():
            continue
        run += 1
        report = compare(results, f'mixed_{name}')
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


def transfer(results: Path) -> tuple[str, str]:
    """What declared relations give, on halves of 184 images."""
    report = compare(results, 'transfer_relations')
    row = row_of(report, 'LMSeg with relations')
    graded = verdict(row, len(report.benchmark.seeds))
    return f'fine half of 184 images: relations {paired(row)}, p = {row.p}', f'not run at 40; {graded} at 184'


def renamed(results: Path) -> tuple[str, str]:
    """The drops under other names: of those that a bank can be asked by."""
    drops = {kind: own['drop'] for kind, own in stress(results).items() if own['drop'] is not None}
    read = ', '.join(f'{kind} {drop:+.1f}' for kind, drop in drops.items())
    mean = statistics.fmean(drops.values())
    return f'{read}; mean {mean:+.1f} of {len(drops)} kinds, {5 - len(drops)} unread', 'yes' if mean >= -1 else 'no'


def longer(results: Path) -> tuple[str, str]:
    """The drops under longer lists: of LMSeg, and of the same with strangers and presence."""
    told = {}
    for model, what in (('lmseg', 'LMSeg'), ('presence_scratch', 'with strangers and presence')):
        own, *means = (
            mean
            for name, mean in list_means(load(results, f'list_length_{model}.json')).items()
            if 'guided' not in name
        )
        told[what] = [mean - own for mean in means]
    measured = '; '.join(f'{what} {signed(*drops)} mIoU' for what, drops in told.items())
    best = max(min(drops) for drops in told.values())
    return measured, 'yes, one seed' if best >= -0.5 else 'no'


def left_out(results: Path) -> tuple[str, str]:
    """How many of the five datasets have been left out."""
    found = len([*results.glob('leave_one_out_*.jsonl')])
    return f'{found} of 5 datasets left out', 'not run' if not found else 'see the table'
