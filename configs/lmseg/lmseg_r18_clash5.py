_base_ = [
    '../_base_/models/lmseg_r18.py',
    '../_base_/datasets/clash5.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),  # one crop size: one group per batch, so plain BN is safe
    decode_head=dict(label_spaces=_base_.folders),
)
default_hooks = dict(checkpoint=dict(interval=250))
