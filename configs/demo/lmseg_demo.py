# The demo's LMSeg: three folders of small pictures whose label spaces clash, a few minutes on two CPU cores.
# `tools/demo.py` draws the folders (or takes yours) and puts their paths here.
_base_ = [
    '../_base_/models/lmseg_r18.py',
    '../_base_/datasets/folders.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
folders = [f'work_dirs/demo/data/{name}' for name in ('street', 'facade', 'wardrobe')]
image_scale = (160, 128)  # width, height: pictures are scaled to fit in here
crop_size = (128, 160)

train_pipeline = [
    *_base_.loading,
    dict(type='RandomResize', scale=image_scale, ratio_range=(0.9, 1.4), keep_ratio=True),
    dict(type='mmlmseg.RandomCrop', crop_size=crop_size),
    dict(type='mmlmseg.RandomFlip', prob=0.5),
    dict(type='Pad', size=crop_size[::-1], pad_val=dict(img=128, seg=255)),
    dict(type='mmlmseg.PackSegments'),
]
test_pipeline = [  # labels are loaded after resizing: predictions are compared at the size of the original
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale, keep_ratio=True),
    dict(type='mmlmseg.LoadAnnotations'),
    dict(type='mmlmseg.PackSegments'),
]
train_sets = [dict(type='mmlmseg.FolderDataset', data_root=f, split='train', pipeline=train_pipeline) for f in folders]
val_sets = [dict(type='mmlmseg.FolderDataset', data_root=f, split='val', pipeline=test_pipeline) for f in folders]
train_dataloader = dict(num_workers=1, dataset=dict(datasets=train_sets))
val_dataloader = dict(batch_size=8, num_workers=0, persistent_workers=False, dataset=dict(datasets=val_sets))
test_dataloader = val_dataloader

model = dict(
    backbone=dict(base_channels=32),
    decode_head=dict(
        in_channels=[32, 64, 128, 256],
        channels=96,
        queries=dict(num_queries=24),
        decoder=dict(num_layers=3, num_heads=4, ffn_channels=256, dropout=0.0),
        criterion=dict(focal_weight=20.0),
    ),
)

max_iters = 800
optim_wrapper = dict(optimizer=dict(lr=6e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=50, by_epoch=False),
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)  # evaluated once, at the end
default_hooks = dict(checkpoint=dict(interval=max_iters, save_best=None, save_optimizer=False))
