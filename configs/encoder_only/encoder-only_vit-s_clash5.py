_base_ = [
    '../_base_/models/encoder-only_vit-s.py',
    '../_base_/datasets/clash5.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=250))
