"""A plan in words and numbers: lines and tables to read, a dict for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from .comparison import Compared
from .prediction import RESERVE, Plan

_GB = 2**30
_FAR = 4  # times the largest batch that was measured


def show(plan: Plan, console: Console) -> None:
    """Prints a plan."""
    _show_parameters(plan, console)
    _show_datasets(plan, console)
    measured = plan.measured
    table = Table('what', 'takes', '', title='expected', box=box.SIMPLE_HEAD)
    step = f'{plan.compute_seconds:.3f} s computing, {plan.wait_seconds:.3f} s waiting for data'
    table.add_row('an iteration', f'{plan.iteration_seconds:.3f} s', f'batch of {measured.batch_size}: {step}')
    table.add_row('bottleneck', plan.bottleneck, _advice(plan))
    table.add_row('training', duration(plan.train_seconds), f'{measured.schedule.iterations} iterations')
    if (figures := measured.evaluation) is not None:
        images, times = sum(figures.images.values()), measured.schedule.validations
        table.add_row('an evaluation', duration(plan.evaluation_seconds), f'{images} images, {times} times')
    table.add_row('in all', duration(plan.total_seconds), f'on {measured.device}', style='bold')
    peak = measured.memory[measured.batch_size]
    table.add_row('memory, training', _gb(peak), measured.memory_how)
    if figures is not None:
        table.add_row('memory, evaluation', _gb(figures.peak_bytes), '')
    table.add_row('largest batch', _largest(plan), f'in {_gb(plan.memory_limit)}; {_how_largest(plan)}')
    console.print(table)


def _show_parameters(plan: Plan, console: Console) -> None:
    parameters = plan.measured.parameters
    table = Table('part', 'parameters', 'trained', title='model', box=box.SIMPLE_HEAD)
    for part, (total, trained) in parameters.parts.items():
        table.add_row(part, f'{total:,}', f'{trained:,}')
    table.add_row('all', f'{parameters.total:,}', f'{parameters.trained:,}', style='bold')
    console.print(table)


def _show_datasets(plan: Plan, console: Console) -> None:
    heads = ('dataset', 'images', 'drawn', 'epochs', 'useful', 'padding', 'load', 'step')
    table = Table(*heads, title='data', box=box.SIMPLE_HEAD)
    for one in plan.measured.datasets:
        shares = (f'{share:.1%}' for share in (one.probability, one.pixels.useful, one.pixels.padding))
        drawn, useful, padding = shares
        load, step = f'{one.load_seconds * 1000:.1f} ms', f'{one.step_seconds:.3f} s'
        table.add_row(one.name, f'{one.images:,}', drawn, f'{plan.epochs[one.name]:.1f}', useful, padding, load, step)
    console.print(table)


def show_comparison(compared: Sequence[Compared], console: Console) -> None:
    """Prints predicted beside measured."""
    table = Table('what', 'predicted', 'measured', 'difference', title='against the run', box=box.SIMPLE_HEAD)
    for one in compared:
        numbers = (f'{value:.3f} {one.unit}' for value in (one.predicted, one.measured))
        table.add_row(one.what, *numbers, f'{one.difference:+.1%}')
    console.print(table)


def json_report(plan: Plan, compared: Sequence[Compared] = ()) -> dict[str, Any]:
    """Everything, for programs: seconds and bytes. ``version`` changes where a key changes its meaning."""
    found = asdict(plan)
    measured = found.pop('measured')
    measured['memory'] = {str(batch): peak for batch, peak in measured['memory'].items()}
    lines = [{**asdict(one), 'difference': one.difference} for one in compared]
    prediction = {'iteration_seconds': plan.iteration_seconds, **found, 'hours': plan.total_seconds / 3600}
    return dict(version=1, torch=torch.__version__, measured=measured, predicted=prediction, compared=lines)


def duration(seconds: float) -> str:
    """A time as one reads it.

    Example:
        >>> duration(42), duration(600), duration(9000)
        ('42.0 s', '10.0 min', '2.5 h')
    """
    if seconds < 120:
        return f'{seconds:.1f} s'
    return f'{seconds / 60:.1f} min' if seconds < 7200 else f'{seconds / 3600:.1f} h'


def _advice(plan: Plan) -> str:
    workers, needed = plan.measured.workers, plan.workers_needed
    loaders = f'{workers} loading process{"" if workers == 1 else "es"}' if workers else 'no loading process'
    if plan.bottleneck == 'compute':
        return f'{loaders}, {needed} would do'
    return f'{loaders}, {needed} or more needed, each with a core: raise train_dataloader.num_workers'


def _gb(number: float) -> str:
    return f'{number / _GB:.2f} GB'


def _largest(plan: Plan) -> str:
    return 'not known' if plan.largest_batch is None else str(plan.largest_batch)


def _how_largest(plan: Plan) -> str:
    if plan.memory_line is None:
        return 'memory was not seen to grow with the batch'
    line, batches = plan.memory_line, ' and '.join(map(str, sorted(plan.measured.memory)))
    far = plan.largest_batch is not None and plan.largest_batch > _FAR * max(plan.measured.memory)
    said = f'{_gb(line.fixed)} and {_gb(line.per_image)} an image, by batches of {batches}; {RESERVE:.0%} left free'
    return f'{said}; far beyond what was measured, so try it' if far else said
