# CLIP reads the names, the image encoder comes from ImageNet.
_base_ = [
    '../_base_/models/lmseg_in1k-r50.py',
    '../_base_/datasets/ade20k_cityscapes_cocostuff10k_mapillary.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
