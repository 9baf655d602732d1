# Table 2: everything shared but the classifier, one linear layer per dataset.
_base_ = [
    '../_base_/models/maskformer.py',
    '../_base_/datasets/ade20k_cityscapes_cocostuff10k_mapillary.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(label_spaces=_base_.label_spaces))
