"""What the README shows is what the repository holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


def test_the_shown_config_is_the_shipped_one() -> None:
    assert (ROOT / 'configs/lmseg/lmseg_r18_own-data.py').read_text(encoding='utf-8') in README


DOCUMENTS = [*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md')]


@pytest.mark.parametrize('document', sorted(path.relative_to(ROOT).as_posix() for path in DOCUMENTS))
def test_links_lead_somewhere(document: str) -> None:
    targets = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', (ROOT / document).read_text(encoding='utf-8'))
    local = [target for target in targets if not target.startswith('http')]
    assert [target for target in local if not (ROOT / document).parent.joinpath(target).exists()] == []


def test_architecture_names_files_that_exist() -> None:
    """Paths below mmlmseg/; a bare name stands in the folder of the path before it."""
    text = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
    for line in text.splitlines():
        folder = ROOT / 'mmlmseg'
        for name in re.findall(r'`([\w/]+(?:\.py|/))`', line):
            path = next((p for p in (folder / name, ROOT / 'mmlmseg' / name, ROOT / name) if p.exists()), None)
            assert path is not None, f'{name} in: {line}'
            folder = path.parent if path.is_file() else path


def test_a_training_step_is_read_in_few_files() -> None:
    text = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| (\d+) \| \[`', text, re.MULTILINE)
    assert rows == [str(i) for i in range(1, len(rows) + 1)]
    assert 10 < len(rows) <= 15


def test_the_core_does_not_know_the_kit() -> None:
    core = [path for path in (ROOT / 'mmlmseg').rglob('*.py') if 'lab' not in path.relative_to(ROOT).parts]
    assert [path for path in core if re.search(r'^\s*(from|import)\b.*\blab\b', path.read_text(), re.MULTILINE)] == []
