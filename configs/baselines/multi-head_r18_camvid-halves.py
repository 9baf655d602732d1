# The transfer test without language: one linear layer per label space.
_base_ = [
    '../_base_/models/maskformer_r18.py',
    '../_base_/datasets/camvid_halves.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(label_spaces=_base_.folders))
