# RESI over Swin-T, panoptic, on the three datasets of LMSeg.
_base_ = [
    '../_base_/models/resi_swin-t.py',
    '../_base_/datasets/ade20k_cityscapes_coco_panoptic.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
model = dict(test_cfg=dict(tasks=['panoptic']))
optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
max_iters = 320_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
default_hooks = dict(checkpoint=dict(save_best='mean/PQ'))
