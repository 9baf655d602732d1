# RGB streets and land cover of four bands train one model: a first convolution for each, all else shared.
_base_ = [
    '../_base_/models/lmseg_r18.py',
    '../_base_/datasets/folders.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
# data/streets/images/NAME.jpg: photos, as any. data/land_cover/images/NAME.tif: red, green, blue and near infrared in
# 16 bits, reflectances times 10000 of which 3000 and more is white. TIFF needs rasterio: pip install "mmlmseg[geo]".
streets = dict(type='mmlmseg.FolderDataset', data_root='data/streets')
land_cover = dict(type='mmlmseg.FolderDataset', data_root='data/land_cover', image=dict(bands=4, scale=3000))
scale_streets = dict(type='RandomResize', scale=(1024, 512), ratio_range=(0.5, 2.0), keep_ratio=True)
scale_land_cover = dict(type='RandomResize', scale=(256, 256), ratio_range=(0.8, 1.25), keep_ratio=True)

# A batch may hold images of both kinds, so the norms of the backbone must not depend on what else is in it.
model = dict(backbone=dict(norm_cfg=dict(_delete_=True, type='GN', num_groups=32)))
train = [
    dict(streets, split='train', pipeline=[*_base_.loading, scale_streets, *_base_.augmenting]),
    dict(land_cover, split='train', pipeline=[*_base_.loading, scale_land_cover, *_base_.augmenting]),
]
val = [dict(dataset, split='val', pipeline=_base_.test_pipeline) for dataset in (streets, land_cover)]
train_dataloader = dict(dataset=dict(datasets=train))
val_dataloader = dict(dataset=dict(datasets=val))
test_dataloader = val_dataloader
