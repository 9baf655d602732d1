# RESI for the objects of one dataset: the only one of clash5 that has some.
_base_ = [
    '../_base_/models/resi_r18.py',
    '../_base_/datasets/msrc_instance.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(label_spaces=_base_.label_spaces, things_only=True),
    test_cfg=dict(tasks=['instance'], panoptic=dict(pixel=0.5)),  # things do not fill an image
)
default_hooks = dict(checkpoint=dict(interval=250, save_best='mean/AP'))
