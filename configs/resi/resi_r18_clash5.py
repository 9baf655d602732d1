# RESI on five folders whose taxonomies clash.
_base_ = [
    '../_base_/models/resi_r18.py',
    '../_base_/datasets/clash5.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(label_spaces=_base_.folders))
default_hooks = dict(checkpoint=dict(interval=250))
