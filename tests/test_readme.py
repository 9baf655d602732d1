"""What the README shows is what the repository holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


def test_the_shown_config_is_the_shipped_one() -> None:
    assert (ROOT / 'configs/lmseg/lmseg_r18_own-data.py').read_text(encoding='utf-8') in README


@pytest.mark.parametrize('document', sorted(path.name for path in ROOT.glob('*.md')))
def test_links_lead_somewhere(document: str) -> None:
    targets = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', (ROOT / document).read_text(encoding='utf-8'))
    local = [target for target in targets if not target.startswith('http')]
    assert [target for target in local if not (ROOT / target).exists()] == []
