_base_ = '../default_hooks.py'

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='mmlmseg.MergedGroupsConstructor',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0, norm_type=2),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'decode_head.queries': dict(decay_mult=0.0)}),
)
max_iters = 4500
param_scheduler = dict(type='PolyLR', power=0.9, eta_min=0.0, end=max_iters, by_epoch=False)
train_cfg = dict(type='mmlmseg.ResumableTrainLoop', max_iters=max_iters, val_interval=1500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=500))
auto_scale_lr = dict(base_batch_size=8)  # what the learning rate is for
randomness = dict(seed=0)
