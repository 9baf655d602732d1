# A frozen tower of CLIP that reads images and class names; what is learned stands on it.
_base_ = [
    '../_base_/models/lmseg_clip-convnext-l.py',
    '../_base_/datasets/ade20k_cityscapes_cocostuff10k_mapillary.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
