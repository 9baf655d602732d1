"""Small pieces of the page as HTML; all that comes from outside is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from .layers import Said

HEAD = (
    '<h1>One image, many label spaces</h1><p>The model is asked once; layers, thresholds and groups are changed '
    'without asking it again.</p>'
)
START = (
    '<div class="start"><div>Upload an image or pick an example,<br>choose label spaces or type classes.</div></div>'
)


def message(text: str, error: bool = False) -> str:
    """A sentence above the picture; nothing for an empty one. Of files it tells the names, not where they lie."""
    text = re.sub(r'(?<!\S)/\S*/', '', text)
    kind, role = ('message error', 'alert') if error else ('message', 'status')
    return f'<div class="{kind}" role="{role}">{escape(text)}</div>' if text else ''


def pixel_table(row: int, column: int, said: Sequence[Said]) -> str:
    """What every label space calls a pixel, and which query says so."""
    rows, before = [], ''
    for one in said:
        first = one.space != before
        before = one.space
        rows.append(
            f'<tr{" class=best" if first else ""}><td>{escape(one.space) if first else ""}</td>'
            f'<td>{escape(one.name)}</td>'
            f'<td><meter max="1" value="{one.score:.3f}"></meter> {one.score:.2f}</td>'
            f'<td>query {one.query}: mask {one.mask:.2f}, class {one.certain:.2f}</td></tr>'
        )
    return (
        f'<table class="pixel"><caption>Pixel ({row}, {column})</caption><tr><th>label space</th><th>class</th>'
        f'<th>score</th><th>mostly from</th></tr>{"".join(rows)}</table>'
    )
