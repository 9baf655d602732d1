#!/bin/sh
# Resuming with mmengine after max_iters and the end of PolyLR were raised: the schedule of the checkpoint wins over that
# of the config without a word. The added iterations run at eta_min, here at a learning rate of 0, and change nothing.
#
# onedl-mmengine 0.10.12 (mmengine 0.10.7 behaves alike), torch 2.13.0. Seen: 4 iterations trained, config changed to 8,
# resumed: iterations 5 to 8 log lr 0.
# Who meets it: whoever trains longer because the loss still fell, which is what resume=True is for.
# One would have guessed: the length in the config is obeyed, or the run stops and says what wins.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'torch==2.13.0' 'numpy==2.2.6' 'onedl-mmengine==0.10.12' 'opencv-python-headless==4.12.0.88' 'setuptools<82'
cat > "$folder/run.py" <<'PY'
import sys

import torch
from mmengine.hooks import Hook
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

class Rates(Hook):
    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(runner.optim_wrapper.get_lr()['lr'][0])

def train(length, resume):
    rates = Rates()
    Runner(
        Model(), 'work', DataLoader([dict(inputs=torch.ones(2))] * 8), train_cfg=dict(by_epoch=False, max_iters=length),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        param_scheduler=dict(type='PolyLR', power=1.0, eta_min=0.0, end=length, by_epoch=False),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=4, by_epoch=False)), custom_hooks=[rates],
        resume=resume, default_scope='mmengine', log_level='ERROR', experiment_name=f'{length}{resume}',
    ).train()
    return [round(rate, 4) for rate in rates.seen]

print('4 iterations:           ', train(4, False))
added = train(8, True)
print('resumed with a length 8:', added)
sys.exit(0 if len(added) == 4 and not any(added) else 1)
PY
cd "$folder"
"$folder/venv/bin/python" -W ignore run.py
