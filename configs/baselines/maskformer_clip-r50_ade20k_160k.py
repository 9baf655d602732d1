# Table 1: four such models cost 640k iterations.
_base_ = [
    '../_base_/models/maskformer.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/adamw_poly_160k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(label_spaces=_base_.label_spaces))
