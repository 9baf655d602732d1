"""The report as one HTML file that needs nothing else: pictures and charts are inside."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .classes import SpaceCount
from .examination import Examination, Examined
from .findings import SEVERITIES, Finding, at_least, counted
from .pictures import picture_of_case

PICTURES, LINES = 4, 20
"""Most pictures and most lines of one finding."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1e1e1e; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3em .8em .3em 0; vertical-align: top; }
th { border-bottom: 2px solid #ccc; font-weight: 600; } td { border-bottom: 1px solid #eee; }
section { margin: 1.5em 0; padding-left: 1em; border-left: 5px solid #ccc; } section h3 { margin: 0; }
.error { border-color: #c62828; } .warning { border-color: #ef8f00; } .note { border-color: #90a4ae; }
b.error { color: #c62828; } b.warning { color: #b26a00; } b.note { color: #546e7a; }
ul { margin: .3em 0; padding-left: 1.2em; } li { overflow-wrap: anywhere; } img { max-width: 100%; margin: .3em 0; }
svg text { font: 12px system-ui, sans-serif; fill: #1e1e1e; } details { margin: .5em 0; } summary { cursor: pointer; }
"""
_BAR, _NAMES, _ROW = 360, 190, 18  # widths of the longest bar and of the names, height of a row


def html_report(examination: Examination) -> str:
    """The whole report: a summary, the findings with pictures of the worst, and the classes of each dataset."""
    findings = examination.findings
    summary = ', '.join(counted(sum(one.severity == s for one in findings), s) for s in SEVERITIES)
    parts = [
        '<h1>Doctor</h1>',
        f'<p>{examination.images} images read in {examination.seconds:.0f} s: <strong>{summary}</strong>.</p>',
        *_summary(examination),
        '<h2>Findings</h2>',
        *([_finding(one, examination) for one in findings] or ['<p>Nothing was found.</p>']),
        '<h2>Classes</h2>',
        *(_chart(one.source.label, count) for one in examination.examined for count in one.counts),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>mmlmseg doctor</title>'
        f'<style>{_STYLE}</style></head><body>\n{"".join(f"{part}{chr(10)}" for part in parts)}</body></html>\n'
    )


def _summary(examination: Examination) -> Iterator[str]:
    heads = ('dataset', 'split', 'images', 'size', 'classes', 'not annotated', 'findings')
    yield f'<table><tr>{"".join(f"<th>{head}</th>" for head in heads)}</tr>'
    for one in examination.examined:
        yield f'<tr>{"".join(f"<td>{cell}</td>" for cell in _row(one, examination))}</tr>'
    yield '</table>'


def _row(one: Examined, examination: Examination) -> Iterator[str]:
    sizes = [sample.size for sample in one.samples if sample.size is not None]
    own = [f for f in examination.findings if {one.source.label, one.source.name} & set(f.dataset.split(', '))]
    yield escape(one.source.name)
    yield escape(one.source.split)
    yield str(len(one.samples))
    yield _range([size[1] for size in sizes]) + ' x ' + _range([size[0] for size in sizes]) if sizes else ''
    yield ', '.join(
        f'{sum(c.pixels > 0 for c in count.classes)} of {len(count.classes)} have pixels' for count in one.counts
    )
    yield ', '.join('' if count.background else f'{count.ignore_share:.1%}' for count in one.counts)
    yield ', '.join(
        f'<b class="{s}">{counted(n, s)}</b>' for s in SEVERITIES if (n := sum(f.severity == s for f in own))
    )


def _finding(finding: Finding, examination: Examination) -> str:
    drawn = _pictures(finding, examination) if at_least([finding], 'warning') or finding.code == 'duplicate' else []
    lines = ''.join(f'<li>{escape(case.what)}</li>' for case in finding.cases[:LINES])
    rest = len(finding.cases) - LINES
    more = f'<li>and {rest} more (all are in the JSON report)</li>' if rest > 0 else ''
    listed = (
        f'<details{" open" if len(finding.cases) <= 5 else ""}><summary>{counted(len(finding.cases), "case")}</summary>'
    )
    return (
        f'<section class="{finding.severity}"><h3><b class="{finding.severity}">{finding.severity}</b> '
        f'{escape(finding.title)}</h3><p>{escape(finding.dataset)}: {escape(finding.what)}.<br>'
        f'<strong>What to do:</strong> {escape(finding.advice)}.</p>'
        + (f'{listed}<ul>{lines}{more}</ul></details>' if finding.cases else '')
        + ''.join(drawn)
        + '</section>'
    )


def _pictures(finding: Finding, examination: Examination) -> list[str]:
    found: list[str] = []
    for case in finding.cases[: 2 * PICTURES]:
        if len(found) < PICTURES and (address := picture_of_case(case, examination)) is not None:
            found.append(f'<div><img alt="{escape(case.what, quote=True)}" src="{address}"></div>')
    return found


def _chart(label: str, count: SpaceCount) -> str:
    """Bars of the share that each class has of the labelled pixels, the largest first, in the colours of the space."""
    rows = sorted(zip(count.classes, count.space.palette), key=lambda row: -row[0].pixels)
    most = max((one.pixels for one, _ in rows), default=0) or 1
    total = max(1, count.pixels)
    bars = ''.join(
        f'<text x="{_NAMES - 8}" y="{i * _ROW + 13}" text-anchor="end">{escape(one.name[:28])}</text>'
        f'<rect x="{_NAMES}" y="{i * _ROW + 2}" width="{_BAR * one.pixels / most:.1f}" height="{_ROW - 5}" '
        f'fill="rgb{tuple(colour)}" stroke="#555" stroke-width=".5"/>'
        f'<text x="{_NAMES + _BAR * one.pixels / most + 6:.1f}" y="{i * _ROW + 13}">'
        f'{one.pixels / total:.2%}, {one.images} images</text>'
        for i, (one, colour) in enumerate(rows)
    )
    name = label if label.startswith(f'{count.space.name} ') else f'{label}, {count.space.name}'
    return (
        f'<details open><summary>{escape(name)}: share of the labelled pixels, and images that hold the class</summary>'
        f'<svg role="img" width="{_NAMES + _BAR + 170}" height="{len(rows) * _ROW + 4}">{bars}</svg></details>'
    )


def _range(sides: list[int]) -> str:
    return str(sides[0]) if min(sides) == max(sides) else f'{min(sides)}..{max(sides)}'
