"""The tool writes the tables of a page and leaves its words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_tables_are_written_and_words_stay(
    load_script: Callable[[Path], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    page = tmp_path / 'page.md'
    page.write_text('Before.\n\n<!-- table: lists -->\nan older table\n<!-- end -->\n\nAfter.\n')
    assert load_script(ROOT / 'tools' / 'docs' / 'evidence.py').main(['--page', str(page)]) == 0
    lines = page.read_text().splitlines()
    assert (lines[0], lines[2], lines[-1]) == ('Before.', '<!-- table: lists -->', 'After.')
    assert '| class list | mean mIoU | change |' in lines
    assert 'an older table' not in lines


def test_an_unknown_table_is_one_line(
    load_script: Callable[[Path], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    page = tmp_path / 'page.md'
    page.write_text('<!-- table: list -->\n<!-- end -->\n')
    with pytest.raises(SystemExit):
        load_script(ROOT / 'tools' / 'docs' / 'evidence.py').main(['--page', str(page)])
    assert capsys.readouterr().err == "error: there is no table 'list'. Did you mean: lists?\n"
