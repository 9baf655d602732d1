"""The scripts as a user calls them, on drawn data: train, resume, test."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from mmlmseg.datasets.drawn_scenes import write_folder_dataset

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

CONFIG = """
_base_ = {demo!r}
folders = [{folders!r} + name for name in ('/street', '/facade')]
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(
        label_spaces=folders,
        in_channels=[8, 16, 32, 64],
        channels=32,
        queries=dict(num_queries=4),
        decoder=dict(num_layers=1, ffn_channels=32),
    ),
)
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
pipeline = [*load, dict(type='PackSegInputs')]
folder = dict(type='mmlmseg.FolderDataset', pipeline=pipeline)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(datasets=[dict(folder, data_root=root, split='train') for root in folders]),
)
val_sets = [dict(folder, data_root=root, split='val') for root in folders]
val_dataloader = dict(batch_size=2, dataset=dict(datasets=val_sets))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=2, val_interval=100)
default_hooks = dict(checkpoint=dict(interval=1, save_optimizer=True), logger=dict(interval=1))
auto_scale_lr = dict(base_batch_size=2)
"""


@pytest.fixture(scope='module')
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, config and a run of two iterations."""
    folder = tmp_path_factory.mktemp('scripts')
    for space in ('street', 'facade'):
        write_folder_dataset(folder / space, space, range(3), range(3, 5), size=(64, 96))
    demo = str(ROOT / 'configs' / 'demo' / 'lmseg_demo.py')
    (folder / 'tiny.py').write_text(CONFIG.format(demo=demo, folders=str(folder)))
    done = run('train.py', folder, 'tiny.py', '--work-dir', 'run', '--auto-scale-lr')
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def run(script: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-W', 'ignore', str(ROOT / 'tools' / script), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_training_resumes_from_its_last_checkpoint(workplace: Path) -> None:
    done = run(
        'train.py', workplace, 'tiny.py', '--work-dir', 'run', '--resume', '--cfg-options', 'train_cfg.max_iters=3'
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'resumed epoch: 0, iter: 2' in done.stdout + done.stderr
    assert (workplace / 'run' / 'iter_3.pth').is_file()


def test_testing_dumps_and_draws(workplace: Path) -> None:
    done = run('test.py', workplace, 'tiny.py', 'run/iter_2.pth', '--out', 'out.pkl', '--show-dir', 'shown')
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'mean/mIoU' in done.stdout + done.stderr
    samples = pickle.loads((workplace / 'out.pkl').read_bytes())
    assert [sample['dataset'] for sample in samples] == ['street'] * 2 + ['facade'] * 2
    assert samples[0]['pred_sem_seg']['data'].shape == (1, 64, 96)
    assert len(list((workplace / 'shown').rglob('*.png'))) == 4


def test_bad_requests_end_with_one_line(workplace: Path) -> None:
    done = run('test.py', workplace, 'tiny.py', 'run/iter_7.pth')
    assert done.returncode == 2
    assert done.stderr.startswith('error: run/iter_7.pth: does not exist. Did you mean: iter_')
    assert 'Traceback' not in done.stderr
