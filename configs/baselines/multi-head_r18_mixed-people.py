# The multi-head baseline for several label spaces at once: garments, faces, bodies and whole people.
_base_ = [
    '../_base_/models/maskformer_r18.py',
    '../_base_/datasets/mixed_people.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(label_spaces=_base_.label_spaces), test_cfg=_base_.results)
default_hooks = dict(checkpoint=dict(interval=250, save_best=_base_.best))
