# The fifth folder is added to a RESI that was trained on the first four, whose predictions stay: only ccp learns.
# First: python tools/add_label_space.py work_dirs/resi_r18_clash4/iter_4500.pth THIS_FILE work_dirs/clash4_plus-ccp.pth
_base_ = './resi_r18_clash5.py'

load_from = 'work_dirs/clash4_plus-ccp.pth'
model = dict(
    decode_head=dict(label_spaces=_base_.folders, adapters=dict(ccp=dict(type='mmlmseg.SpaceAdapter', width=32)))
)
new = ['decode_head.queries.own.4', 'decode_head.adapters.own.0']
custom_hooks = [dict(type='mmlmseg.FreezeHook', trained=new)]
find_unused_parameters = True  # several processes meet before anything is frozen
train_dataloader = dict(dataset=dict(datasets=_base_.train_dataloader.dataset.datasets[4:]))
max_iters = 1500
param_scheduler = dict(end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=125))
