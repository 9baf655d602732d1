"""The transfer report as one HTML file that needs nothing else: datasets, then classes by what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .differences import Difference
from .donors import Donor
from .pairing import LeftOut, grouped
from .report import VERDICTS, DatasetRow, Report

_COLOURS = {'helped': '#2e7d32', 'hurt': '#c62828', 'undecided': '#9aa3b2'}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2330; max-width: 84em; margin: 2em auto; padding: 0 1em; }
h1 { margin-bottom: .2em; } h2 { margin: 1.6em 0 .2em; } p { max-width: 62em; margin: .4em 0; }
table { border-collapse: collapse; margin: .6em 0 1em; } tbody tr:hover { background: #f6f7fa; }
th, td { text-align: left; padding: .3em 1.1em .3em 0; white-space: nowrap; vertical-align: top; }
td { border-bottom: 1px solid #eceef2; }
th { position: sticky; top: 0; background: #fff; border-bottom: 2px solid #c9cfda; font-weight: 600; }
.n { text-align: right; font-variant-numeric: tabular-nums; } .wide { white-space: normal; min-width: 14em; }
.donors { white-space: normal; min-width: 20em; }
.helped { color: #2e7d32; } .hurt { color: #c62828; } .undecided, small { color: #667085; }
svg { display: block; margin-top: 3px; }
svg text { font: 11px system-ui, sans-serif; fill: #667085; }
summary { cursor: pointer; color: #475067; }
"""
_WIDTH, _HEIGHT, _DOT = 180, 18, 4  # of the drawing of an interval
_MINUS = '\N{MINUS SIGN}'  # as wide as a plus
_REACHES = (1, 2, 5, 10, 20, 50, 100)  # of its axis, in points of IoU
_ABOUT = {
    'helped': ('better than chance explains', 'likely donors'),
    'hurt': ('worse than chance explains', 'likely rivals'),
    'undecided': ('no more than chance explains', ''),
}
_SAID = {
    'same': 'same',
    'inside': 'inside it',
    'contains': 'contains it',
    'part': 'part of it',
    'whole': 'it is part of this',
    'clash': 'clash',
    'alike': 'read alike',
}
_SOURCES = {'declared': 'declared', 'names': 'by names'}


def to_html(report: Report) -> str:
    """The page."""
    counts = {kind: sum(own.verdict == kind for own in report.found) for kind in VERDICTS}
    told = ', '.join(f'<span class={kind}>{n} {kind}</span>' for kind, n in counts.items())
    sections = [_section(kind, report) for kind in VERDICTS if counts[kind]]
    parts = [
        '<h1>Transfer</h1>',
        f'<p><strong>{told}</strong> of {len(report.found)} classes.</p>',
        f'<p>One model, trained on {escape(", ".join(report.joint[0].trained_on))}'
        f'{_seeds(len(report.joint))}, against others on the same images.</p>',
        _datasets(report.rows),
        *sections,
        _left_out(report.left_out),
        _notes(report),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>mmlmseg transfer</title>'
        f'<style>{_STYLE}</style></head><body>\n{"".join(f"{part}{chr(10)}" for part in parts)}</body></html>\n'
    )


def _seeds(count: int) -> str:
    return f' ({count} seeds)' if count > 1 else ''


def _datasets(rows: Sequence[DatasetRow]) -> str:
    heads = ('dataset', 'images', 'the single model was trained on', 'joint', 'single', 'gain', *VERDICTS, 'left out')
    return _table(
        [_head(head, 0 < place != 2) for place, head in enumerate(heads)],
        (
            [
                _cell(row.pair.dataset),
                _cell(len(row.pair.joint[0].images), 'n'),
                _cell(f'{", ".join(row.pair.trained_on)}{_seeds(len(row.pair.single))}', 'wide'),
                *(_cell('' if iou is None else f'{iou:.1f}', 'n') for iou in (row.joint, row.single)),
                _cell('' if row.joint is None or row.single is None else _signed(row.joint - row.single), 'n'),
                *(_cell(n or '', f'n {kind}') for kind, n in row.verdicts.items()),
                _cell(row.left_out or '', 'n'),
            ]
            for row in rows
        ),
    )


def _section(kind: str, report: Report) -> str:
    own = [one for one in report.found if one.verdict == kind]
    own.sort(key=lambda one: one.p if kind == 'undecided' else -abs(one.gain))
    said, related = _ABOUT[kind]
    reach = _reach(report.found)
    heads = [
        _head(head, head in ('images', 'joint', 'single', 'gain', '95 %'))
        for head in ('class', 'dataset', 'images', 'joint', 'single', 'gain', '95 %')
    ]
    heads += [f'<th>{_axis(reach)}</th>', _head('p', True), *([_head(related)] if related else [])]
    rows = (
        [
            _cell(one.name),
            _cell(one.dataset),
            *(_cell(value, 'n') for value in (one.images, f'{one.joint:.1f}', f'{one.single:.1f}')),
            f'<td class=n><b class={kind}>{_signed(one.gain)}</b></td>',
            _cell(f'{_signed(one.low)} … {_signed(one.high)}', 'n'),
            f'<td>{_bar(one, reach)}</td>',
            _cell(f'{one.p:.4f}' if one.p < 0.01 else f'{one.p:.2f}', 'n'),
            *([_donors(report.donors.get((one.dataset, one.name), ()))] if related else []),
        ]
        for one in own
    )
    table = _table(heads, rows)
    if kind == 'undecided':
        summary = f'{len(own)} classes, {said}; the nearest to a verdict first'
        return f'<h2>Undecided</h2><details><summary>{summary}</summary>{table}</details>'
    return f'<h2 class={kind}>{kind.capitalize()} <small>{said}</small></h2>{table}'


def _donors(given: Sequence[Donor]) -> str:
    told = [f'{escape(f"{one.space}:{one.name}")} <small>{_why(one)}</small>' for one in given]
    return f'<td class=donors>{"<br>".join(told) or "<small>none known</small>"}</td>'


def _why(donor: Donor) -> str:
    """What it is to the class, who says so, and how alike the two are read."""
    told = [_SAID[donor.relation]] if donor.source == 'text' else [_SAID[donor.relation], _SOURCES[donor.source]]
    return ', '.join([*told, *([] if donor.similarity is None else [f'cosine {donor.similarity:.2f}'])])


def _left_out(left_out: Sequence[LeftOut]) -> str:
    if not left_out:
        return ''
    rows = (
        [_cell(dataset), _cell(why), _cell(', '.join(classes) or 'the whole dataset', 'wide')]
        for (dataset, why), classes in grouped(left_out).items()
    )
    return f'<h2>Not compared</h2>{_table([_head(head) for head in ("dataset", "why", "classes")], rows)}'


def _notes(report: Report) -> str:
    several = any(len(side) > 1 for pair in report.pairs for side in (pair.joint, pair.single))
    one = any(len(side) == 1 for pair in report.pairs for side in (pair.joint, pair.single))
    drawn = 'images are drawn again, the same for both models'
    if several:
        drawn += ', and the seeds of a model that has several'
    alone = ' A model of one seed may differ by more when it is trained again.' if one else ''
    names = '; '.join(escape(model.name) for model in report.joint)
    singles = ''.join(
        f'<tr><td>{escape(pair.dataset)}</td><td class=wide>{escape("; ".join(pair.single_names))}</td></tr>'
        for pair in report.pairs
    )
    return (
        '<h2>How to read it</h2>'
        '<p>IoU in percent, of all images together, the mean over seeds; of a dataset, the mean over the classes that '
        f'were compared. 95 %, and the bar: where 95 % of the differences lie when {drawn} ({report.resamples:,} '
        f'draws).{alone} Helped and hurt are what is still sure beside all other classes: of all that are called so, '
        f'{100 * report.rate:g} % are wrong on average (Benjamini and Hochberg). Donors and rivals are classes that '
        'the joint model was trained on and the single one was not. They are likely, not proven: leave their dataset '
        'out to see.</p>'
        f'<details><summary>models</summary><table><tr><td>joint</td><td class=wide>{names}</td></tr>{singles}</table>'
        '</details>'
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = ''.join(f'<tr>{"".join(cells)}</tr>\n' for cells in rows)
    return f'<table><thead><tr>{"".join(heads)}</tr></thead><tbody>\n{body}</tbody></table>'


def _head(text: str, number: bool = False) -> str:
    return f'<th{" class=n" if number else ""}>{escape(text)}</th>'


def _cell(value: object, kind: str = '') -> str:
    return f'<td class="{kind}">{escape(str(value))}</td>' if kind else f'<td>{escape(str(value))}</td>'


def _signed(value: float) -> str:
    shown = f'{value:+.1f}'
    return '0.0' if float(shown) == 0 else shown.replace('-', _MINUS)


def _reach(found: Sequence[Difference]) -> int:
    """How far the axis reaches: to the edges of what was decided, if anything was; other bars may be cut."""
    decided = [own for own in found if own.verdict != 'undecided'] or found
    widest = max((abs(edge) for own in decided for edge in (own.low, own.high)), default=0.0)
    return next((reach for reach in _REACHES if reach >= widest), _REACHES[-1])


def _axis(reach: int) -> str:
    ends = ((0, 'start', f'{_MINUS}{reach}'), (_WIDTH / 2, 'middle', '0'), (_WIDTH, 'end', f'+{reach}'))
    told = ''.join(f'<text x="{x}" y="13" text-anchor="{anchor}">{text}</text>' for x, anchor, text in ends)
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}">{told}</svg>'


def _bar(own: Difference, reach: int) -> str:
    def place(value: float) -> float:
        return _WIDTH / 2 + (_WIDTH / 2 - _DOT) * max(-1.0, min(1.0, value / reach))

    low, high, gain = (place(value) for value in (own.low, own.high, own.gain))
    middle, colour = _HEIGHT / 2, _COLOURS[own.verdict]
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}"><line x1="{_WIDTH / 2}" x2="{_WIDTH / 2}" y1="0" y2="{_HEIGHT}" '
        f'stroke="#c9cfda"/><line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="{colour}" '
        f'stroke-width="5" opacity=".45"/><circle cx="{gain:.1f}" cy="{middle}" r="{_DOT}" fill="{colour}"/></svg>'
    )
