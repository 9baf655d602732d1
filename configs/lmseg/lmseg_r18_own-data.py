# One model for your own datasets. Their classes need not agree: each is trained, evaluated and asked in its own.
_base_ = [
    '../_base_/models/lmseg_r18.py',
    '../_base_/datasets/folders.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
# A folder holds images/, labels/, train.txt, val.txt and classes.json, which names its classes. Instead of a folder any
# dataset of mmsegmentation will do, for example dict(type='CityscapesDataset', data_root=..., data_prefix=...).
streets = dict(type='mmlmseg.FolderDataset', data_root='data/streets')
shop = dict(type='mmlmseg.FolderDataset', data_root='data/shop')
scale_streets = dict(type='RandomResize', scale=(1024, 512), ratio_range=(0.5, 2.0), keep_ratio=True)
scale_shop = dict(type='RandomResize', scale=(384, 384), ratio_range=(0.8, 1.25), keep_ratio=True)

train = [
    dict(streets, split='train', pipeline=[*_base_.loading, scale_streets, *_base_.augmenting]),
    dict(shop, split='train', pipeline=[*_base_.loading, scale_shop, *_base_.augmenting]),
]
val = [dict(dataset, split='val', pipeline=_base_.test_pipeline) for dataset in (streets, shop)]
train_dataloader = dict(dataset=dict(datasets=train))
val_dataloader = dict(dataset=dict(datasets=val))
test_dataloader = val_dataloader
