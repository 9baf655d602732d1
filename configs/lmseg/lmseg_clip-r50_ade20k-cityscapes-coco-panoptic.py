# One LMSeg for three panoptic datasets.
_base_ = [
    '../_base_/models/lmseg_panoptic.py',
    '../_base_/datasets/ade20k_cityscapes_coco_panoptic.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
# as published for MaskFormer on each dataset
model = dict(test_cfg=dict(panoptic=dict(per_space=dict(ade20k_panoptic=dict(object=0.7)))))
max_iters = 320_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
default_hooks = dict(checkpoint=dict(save_best='mean/PQ'))
