"""The page of evidence says what the lines say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmlmseg.errors import OptionError
from mmlmseg.lab.benchmark.report import Row
from mmlmseg.lab.evidence import fill
from mmlmseg.lab.evidence.comparisons import comparison, verdict

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def page() -> str:
    return (ROOT / 'docs' / 'evidence.md').read_text(encoding='utf-8')


def test_no_number_of_the_page_has_drifted(page: str) -> None:
    assert fill(page) == page


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
def test_nothing_holds_with_fewer_than_three_seeds(own: Row, seeds: int, expected: str) -> None:
    assert verdict(own, seeds) == expected


def test_words_stay_and_unknown_tables_are_told() -> None:
    assert fill('Some words.\n') == 'Some words.\n'
    with pytest.raises(OptionError, match="no table 'clash5_semantics'. Did you mean: clash5_semantic"):
        fill('<!-- table: clash5_semantics -->\n<!-- end -->')


def test_what_has_finished_is_shown(tmp_path: Path) -> None:
    """While a benchmark runs seed by seed: nothing to compare with yet, then the reference, then one seed of three."""
    name = 'transfer_relations'
    lines = (ROOT / 'docs' / 'results' / f'{name}.jsonl').read_text(encoding='utf-8').splitlines(keepends=True)
    assert comparison(tmp_path, name).endswith('**not run**.')
    (tmp_path / f'{name}.jsonl').write_text(lines[1])
    assert comparison(tmp_path, name).endswith('5 runs are **not finished**.')
    (tmp_path / f'{name}.jsonl').write_text(lines[0])
    assert comparison(tmp_path, name).endswith('Not finished: LMSeg with relations, seed 1, seed 2.')
    (tmp_path / f'{name}.jsonl').write_text(''.join(lines[:3]))
    shown = comparison(tmp_path, name)
    assert 'one seed |' in shown
    assert '3 seeds |' not in shown
    assert shown.endswith('Not finished: seed 1 of LMSeg with relations, seed 2.')
    (tmp_path / f'{name}.jsonl').write_text(''.join(lines[:4]))
    assert '2 seeds |' in comparison(tmp_path, name)
