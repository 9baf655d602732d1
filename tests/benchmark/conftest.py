"""The folders of the clash5 configs, small and drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mmlmseg.datasets.drawn_scenes import write_folder_dataset
from mmlmseg.datasets.drawn_scenes.spaces import scene_space

ROOT = Path(__file__).resolve().parents[2]
SPACES = dict(camvid11='street', labelmefacade='facade', msrc_v2='objects', paris_artdeco='facade', ccp='wardrobe')


@pytest.fixture(scope='session')
def drawn_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five folders of 12 training and 3 validation images."""
    root = tmp_path_factory.mktemp('clash5')
    for name, kind in SPACES.items():
        space = dataclasses.replace(scene_space(kind), name=name)
        write_folder_dataset(root / name, space, range(12), range(12, 15), size=(64, 64))
    return root


@pytest.fixture
def clash5(drawn_folders: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, where the configs look for them; paths of configs hold in the working directory."""
    monkeypatch.setenv('MMLMSEG_DATA', str(drawn_folders))
    monkeypatch.chdir(ROOT)
    return drawn_folders
