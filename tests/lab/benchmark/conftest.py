"""The folders of the clash5 configs, small and drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mmlmseg.lab.benchmark import Benchmark, Method
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.lab.scenes.spaces import scene_space

ROOT = Path(__file__).resolve().parents[3]
SPACES = dict(camvid11='street', labelmefacade='facade', msrc_v2='objects', paris_artdeco='facade', ccp='wardrobe')


MIXED = """
_base_ = [
    '{base}/models/{model}.py',
    '{base}/datasets/clash5.py',
    '{base}/schedules/adamw_poly_4500.py',
    '{base}/default_runtime.py',
]
both = dict(
    type='mmlmseg.MultiSpaceFolderDataset',
    folders=[dict(data_root=folder) for folder in _base_.folders[:2]],
    pipeline=[dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')],
)
singles = _base_.val_dataloader.dataset.datasets
names = [folder.rsplit('/')[-1] for folder in _base_.folders]
val_dataloader = dict(dataset=dict(names=[*names, 'both'], datasets=[*singles, both]))
test_dataloader = val_dataloader
piq, pq = dict(type='mmlmseg.PanopticInstanceQuality'), dict(type='mmlmseg.PanopticQuality')
val_evaluator = dict(per_dataset=dict(both=[piq], ccp=[pq]))
"""


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


@pytest.fixture
def mixed(clash5: Path, tmp_path: Path) -> Benchmark:
    """A joint model, and models of one dataset each, on images with truth in two label spaces."""
    methods = []
    for name, model in (('LMSeg', 'lmseg_r18'), ('singles', 'maskformer_r18')):
        file = tmp_path / f'{name}.py'
        file.write_text(MIXED.format(base=ROOT / 'configs' / '_base_', model=model))
        methods.append(Method(name, str(file), alone=name == 'singles'))
    return Benchmark(
        name='bench',
        title='B',
        metric='PIQ',
        reference='LMSeg',
        datasets=('camvid11', 'labelmefacade'),
        methods=tuple(methods),
        iterations=2,
        scored=('both',),
        also=('camvid11/mIoU', 'both/PIQ_st'),
        mixed=('both',),
    )
