# Panoptic on real data without a GPU: objects of msrc_v2, stuff of all three. Thresholds as low as short training asks.
_base_ = [
    '../_base_/models/lmseg_r18.py',
    '../_base_/datasets/clash3_panoptic.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(test_cfg=_base_.results)
default_hooks = dict(checkpoint=dict(interval=250, save_best=_base_.best))
