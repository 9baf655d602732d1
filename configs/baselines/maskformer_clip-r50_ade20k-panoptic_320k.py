# MaskFormer for ADE20K panoptic alone; three such models cost 960k iterations.
_base_ = [
    '../_base_/models/maskformer_panoptic.py',
    '../_base_/datasets/ade20k_panoptic.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(label_spaces=_base_.label_spaces),
    test_cfg=dict(panoptic=dict(object=0.7)),
)
max_iters = 320_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
default_hooks = dict(checkpoint=dict(save_best='mean/PQ'))
