from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mmlmseg.datasets import MultiSpaceFolderDataset
from mmlmseg.lab.scenes import SCENE_SPACES

TOOL = Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks' / 'draw_scenes.py'


def test_folders_share_validation_scenes_only(
    load_script: Callable[[Path], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'scenes'
    arguments = ['--out', str(out), '--train', '2', '--val', '3', '--size', '32', '48']
    assert load_script(TOOL).main(arguments) == 0
    assert '2 scenes to train on each, 3 to validate on' in capsys.readouterr().out
    trained = [name for space in SCENE_SPACES for name in (out / space / 'train.txt').read_text().split()]
    assert len(trained) == len(set(trained)) == 2 * len(SCENE_SPACES)
    mixed = MultiSpaceFolderDataset([dict(data_root=str(out / space)) for space in SCENE_SPACES], split='val')
    assert [space.name for space in mixed.spaces] == list(SCENE_SPACES)
    assert len(mixed) == 3
    assert not {Path(mixed.get_data_info(i)['img_path']).stem for i in range(3)} & set(trained)


def test_refuses_empty_sets(load_script: Callable[[Path], ModuleType], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match='2'):
        load_script(TOOL).main(['--out', str(tmp_path), '--val', '0'])
