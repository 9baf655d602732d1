# RESI for several label spaces at once: fine and coarse classes of streets.
_base_ = [
    '../_base_/models/resi_r18.py',
    '../_base_/datasets/mixed_streets.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(test_cfg=_base_.results)
default_hooks = dict(checkpoint=dict(interval=250, save_best=_base_.best))
