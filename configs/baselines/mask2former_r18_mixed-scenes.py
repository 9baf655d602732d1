# Mask2Former with a linear classifier per label space; restricted to one it is the single-dataset model.
_base_ = [
    '../_base_/models/mask2former_r18.py',
    '../_base_/datasets/mixed_scenes.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(label_spaces=_base_.label_spaces), test_cfg=_base_.results)
default_hooks = dict(checkpoint=dict(interval=250, save_best=_base_.best))
