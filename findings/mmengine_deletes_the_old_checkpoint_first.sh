#!/bin/sh
# mmengine's CheckpointHook with max_keep_ckpts=1 removes the previous checkpoint before it writes the next one. If the
# writing fails (full disk, quota, a kill), the run is left without any whole checkpoint, and last_checkpoint names a
# file that is gone. With max_keep_ckpts=N, N - 1 are left instead of N.
#
# onedl-mmengine 0.10.12 (mmengine 0.10.7 has the same order), torch 2.13.0. Seen: after the second save failed with
# "No space left on device", the work dir holds no iter_*.pth.
# Who meets it: long trainings on shared disks, where max_keep_ckpts=1 is set because space is short.
# One would have guessed: the old file goes after the new one is whole.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'torch==2.13.0' 'numpy==2.2.6' 'onedl-mmengine==0.10.12' 'opencv-python-headless==4.12.0.88' 'setuptools<82'
cat > "$folder/run.py" <<'PY'
import errno
import sys
from pathlib import Path

import torch
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.layer(inputs).sum())

class DiskFillsUp(CheckpointHook):
    """The second checkpoint meets a full disk."""
    def _save_checkpoint_with_step(self, runner, step, meta):
        if step == 2:
            def full(*args, **kwargs):
                raise OSError(errno.ENOSPC, 'No space left on device')
            runner.save_checkpoint = full
        super()._save_checkpoint_with_step(runner, step, meta)

runner = Runner(
    Model(), 'work', DataLoader([dict(inputs=torch.ones(2))] * 4), train_cfg=dict(by_epoch=False, max_iters=4),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), default_scope='mmengine', log_level='ERROR',
    default_hooks=dict(checkpoint=None), custom_hooks=[DiskFillsUp(interval=1, by_epoch=False, max_keep_ckpts=1)],
)
try:
    runner.train()
except OSError as error:
    print('stopped by:', error)
left = sorted(path.name for path in Path('work').glob('*.pth'))
print('checkpoints left:', left or 'none', '- last_checkpoint names', Path('work/last_checkpoint').read_text().rpartition('/')[2])
sys.exit(0 if not left else 1)
PY
cd "$folder"
"$folder/venv/bin/python" -W ignore run.py
