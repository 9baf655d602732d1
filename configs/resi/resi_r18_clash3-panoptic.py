# RESI, panoptic, on three folders whose taxonomies clash: objects of msrc_v2, stuff of all three.
_base_ = [
    '../_base_/models/resi_r18.py',
    '../_base_/datasets/clash3_panoptic.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(label_spaces=_base_.label_spaces),
    test_cfg=dict(tasks=['semantic', 'panoptic'], panoptic=dict(object=0.5, overlap=0.8)),
)
default_hooks = dict(checkpoint=dict(interval=250, save_best='mean/PQ'))
