"""The scripts as a user calls them, on drawn data: train, resume, test."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mmlmseg.checkpoint import label_spaces_of
from mmlmseg.checkpoint_files import newest_checkpoint, read_checkpoint
from mmlmseg.lab.scenes import write_folder_dataset

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

CONFIG = """
_base_ = {demo!r}
folders = [{folders!r} + name for name in ('/street', '/facade')]
model = dict(
    backbone=dict(base_channels=8),
    decode_head=dict(
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
tta_model = dict(type='mmlmseg.MultiSpaceTTA')
views = [
    [dict(type='Resize', scale_factor=factor, keep_ratio=True) for factor in (0.5, 1.0)],
    [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
    [dict(type='LoadAnnotations')],
    [dict(type='PackSegInputs')],
]
tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=views)]
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


def free_port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def start(script: str, folder: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    interpreter = ['bash'] if script.endswith('.sh') else [sys.executable, '-W', 'ignore']
    env = {**os.environ, 'PYTHON': sys.executable, 'PORT': free_port(), **environment}
    command = [*interpreter, str(ROOT / 'tools' / script), *options]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(script: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    process = start(script, folder, *options)
    out, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


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
    (report,) = (json.loads(file.read_text()) for file in (workplace / 'work_dirs').glob('tiny/*/results.json'))
    assert report['mean/mIoU']['kind'] == report['street/IoU.road']['kind'] == 'comparable'
    assert f'mean/mIoU: {report["mean/mIoU"]["value"]:.4f}' in done.stdout + done.stderr
    samples = pickle.loads((workplace / 'out.pkl').read_bytes())
    assert [sample['dataset'] for sample in samples] == ['street'] * 2 + ['facade'] * 2
    assert samples[0]['pred_sem_seg']['data'].shape == (1, 64, 96)
    assert len(list((workplace / 'shown').rglob('*.png'))) == 4


def test_images_without_labels_are_tested_as_far_as_predictions_are_written(workplace: Path) -> None:
    config = "_base_ = 'tiny.py'\nsteps = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]\n"
    parts = "[dict(type='mmlmseg.FolderDataset', data_root='pictures', split='val', pipeline=steps)]"
    (workplace / 'pictures.py').write_text(f'{config}test_dataloader = dict(dataset=dict(datasets={parts}))\n')
    write_folder_dataset(workplace / 'pictures', 'street', range(1), range(1, 3), size=(64, 96))
    (workplace / 'pictures' / 'classes.json').write_text((workplace / 'street' / 'classes.json').read_text())
    (workplace / 'pictures' / 'labels').rename(workplace / 'pictures' / 'hidden')
    name = 'test_dataloader.dataset.datasets.0.metainfo.label_space=street'
    common = ['pictures.py', 'run/iter_2.pth', '--cfg-options', name]
    done = run('test.py', workplace, *common)
    assert done.returncode == 2
    assert 'error: dataset street: the test pipeline loads no labels, so nothing can be scored' in done.stderr
    done = run('test.py', workplace, *common, '--out', 'pictures.pkl', '--show-dir', 'pictures_shown')
    assert done.returncode == 0, done.stderr[-3000:]
    assert [sample['dataset'] for sample in pickle.loads((workplace / 'pictures.pkl').read_bytes())] == ['street'] * 2
    assert len(list((workplace / 'pictures_shown').rglob('*.png'))) == 2


def test_testing_with_augmentation(workplace: Path) -> None:
    done = run('test.py', workplace, 'tiny.py', 'run/iter_2.pth', '--tta', '--out', 'tta.pkl')
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'mean/mIoU' in done.stdout + done.stderr
    samples = pickle.loads((workplace / 'tta.pkl').read_bytes())
    assert [sample['dataset'] for sample in samples] == ['street'] * 2 + ['facade'] * 2
    assert all(sample['pred_sem_seg']['data'].shape == (1, 64, 96) for sample in samples)
    assert not any('seg_logits' in sample for sample in samples)


# A global batch of two without what is random or local to a process: dropout, and statistics of batch norm.
FIXED = ['model.backbone.norm_eval=True', 'model.decode_head.decoder.dropout=0.0', 'optim_wrapper.optimizer.type=SGD']
HALF = [*FIXED, 'train_dataloader.batch_size=1']
SHARDED = ['runner_type=FlexibleRunner', 'strategy.type=mmlmseg.FSDPStrategy']


def weights(folder: Path, run: str, iteration: int = 2) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / run / f'iter_{iteration}.pth')['state_dict']


def check_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-3, atol=1e-5, msg=lambda m, k=key: f'{k}: {m}')


@pytest.fixture(scope='module')
def alone(workplace: Path) -> dict[str, torch.Tensor]:
    """What one process trains."""
    done = run('train.py', workplace, 'tiny.py', '--work-dir', 'alone', '--cfg-options', *FIXED)
    assert done.returncode == 0, done.stderr[-3000:]
    start, end = weights(workplace, 'alone', 1), weights(workplace, 'alone')
    assert sum(not torch.equal(start[key], value) for key, value in end.items()) > 50
    return end


def test_two_processes_train_and_test_to_the_numbers_of_one(workplace: Path, alone: dict[str, torch.Tensor]) -> None:
    both = run('dist_train.sh', workplace, 'tiny.py', '2', '--work-dir', 'both', '--cfg-options', *HALF)
    assert both.returncode == 0, both.stderr[-3000:]
    check_equal(weights(workplace, 'both'), alone)

    scores = []
    for script, processes in (('test.py', []), ('dist_test.sh', ['2'])):
        done = run(script, workplace, 'tiny.py', 'alone/iter_2.pth', *processes)
        assert done.returncode == 0, done.stderr[-3000:]
        scores.append(re.findall(r'((?:street|facade|mean)/\w+): ([\d.]+)', done.stdout + done.stderr))
    assert scores[0]
    assert set(scores[0]) == set(scores[1])


def test_two_nodes_train_what_one_process_does(workplace: Path, alone: dict[str, torch.Tensor]) -> None:
    port = free_port()
    nodes = [
        start('dist_train.sh', workplace, 'tiny.py', '1', '--work-dir', 'nodes', '--cfg-options', *HALF, NNODES='2',
              NODE_RANK=str(rank), PORT=port)
        for rank in range(2)
    ]  # fmt: skip
    for node in nodes:
        _, errors = node.communicate(timeout=300)
        assert node.returncode == 0, errors[-3000:]
    check_equal(weights(workplace, 'nodes'), alone)


def test_sharded_training_trains_what_one_process_does(workplace: Path) -> None:
    """Also where ranks hold different numbers of image sizes; its checkpoint goes on with and without sharding."""
    write_folder_dataset(workplace / 'tall' / 'facade', 'facade', range(3), range(3, 5), size=(128, 64))
    tall = f'train_dataloader.dataset.datasets.1.data_root={workplace}/tall/facade'
    sizes = [*FIXED, tall, 'optim_wrapper.optimizer.momentum=0.9', 'train_cfg.max_iters=4']
    four, two = 'train_dataloader.batch_size=4', 'train_dataloader.batch_size=2'
    for name, script, options in (
        ('whole', 'train.py', ['--cfg-options', *sizes, four]),
        ('shards', 'dist_train.sh', ['2', '--cfg-options', *sizes, two, *SHARDED]),
        ('onward', 'dist_train.sh', ['2', '--resume', 'shards/iter_3.pth', '--cfg-options', *sizes, two, *SHARDED]),
        ('merged', 'train.py', ['--resume', 'shards/iter_3.pth', '--cfg-options', *sizes, four]),
    ):
        done = run(script, workplace, 'tiny.py', *options, '--work-dir', name)
        assert done.returncode == 0, done.stderr[-3000:]
    for name in ('shards', 'onward', 'merged'):
        check_equal(weights(workplace, name, 4), weights(workplace, 'whole', 4))
    done = run('test.py', workplace, 'tiny.py', 'shards/iter_4.pth')
    assert done.returncode == 0, done.stderr[-3000:]


def process_of(rank: int, work_dir: Path) -> int:
    """The number of the process that trains as a rank in a folder, once it has logged its third step."""
    begun = time.monotonic()
    while not any('Iter(train) [  3/' in file.read_text() for file in work_dir.glob('*/*.log')):
        assert time.monotonic() - begun < 200, 'no step in 200 s'
        time.sleep(0.2)
    for process in Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            words = (process / 'cmdline').read_bytes().split(b'\0')
            own = str(work_dir).encode() in words and f'RANK={rank}'.encode() in (
                process / 'environ'
            ).read_bytes().split(b'\0')
            if own and b'torch.distributed.run' not in words:
                return int(process.name)
    raise AssertionError(f'no process of rank {rank}')


ENDLESS = ['train_cfg.max_iters=900', 'param_scheduler.1.end=900', 'default_hooks.checkpoint.interval=900']


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='processes are found in /proc')
def test_all_processes_end_where_one_is_asked_to(workplace: Path) -> None:
    folder = workplace / 'asked'
    process = start('dist_train.sh', workplace, 'tiny.py', '2', '--work-dir', str(folder), '--cfg-options', *ENDLESS)
    os.kill(process_of(1, folder), signal.SIGUSR1)
    out, errors = process.communicate(timeout=120)
    assert process.returncode != 0  # torchrun's; that of each process is 75
    assert 'exitcode  : 75' in errors
    saved = newest_checkpoint(folder)
    assert saved is not None
    assert f'asked to end after iteration {saved.stem.removeprefix("iter_")}: saved' in out + errors


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='processes are found in /proc')
def test_all_processes_end_where_one_dies(workplace: Path) -> None:
    folder = workplace / 'dying'
    process = start('dist_train.sh', workplace, 'tiny.py', '2', '--work-dir', str(folder), '--cfg-options', *ENDLESS)
    os.kill(process_of(1, folder), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert 'Signal 9 (SIGKILL) received by PID' in errors


def test_one_dataset_of_the_config_for_another_length(workplace: Path) -> None:
    done = run('train.py', workplace, 'tiny.py', '--datasets', 'facade', '--iterations', '1')
    assert done.returncode == 0, done.stderr[-3000:]
    checkpoint = workplace / 'work_dirs' / 'tiny_facade_1' / 'iter_1.pth'
    assert [space.name for space in label_spaces_of(read_checkpoint(checkpoint)['state_dict'])] == ['facade']
    for name in ('facade', 'street'):  # the model knows one of them
        done = run('test.py', workplace, 'tiny.py', str(checkpoint), '--datasets', name)
        assert (done.returncode == 0) == ('facade/mIoU' in done.stdout + done.stderr) == (name == 'facade')


def test_bad_requests_end_with_one_line(workplace: Path) -> None:
    done = run('test.py', workplace, 'tiny.py', 'run/iter_7.pth')
    assert done.returncode == 2
    assert done.stderr.startswith('error: run/iter_7.pth: does not exist; its folder holds ')
    assert 'Did you mean: iter_' in done.stderr
    assert 'Traceback' not in done.stderr
    for script, options, message in (
        ('train.py', ['--datasets', 'streets'], "has no dataset 'streets', only street, facade. Did you mean: street"),
        ('train.py', ['--iterations', '0'], '0 iterations: a training has at least one'),
        ('test.py', ['run/iter_2.pth', '--datasets', 'shop'], "has no dataset 'shop', only street, facade."),
        ('train.py', ['--cfg-options', *SHARDED], 'shards a model over several processes'),
        ('train.py', ['--cfg-options', 'train_cfg.max_iter=3'], "unknown key 'max_iter'. Did you mean: max_iters"),
    ):
        done = run(script, workplace, 'tiny.py', *options)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr[-3000:]
        assert 'Traceback' not in done.stderr
