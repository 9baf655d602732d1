"""The audit against the taxonomy of MSeg: what docs/audit.md says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks'
TABLE = """Parent\tmapillary-public65\tcoco-panoptic-133\tade20k-150\tade20k-150-relabeled\tuniversal
\tPerson\tperson\tperson\tperson\tperson
\tRider\tperson\t\trider\trider
\tBicyclist\t{bike, cyclist}\t\t\tcyclist
\tVoid\tthing\tvoid\t\tunlabeled
"""


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(BENCHMARKS / 'label_space_audit.py')


def test_truth_is_read_from_rows(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = ('mapillary-public65', 'coco-panoptic-133', 'ade20k-150')
    monkeypatch.setattr(tool, 'DATASETS', datasets)
    (tmp_path / 'table.tsv').write_text(TABLE)
    table = tool.Table(str(tmp_path / 'table.tsv'))
    assert table.truth(*datasets[:2]) == {
        ('Person', 'person'): '<',
        ('Rider', 'person'): '<',
        ('Bicyclist', 'bike'): '>',
        ('Bicyclist', 'cyclist'): '>',
    }
    assert table.truth(datasets[0], datasets[2]) == {('Person', 'person'): 'same'}
    assert table.relabelled('ade20k-150') == {1}
    pair = [(datasets[0], datasets[2])]  # the audit holds that riders are inside of ADE20K's person
    assert tool.judge(table, pair, strict=True)['same'] == pytest.approx((0, 0))


def test_the_figures_of_the_docs(tool: ModuleType, shared_data: Path) -> None:
    table = shared_data / 'mseg_taxonomy' / 'MSeg_master.tsv'
    if not table.is_file():
        pytest.skip(f'{table} is absent')
    made_with, test = tool.halves()
    assert not {*made_with} & {*test}
    found = tool.judge(tool.Table(str(table)), test, strict=False)
    assert found['same'] == pytest.approx((0.908, 0.872), abs=5e-4)
    assert found['inside'] == pytest.approx((0.742, 0.701), abs=5e-4)
