# One model for your own datasets. Their classes need not agree: each keeps its own, and is trained, evaluated and asked in them.
_base_ = [
    '../_base_/models/lmseg_r18.py',
    '../_base_/datasets/folders.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
# A folder with images/, labels/, train.txt, val.txt and classes.json (the names of its classes) ...
shop = dict(type='mmlmseg.FolderDataset', data_root='data/shop')
# ... and a dataset that mmsegmentation knows.
streets = dict(type='CityscapesDataset', data_root='data/cityscapes')
streets_train = dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train')
streets_val = dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val')

resize_shop = dict(type='RandomResize', scale=(512, 512), ratio_range=(0.5, 2.0), keep_ratio=True)
resize_streets = dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.25, 1.0), keep_ratio=True)
