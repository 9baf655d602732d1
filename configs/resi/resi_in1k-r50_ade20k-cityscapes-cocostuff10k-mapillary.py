# RESI, semantic, on the four datasets of LMSeg: those of its paper are not public.
_base_ = [
    '../_base_/models/resi_in1k-r50.py',
    '../_base_/datasets/ade20k_cityscapes_cocostuff10k_mapillary.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
