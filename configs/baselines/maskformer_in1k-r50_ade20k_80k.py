_base_ = './maskformer_in1k-r50_ade20k_160k.py'

max_iters = 80_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
