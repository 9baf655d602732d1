"""Every bad input of the table is refused, in one message that says what, where and what to do."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from refusals import Refusal

ROWS: dict[str, Refusal] = {
    f'{file.stem}-{row.name}': row
    for file in sorted(Path(__file__).parent.glob('bad_*.py'))
    for row in importlib.import_module(file.stem).REFUSALS
}


@pytest.mark.parametrize('name', ROWS)
def test_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS[name]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(row.error) as caught:
        row.do(tmp_path)
    message = str(caught.value)
    assert [word for word in row.words if word not in message] == [], message
