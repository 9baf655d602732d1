# MaskFormer for Cityscapes panoptic alone; three such models cost 960k iterations.
_base_ = [
    '../_base_/models/maskformer_panoptic.py',
    '../_base_/datasets/cityscapes_panoptic.py',
    '../_base_/schedules/adamw_poly_320k_panoptic.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(label_spaces=_base_.label_spaces),
)
