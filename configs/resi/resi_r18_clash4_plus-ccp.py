# The fifth folder is added to a RESI that was trained on the first four, whose predictions stay: only ccp learns.
_base_ = './resi_r18_clash5.py'

load_from = 'work_dirs/resi_r18_clash4/iter_4500.pth'
model = dict(decode_head=dict(added_spaces=['ccp'], adapters=dict(ccp=dict(type='mmlmseg.SpaceAdapter', width=32))))
train_dataloader = dict(dataset=dict(datasets=_base_.train_dataloader.dataset.datasets[4:]))
max_iters = 1500
param_scheduler = dict(end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=125))
