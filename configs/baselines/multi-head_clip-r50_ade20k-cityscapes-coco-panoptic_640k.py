_base_ = './multi-head_clip-r50_ade20k-cityscapes-coco-panoptic_320k.py'

max_iters = 640_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
