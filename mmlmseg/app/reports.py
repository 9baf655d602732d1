"""The second page: an audit report and scores across label spaces, as the tools wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..errors import DataError, read_json

_ADVICE = 'tools/cross_space.py writes it'


def audit_frame(path: str | Path) -> str:
    """The report that ``tools/audit.py`` wrote, as HTML, in a frame of its own in which no script runs.

    Raises:
        DataError: Where it cannot be read.
    """
    try:
        page = Path(path).read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f'{path}: cannot be read as an audit report ({fault}); tools/audit.py writes one') from None
    if '<html' not in page[:2000].lower():
        raise DataError(f'{path}: is no HTML page; give the report that tools/audit.py writes')
    return (
        f'<iframe class="audit" title="audit of the label spaces" sandbox srcdoc="{escape(page, quote=True)}"></iframe>'
    )


def cross_space_tables(path: str | Path) -> str:
    """The scores that ``tools/cross_space.py`` wrote, as HTML: each test dataset in each label space, then by class.

    Raises:
        DataError: Where the file cannot be read, or is of another kind.
    """
    content = read_json(path, DataError, _ADVICE)
    try:
        results = [dict(one) for one in content['results']]
        by_cell = {(one['label_space'], one['dataset']): one for one in results}
        trained = set(content['trained'])
        return ''.join([_overview(by_cell, trained), *_by_class(by_cell)])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f'{path}: holds no scores across label spaces; {_ADVICE}') from None


def _overview(by_cell: Mapping[tuple[str, str], Mapping[str, Any]], trained: set[str]) -> str:
    spaces, datasets = ([*dict.fromkeys(names)] for names in zip(*by_cell, strict=True))
    rows = []
    for space in spaces:
        cells = ''.join(_cell(by_cell.get((space, dataset))) for dataset in datasets)
        note = '' if space in trained else ' <small>zero-shot</small>'
        rows.append(f'<tr><th>{escape(space)}{note}</th>{cells}</tr>')
    return (
        '<h3>Every test dataset in every label space</h3><p>mIoU in percent over the classes that correspond; below, '
        'how many classes of the dataset these are, and the share of its pixels that they cover.</p>'
        f'<table class="cross"><tr><th>asked in</th>{_heads(datasets)}</tr>{"".join(rows)}</table>'
    )


def _by_class(by_cell: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[str]:
    spaces, datasets = ([*dict.fromkeys(names)] for names in zip(*by_cell, strict=True))
    parts = []
    for dataset in datasets:
        column = [by_cell.get((space, dataset)) for space in spaces]
        names = next(list(one['classes']) for one in column if one is not None)
        rows = []
        for name in names:
            cells = [None if one is None else one['classes'][name] for one in column]
            drawn = ''.join(
                _tinted(None if own is None else own['IoU'], ', '.join([] if own is None else own['asked_by']))
                for own in cells
            )
            rows.append(f'<tr><th>{escape(name)}</th>{drawn}</tr>')
        parts.append(
            f'<details><summary>{escape(dataset)}, by class: IoU, and which classes answer</summary>'
            f'<table class="cross"><tr><th>class</th>{_heads(spaces)}</tr>{"".join(rows)}</table></details>'
        )
    return parts


def _heads(names: Sequence[str]) -> str:
    return ''.join(f'<th>{escape(name)}</th>' for name in names)


def _cell(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return '<td></td>'
    covered = f'{one["classes_scored"]}/{one["classes_of_truth"]}, {one["share_of_pixels_scored"]:.0%}'
    return _tinted(one['mIoU'], covered)


def _tinted(score: float | None, below: str) -> str:
    """A cell whose green grows with a score in percent."""
    if score is None:
        return f'<td><small>{escape(below)}</small></td>'
    return (
        f'<td style="background: color-mix(in srgb, #2e9e5b {float(score):.0f}%, transparent)">{float(score):.1f}'
        f'<br><small>{escape(below)}</small></td>'
    )
