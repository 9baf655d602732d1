# A plain vision transformer on five folders whose taxonomies clash.
_base_ = [
    '../_base_/models/lmseg_dinov3-s16.py',
    '../_base_/datasets/clash5.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=250))
