# RESI over a large plain vision transformer, whose layers learn the slower the deeper they lie.
_base_ = [
    '../_base_/models/resi_dinov3-l16.py',
    '../_base_/datasets/ade20k_cityscapes_cocostuff10k_mapillary.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
no_decay = ('cls_token', 'reg_token', 'decode_head.queries', 'decode_head.decoder.level')
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(
        layer_decay=0.8,
        flat_decay_mult=0.0,
        custom_keys=dict(_delete_=True, **{name: dict(decay_mult=0.0) for name in no_decay}),
    ),
)
