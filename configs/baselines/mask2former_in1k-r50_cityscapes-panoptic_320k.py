# Mask2Former for one panoptic dataset.
_base_ = [
    '../_base_/models/mask2former_in1k-r50.py',
    '../_base_/datasets/cityscapes_panoptic.py',
    '../_base_/schedules/adamw_poly_320k_panoptic.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(label_spaces=_base_.label_spaces),
    test_cfg=dict(tasks=['panoptic']),
)
optim_wrapper = dict(optimizer=dict(weight_decay=0.05))
