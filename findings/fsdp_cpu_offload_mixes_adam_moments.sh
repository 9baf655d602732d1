#!/bin/sh
# Gathering the optimiser state of an FSDP model onto the first rank with offload_to_cpu=True, where the model is on
# the CPU already (gloo), gives wrong Adam moments: what comes back as exp_avg holds exp_avg_sq. No error, no warning.
# Without offload_to_cpu the same call is right.
#
# torch 2.13.0, two gloo processes, use_orig_params=True, state_dict_type FULL_STATE_DICT.
# Who meets it: whoever tests FSDP training on CPUs, or trains on CPU clusters, and resumes: mmengine's FSDPStrategy and
# many trainers ask for offload_to_cpu as a matter of course. Training goes on with first moments that are squares.
# One would have guessed: "offload to CPU" of what lies on the CPU does nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'torch==2.13.0' 'numpy==2.2.6'
cat > "$folder/run.py" <<'PY'
import sys
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import (
    FullOptimStateDictConfig, FullStateDictConfig, FullyShardedDataParallel as FSDP, StateDictType,
)

def gathered(model, optimizer, offload):
    with FSDP.state_dict_type(
        model, StateDictType.FULL_STATE_DICT,
        FullStateDictConfig(offload_to_cpu=offload, rank0_only=True),
        FullOptimStateDictConfig(offload_to_cpu=offload, rank0_only=True),
    ):
        return FSDP.optim_state_dict(model, optimizer)

dist.init_process_group('gloo')
torch.manual_seed(0)
model = FSDP(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), device_id=torch.device('cpu'), use_orig_params=True)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for step in range(3):
    optimizer.zero_grad()
    model(torch.full((4, 4), 1.0 + step + dist.get_rank())).pow(2).sum().backward()
    optimizer.step()
plain = gathered(model, optimizer, False)
offloaded = gathered(model, optimizer, True)
if dist.get_rank() == 0:
    key = '0.weight'
    right, wrong = plain['state'][key], offloaded['state'][key]
    mixed = torch.equal(wrong['exp_avg'], right['exp_avg_sq']) and not torch.equal(right['exp_avg'], right['exp_avg_sq'])
    print('torch', torch.__version__)
    print('sums of absolute values: exp_avg right', right['exp_avg'].abs().sum().item(), 'offloaded', wrong['exp_avg'].abs().sum().item())
    print('exp_avg_sq right', right['exp_avg_sq'].abs().sum().item(), 'offloaded', wrong['exp_avg_sq'].abs().sum().item())
    print('offloaded exp_avg is exp_avg_sq:', mixed)
    sys.exit(0 if mixed else 1)
PY
cd "$folder"
OMP_NUM_THREADS=1 "$folder/venv/bin/torchrun" --nproc-per-node 2 --master-port 29631 run.py
