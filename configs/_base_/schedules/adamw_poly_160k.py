_base_ = '../default_hooks.py'

max_iters = 160_000
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='mmlmseg.MergedGroupsConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.01, norm_type=2),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'decode_head.queries': dict(decay_mult=0.0),
            'decode_head.decoder.level': dict(decay_mult=0.0),  # embeddings of a masked-attention decoder
        },
    ),
)
param_scheduler = dict(type='PolyLR', power=0.9, eta_min=0.0, end=max_iters, by_epoch=False)
train_cfg = dict(type='mmlmseg.ResumableTrainLoop', max_iters=max_iters, val_interval=10_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=5000))
auto_scale_lr = dict(enable=False, base_batch_size=16)  # 8 GPUs with 2 images each
