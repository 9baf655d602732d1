# One LMSeg for four semantic datasets.
_base_ = [
    '../_base_/models/lmseg.py',
    '../_base_/datasets/ade20k_cityscapes_cocostuff10k_mapillary.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
