#!/bin/sh
# mmengine logs a score of an evaluation as it is, unless its name has "loss" or "time" anywhere in it: then what is
# logged, and written to scalars.json, TensorBoard and others, is the mean over the last evaluations. A dataset called
# lossless, or a class timetable whose IoU is a score of its own, thus trails behind its real value.
#
# mmengine 0.10.7, LogProcessor with its defaults; two evaluations that give 20 and 60 for three scores.
# Who meets it: whoever logs scores by dataset or by class. The best checkpoint is chosen by the right value, so log and
# choice contradict each other.
# One would have guessed: the names "loss" and "time" are meant, and of a training alone.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'torch==2.13.0' 'numpy==2.2.6' 'mmengine==0.10.7' 'opencv-python-headless==4.12.0.88' 'setuptools<82'
cat > "$folder/run.py" <<'PY'
import sys
from types import SimpleNamespace

import mmengine
import torch
from mmengine.logging import MessageHub
from mmengine.runner import LogProcessor

hub = MessageHub.get_instance('run')
for value in (20.0, 60.0):  # as the runner notes the results of two evaluations
    for name in ('street/mIoU', 'lossless/mIoU', 'street/IoU.timetable'):
        hub.update_scalar(f'val/{name}', value)
runner = SimpleNamespace(message_hub=hub, iter=10, max_iters=10, val_loop=SimpleNamespace(dataloader=[0]), model=torch.nn.Linear(1, 1))
tag, line = LogProcessor(by_epoch=False).get_log_after_epoch(runner, 1, 'val')
print('mmengine', mmengine.__version__)
print(tag)
right, others = tag['street/mIoU'], (tag['lossless/mIoU'], tag['street/IoU.timetable'])
sys.exit(0 if right == 60 and others == (40, 40) else 1)
PY
cd "$folder"
"$folder/venv/bin/python" -W ignore run.py
