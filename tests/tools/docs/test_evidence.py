"""The page of evidence says what the lines say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark.report import Row

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tool(load_script: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(ROOT)
    return load_script(ROOT / 'tools' / 'docs' / 'evidence.py')


@pytest.fixture
def page() -> str:
    return (ROOT / 'docs' / 'evidence.md').read_text(encoding='utf-8')


def test_no_number_of_the_page_has_drifted(tool: ModuleType, page: str) -> None:
    assert tool.fill(page) == page


def test_every_line_is_on_the_page(page: str) -> None:
    for file in (ROOT / 'docs' / 'results').glob('*.jsonl'):
        if (ROOT / 'tools' / 'benchmarks' / f'{file.stem}.yml').is_file():
            assert f'<!-- table: {file.stem} -->' in page


def test_the_words_say_nothing_holds_while_nothing_does(page: str) -> None:
    assert ('**Holds: nothing yet.**' in page) == ('| holds |' not in page)


def row(difference: float | None, interval: tuple[float, float] | None, p: float | None = None) -> Row:
    return Row('own', 1, 'none', 100, [], {'x': 1.0}, 1.0, None, difference, interval, p)


@pytest.mark.parametrize(
    ('own', 'seeds', 'expected'),
    [
        (row(None, None), 3, '-'),
        (row(1.0, (0.5, 1.5)), 1, 'points that way, one seed'),
        (row(-1.0, (-1.5, -0.5)), 1, 'points that way, one seed'),
        (row(1.0, (-0.1, 1.5)), 1, 'not told apart, one seed'),
        (row(1.0, (0.5, 1.5), 0.01), 2, 'points that way, 2 seeds'),
        (row(1.0, (0.5, 1.5), 0.01), 3, 'holds'),
        (row(1.0, (0.5, 1.5), 0.05), 3, 'not shown, 3 seeds'),
    ],
)
def test_nothing_holds_with_fewer_than_three_seeds(tool: ModuleType, own: Row, seeds: int, expected: str) -> None:
    assert tool.verdict(own, seeds) == expected


def test_words_stay_and_unknown_tables_are_told(tool: ModuleType) -> None:
    assert tool.fill('Some words.\n') == 'Some words.\n'
    with pytest.raises(OptionError, match="no table 'clash5_semantics'. Did you mean: clash5_semantic"):
        tool.fill('<!-- table: clash5_semantics -->\n<!-- end -->')


def test_seeds_that_all_methods_have_finished_are_shown(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a benchmark runs seed by seed: none yet, then one of three."""
    own = 'transfer_relations.jsonl'
    lines = (ROOT / 'docs' / 'results' / own).read_text(encoding='utf-8').splitlines(keepends=True)
    monkeypatch.setattr(tool, 'RESULTS', tmp_path)
    assert tool.comparison('transfer_relations').endswith('**not run**.')
    (tmp_path / own).write_text(lines[0])
    assert tool.comparison('transfer_relations').endswith('5 runs are **not finished**.')
    (tmp_path / own).write_text(''.join(lines[:3]))
    shown = tool.comparison('transfer_relations')
    assert 'one seed |' in shown
    assert shown.endswith('Not finished: seed 1, seed 2.')
    assert '3 seeds |' not in shown
