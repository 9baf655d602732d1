# For panoptic segmentation, which takes longer and is judged by panoptic quality.
_base_ = './adamw_poly_160k.py'

max_iters = 320_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
default_hooks = dict(checkpoint=dict(save_best='mean/PQ'))
