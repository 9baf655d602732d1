"""Numbers and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | None) -> str:
    """A score as tables show it."""
    return '-' if value is None else f'{value:.1f}'


def signed(*values: float) -> str:
    """Differences as tables show them."""
    return ', '.join(f'{value:+.1f}' for value in values)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in (head, ['---'] * len(head), *rows))
