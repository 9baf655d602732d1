"""The audit as one HTML file that needs nothing else: a matrix of each two label spaces, and claims in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import combinations

from ..label_space import LabelSpace
from .claims import Claim, Kind, Place

COLOURS: Mapping[Kind, str] = {'same': '#2e7d32', 'inside': '#1565c0', 'part_of': '#6a1b9a', 'clash': '#c62828'}
_SAID: Mapping[Kind, str] = {
    'same': 'is the same as',
    'inside': 'is inside',
    'part_of': 'is part of',
    'clash': 'clashes with',
}
SIGNS: Mapping[Kind, str] = {'same': '=', 'inside': '⊂', 'part_of': '⊂', 'clash': '≠'}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1e1e1e; max-width: 76em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3em 1.2em .3em 0; }
th { border-bottom: 2px solid #ccc; } td { border-bottom: 1px solid #eee; }
.claims { display: grid; grid-template-columns: repeat(auto-fill, minmax(23em, 1fr)); gap: .8em; }
.claim { border: 1px solid #ddd; border-left: 5px solid; border-radius: 4px; padding: .6em .8em; }
.claim p { margin: .3em 0; overflow-wrap: anywhere; } .claim small { color: #555; }
.pair { display: flex; gap: .5em; } .pair figure { margin: 0; width: 150px; }
.pair figcaption { font-size: 12px; color: #555; overflow-wrap: anywhere; }
.pair img { display: block; border-radius: 3px; }
.none { width: 150px; height: 150px; background: #f2f2f2; border-radius: 3px; }
.confirmed { color: #2e7d32; } .doubted { color: #c62828; }
svg text { font: 11px system-ui, sans-serif; fill: #1e1e1e; } .matrix { overflow-x: auto; } summary { cursor: pointer; }
"""
_CELL, _LABEL, _NAME = 16, 150, 24  # side of a cell, room for the names, and their letters
_ALL = 40
"""So many claims of two spaces are shown unfolded."""


def html_report(
    spaces: Sequence[LabelSpace],
    claims: Sequence[Claim],
    suggestions: Sequence[Claim] = (),
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The whole page.

    Args:
        spaces: The label spaces.
        claims: What their classes are to each other.
        suggestions: What only a model says.
        pictures: Addresses of pictures by ``SPACE:CLASS``.
    """
    pictures = pictures or {}
    parts = [
        '<h1>Label spaces</h1>',
        '<p>What the classes of these label spaces likely are to each other. A class covers everything that its label '
        'space has no finer name for, so two classes of one name may differ.</p>',
        _summary(spaces, claims),
        *(_pair(a, b, claims, pictures) for a, b in combinations(spaces, 2)),
    ]
    if suggestions:
        parts += [
            '<h2>What only the model says</h2>',
            '<p>Names do not tell these; look before you believe. They are not in <code>relations.yml</code>.</p>',
            _cards(suggestions, pictures),
        ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>mmlmseg audit</title>'
        f'<style>{_STYLE}</style></head><body>\n{"".join(f"{part}{chr(10)}" for part in parts)}</body></html>\n'
    )


def _summary(spaces: Sequence[LabelSpace], claims: Sequence[Claim]) -> str:
    kinds = [kind.replace('_', ' ') for kind in COLOURS]
    heads = ''.join(f'<th>{head}</th>' for head in ('label space', 'classes', *kinds, 'in none'))
    rows = []
    for space in spaces:
        own = [claim for claim in claims if space.name in (claim.first.space, claim.second.space)]
        met = {p.label for claim in own for p in (claim.first, claim.second) if p.space == space.name}
        counts = [sum(claim.kind == kind for claim in own) for kind in COLOURS]
        cells = (escape(space.name), space.num_classes, *counts, space.num_classes - len(met))
        rows.append(f'<tr>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    return f'<table><tr>{heads}</tr>{"".join(rows)}</table>'


def _pair(a: LabelSpace, b: LabelSpace, claims: Sequence[Claim], pictures: Mapping[str, str]) -> str:
    own = [claim for claim in claims if {claim.first.space, claim.second.space} == {a.name, b.name}]
    counts = ', '.join(f'{n} {kind.replace("_", " ")}' for kind in COLOURS if (n := sum(c.kind == kind for c in own)))
    head = f'<h2>{escape(a.name)} and {escape(b.name)}</h2><p>{counts or "Nothing in common."}</p>'
    if not own:
        return head
    alone = ''.join(
        f'<p><small>Only in {escape(space.name)}: {escape(", ".join(names))}</small></p>'
        for space in (a, b)
        if (names := [c for i, c in enumerate(space.classes) if i not in _labels(own, space)])
    )
    shown = 'open' if len(own) <= _ALL else ''
    return (
        f'{head}<div class="matrix">{_matrix(a, b, own)}</div>{alone}'
        f'<details {shown}><summary>{len(own)} claims</summary>{_cards(own, pictures)}</details>'
    )


def _labels(claims: Sequence[Claim], space: LabelSpace) -> set[int]:
    return {place.label for claim in claims for place in (claim.first, claim.second) if place.space == space.name}


def _matrix(a: LabelSpace, b: LabelSpace, claims: Sequence[Claim]) -> str:
    """Rows are classes of the first space, columns those of the second, in the order of the rows that they meet."""
    cells = {}
    for claim in claims:
        one, other = (claim.first, claim.second) if claim.first.space == a.name else (claim.second, claim.first)
        cells[one.label, other.label] = claim
    rows = sorted(_labels(claims, a))
    columns = sorted(_labels(claims, b), key=lambda j: min(rows.index(i) for i, k in cells if k == j))
    top = 14 + 5 * max(len(b.classes[j][:_NAME]) for j in columns)  # names stand askew
    drawn = [
        *(
            f'<text x="{_LABEL - 6}" y="{top + y * _CELL + 12}" text-anchor="end">{escape(a.classes[i][:_NAME])}</text>'
            for y, i in enumerate(rows)
        ),
        *(
            f'<text transform="translate({_LABEL + x * _CELL + 12},{top - 5}) rotate(-55)">'
            f'{escape(b.classes[j][:_NAME])}</text>'
            for x, j in enumerate(columns)
        ),
    ]
    for y, i in enumerate(rows):
        for x, j in enumerate(columns):
            fill, title, sign = '#f4f4f4', '', ''
            if (i, j) in cells:
                claim = cells[i, j]
                fill, title = COLOURS[claim.kind], f'<title>{escape(_sentence(claim))}: {escape(claim.why)}</title>'
                sign = SIGNS[claim.kind] if claim.first.space == a.name else SIGNS[claim.kind].replace('⊂', '⊃')
            left, above = _LABEL + x * _CELL, top + y * _CELL
            drawn.append(
                f'<g>{title}<rect x="{left}" y="{above}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{fill}"/>'
                f'<text x="{left + _CELL / 2 - 0.5}" y="{above + 12}" text-anchor="middle" style="fill:#fff">{sign}'
                '</text></g>'
            )
    width, height = _LABEL + len(columns) * _CELL + _LABEL // 2, top + len(rows) * _CELL + 4
    return f'<svg role="img" width="{width}" height="{height}">{"".join(drawn)}</svg>'


def _cards(claims: Sequence[Claim], pictures: Mapping[str, str]) -> str:
    return f'<div class="claims">{"".join(_card(claim, pictures) for claim in claims)}</div>'


def _card(claim: Claim, pictures: Mapping[str, str]) -> str:
    figures = ''.join(_figure(place, pictures) for place in (claim.first, claim.second))
    said = ''.join(_found(claim))
    verdict = f', <b class="{claim.verdict}">{claim.verdict}</b>' if claim.verdict else ''
    return (
        f'<div class="claim" style="border-left-color: {COLOURS[claim.kind]}"><div class="pair">{figures}</div>'
        f'<p><b style="color: {COLOURS[claim.kind]}">{claim.kind.replace("_", " ")}</b>{verdict}: '
        f'{escape(_sentence(claim))}.</p><p><small>{escape(claim.why)}.{said}</small></p></div>'
    )


def _figure(place: Place, pictures: Mapping[str, str]) -> str:
    address = pictures.get(str(place))
    drawn = f'<img alt="{escape(str(place), quote=True)}" src="{address}">' if address else '<div class="none"></div>'
    return f'<figure>{drawn}<figcaption>{escape(str(place))}</figcaption></figure>'


def _found(claim: Claim) -> Iterator[str]:
    for share, (of, found_as) in zip(claim.found, ((claim.first, claim.second), (claim.second, claim.first))):
        if share is not None:
            yield f' The model finds {share:.0%} of {escape(str(of))} as {escape(found_as.name)}.'


def _sentence(claim: Claim) -> str:
    return f'{claim.first} {_SAID[claim.kind]} {claim.second}'
