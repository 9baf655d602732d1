"""The transfer report: as plain data, and as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from .differences import Difference
from .donors import Donor

Donors = Mapping[tuple[str, str], Sequence[Donor]]

_COLOURS = {'helped': '#2e7d32', 'hurt': '#c62828', 'undecided': '#9aa3b2'}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2330; max-width: 78em; margin: 2em auto; padding: 0 1em; }
p { max-width: 60em; } table { border-collapse: collapse; margin: 1em 0 2em; }
th, td { text-align: left; padding: .3em 1.1em .3em 0; white-space: nowrap; border-bottom: 1px solid #eceef2; }
th { border-bottom: 2px solid #c9cfda; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
td.donors { white-space: normal; color: #475067; font-size: 13px; } small { color: #667085; }
.helped { color: #2e7d32; font-weight: 600; } .hurt { color: #c62828; font-weight: 600; } .undecided { color: #667085; }
svg { display: block; }
"""
_WIDTH, _HEIGHT = 240, 18  # of the drawing of an interval


def to_dict(found: Sequence[Difference], spaces: Mapping[str, str], donors: Donors) -> dict[str, Any]:
    """Plain Python data.

    Args:
        found: The classes.
        spaces: The label space of each dataset.
        donors: By label space and class.
    """
    rows = []
    for own in found:
        given = donors.get((spaces[own.dataset], own.name), ())
        told = {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(own).items()}
        rows.append({**told, 'gain': round(own.gain, 2), 'donors': [asdict(donor) for donor in given]})
    return dict(summary=_summary(found), classes=rows)


def _summary(found: Sequence[Difference]) -> dict[str, dict[str, int]]:
    names = dict.fromkeys(own.dataset for own in found)
    return {
        name: {kind: sum(own.verdict == kind for own in found if own.dataset == name) for kind in _COLOURS}
        for name in names
    }


def to_html(found: Sequence[Difference], spaces: Mapping[str, str], donors: Donors, rate: float) -> str:
    """The page: a table of datasets, and of each dataset its classes, the most helped first."""
    reach = max([1.0, *(abs(edge) for own in found for edge in (own.low, own.high))])
    heads = ''.join(f'<th>{head}</th>' for head in ('dataset', *_COLOURS))
    rows = ''.join(
        f'<tr><td>{escape(name)}</td>{"".join(f"<td class=n>{n}</td>" for n in counts.values())}</tr>'
        for name, counts in _summary(found).items()
    )
    parts = [
        '<h1>Transfer</h1>',
        '<p>IoU of each class under the model of all datasets, and under the model of its dataset alone. Bars hold '
        '95 % of the differences when validation images are drawn again, the same draws for both. Helped and hurt are '
        f'those that chance does not explain: of all that are told so, {100 * rate:.0f} % are wrong on average '
        '(Benjamini and Hochberg). Images are drawn, trainings are not: another seed may differ by more. Donors are '
        'likely by names, not proven.</p>',
        f'<table><tr>{heads}</tr>{rows}</table>',
    ]
    for name in _summary(found):
        own = sorted((one for one in found if one.dataset == name), key=lambda one: -one.gain)
        parts.append(f'<h2>{escape(name)}</h2>{_table(own, spaces[name], donors, reach)}')
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>mmlmseg transfer</title>'
        f'<style>{_STYLE}</style></head><body>\n{"".join(f"{part}{chr(10)}" for part in parts)}</body></html>\n'
    )


def _table(found: Sequence[Difference], space: str, donors: Donors, reach: float) -> str:
    heads = ('class', 'images', 'joint', 'alone', 'gain', f'-{reach:.0f} … +{reach:.0f}', 'p', '', 'likely donors')
    rows = []
    for own in found:
        given = donors.get((space, own.name), ())
        told = ', '.join(f'{d.space}:{d.name} ({d.why.replace("_", " ")})' for d in given) or 'none'
        cells = ''.join(
            f'<td class=n>{value}</td>'
            for value in (own.images, f'{own.joint:.1f}', f'{own.single:.1f}', f'{own.gain:+.1f}')
        )
        rows.append(
            f'<tr><td>{escape(own.name)}</td>{cells}<td>{_bar(own, reach)}</td><td class=n>{own.p:.3f}</td>'
            f'<td class={own.verdict}>{own.verdict}</td><td class=donors>{escape(told)}</td></tr>'
        )
    return f'<table><tr>{"".join(f"<th>{escape(head)}</th>" for head in heads)}</tr>{"".join(rows)}</table>'


def _bar(own: Difference, reach: float) -> str:
    low, high, gain = (_WIDTH / 2 * (1 + value / reach) for value in (own.low, own.high, own.gain))
    middle, colour = _HEIGHT / 2, _COLOURS[own.verdict]
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}"><line x1="{_WIDTH / 2}" x2="{_WIDTH / 2}" y1="0" y2="{_HEIGHT}" '
        f'stroke="#c9cfda"/><line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="{colour}" '
        f'stroke-width="5" stroke-linecap="round" opacity=".45"/><circle cx="{gain:.1f}" cy="{middle}" r="4" '
        f'fill="{colour}"/></svg>'
    )
