# Everything shared but the classifier: one linear layer per dataset.
_base_ = [
    '../_base_/models/maskformer_r18.py',
    '../_base_/datasets/clash5.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=250))
