# Encoder-only panoptic segmentation of three datasets at once, by EoMT's optimiser: AdamW at 1e-4, weight decay of 0.05
# and a layer-wise decay of 0.8. Sizes and lengths are those of the other configs of these datasets.
_base_ = [
    '../_base_/models/encoder-only_dinov3-l16.py',
    '../_base_/datasets/ade20k_cityscapes_coco_panoptic.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
no_decay = ('cls_token', 'reg_token', 'decode_head.queries')
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(
        layer_decay=0.8,
        flat_decay_mult=0.0,
        custom_keys=dict(_delete_=True, **{name: dict(decay_mult=0.0) for name in no_decay}),
    ),
)
max_iters = 320_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
default_hooks = dict(checkpoint=dict(save_best='mean/PQ'))
