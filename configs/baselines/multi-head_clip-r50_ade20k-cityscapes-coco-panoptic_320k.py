# Table 3: everything shared but the classifier, one linear layer per dataset.
_base_ = [
    '../_base_/models/maskformer_panoptic.py',
    '../_base_/datasets/ade20k_cityscapes_coco_panoptic.py',
    '../_base_/schedules/adamw_poly_320k_panoptic.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(label_spaces=_base_.label_spaces),
    # as published for MaskFormer on each dataset
    test_cfg=dict(panoptic=dict(per_space=dict(ade20k_panoptic=dict(object=0.7)))),
)
