"""What the README shows is what the repository holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmengine.registry import Registry

from mmlmseg import registry
from mmlmseg_command import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


def test_the_shown_lines_are_those_of_the_shipped_config() -> None:
    (shown,) = [block for block in blocks(README, 'python') if 'FolderDataset' in block]
    assert shown in (ROOT / 'configs/lmseg/lmseg_r18_own-data.py').read_text(encoding='utf-8')


def test_commands_of_the_readme_are_there() -> None:
    used = set(re.findall(r'^mmlmseg ([a-z-]+)', '\n'.join(blocks(README, 'bash')), re.MULTILINE))
    assert used <= set(COMMANDS)
    targets = set(re.findall(r'^make (\S+)', '\n'.join(blocks(README, 'bash')), re.MULTILINE))
    assert targets == {'demo', 'test'}


def test_the_readme_is_about_one_screen() -> None:
    assert len(README.splitlines()) <= 100


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf'^```{language}\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)


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


@pytest.mark.parametrize('page', [path.name for path in sorted((ROOT / 'docs').glob('*.md'))])
def test_pages_name_types_that_are_registered(page: str) -> None:
    registries = [value for value in vars(registry).values() if isinstance(value, Registry)]
    named = set(re.findall(r"'mmlmseg\.([A-Z]\w+)'", (ROOT / 'docs' / page).read_text(encoding='utf-8')))
    assert [name for name in named if not any(known.get(f'mmlmseg.{name}') for known in registries)] == []


def test_every_page_is_listed() -> None:
    docs = ROOT / 'docs'
    index = (docs / 'index.md').read_text(encoding='utf-8')
    pages = {path.relative_to(docs).with_suffix('').as_posix() for path in [*docs.glob('*.md'), *docs.glob('api/*.md')]}
    assert {line for line in index.splitlines() if line in pages} == pages - {'index'}
