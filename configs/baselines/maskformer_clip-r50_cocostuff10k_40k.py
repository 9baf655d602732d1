_base_ = './maskformer_clip-r50_cocostuff10k_160k.py'

max_iters = 40_000
train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
