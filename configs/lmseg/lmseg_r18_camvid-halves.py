# Do fine classes reach images that are labelled coarsely? (tools/benchmarks/transfer.yml)
_base_ = [
    '../_base_/models/lmseg_r18.py',
    '../_base_/datasets/camvid_halves.py',
    '../_base_/schedules/adamw_poly_4500.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(label_spaces=_base_.folders))
