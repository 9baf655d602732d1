#!/bin/sh
# clip_grad=dict(max_norm=1) under mmengine's FSDPStrategy clips each process' shard to norm 1 by itself: the gradient of
# the whole model comes out with a norm up to the square root of the number of processes (1.41 of 2 here), and its
# direction changes too, as every shard is scaled by another factor. The logged grad_norm is that of the first shard.
#
# onedl-mmengine 0.10.12 (mmengine 0.10.7 has the same code), torch 2.13.0, two gloo processes.
# Who meets it: whoever moves a config with clip_grad (Mask2Former's max_norm=0.01, and most detection transformers)
# from one GPU or DDP to runner_type='FlexibleRunner', strategy=dict(type='FSDPStrategy').
# One would have guessed: the strategy uses FSDP's own clip_grad_norm_, as torch's documentation asks.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'torch==2.13.0' 'numpy==2.2.6' 'onedl-mmengine==0.10.12' 'opencv-python-headless==4.12.0.88' 'setuptools<82'
cat > "$folder/run.py" <<'PY'
import sys
import torch
import torch.distributed as dist
from mmengine._strategy import FSDPStrategy
from mmengine.model import BaseModel
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))

    def forward(self, inputs, data_samples=None, mode='loss'):
        return dict(loss=self.layers(inputs).pow(2).sum())

def whole(model):
    with FSDP.summon_full_params(model, writeback=False):
        return torch.cat([p.detach().flatten().clone() for p in model.parameters()])

dist.init_process_group('gloo')  # else mmengine asks for a CUDA device
strategy = FSDPStrategy(
    model_wrapper=dict(use_orig_params=True, device_id=torch.device('cpu')), work_dir='work', experiment_name='clip',
    env_kwargs=dict(launcher='pytorch'),
)
torch.manual_seed(0)
strategy.prepare(
    Model(), optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0), clip_grad=dict(max_norm=1.0)),
    dispatch_kwargs=dict(max_iters=1),
)
before = whole(strategy.model)
loss = strategy.model(torch.ones(2, 64), mode='loss')['loss']
strategy.optim_wrapper.update_params(loss)
norm = (whole(strategy.model) - before).norm().item()  # of the clipped gradient, as the learning rate is 1
if dist.get_rank() == 0:
    print(f'torch {torch.__version__}: asked for a norm of at most 1.0, the step was taken with {norm:.4f}')
    sys.exit(0 if norm > 1.3 else 1)
PY
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/torchrun" --nproc-per-node 2 --master-port 29632 run.py
