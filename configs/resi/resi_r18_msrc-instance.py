# RESI for the objects of one dataset: the only one of the three that has some.
_base_ = './resi_r18_clash3-panoptic.py'

model = dict(
    decode_head=dict(things_only=True),
    test_cfg=dict(_delete_=True, tasks=['instance'], panoptic=dict(pixel=0.5)),  # things do not fill an image
)
train_dataloader = dict(dataset=dict(datasets=_base_.train_dataloader.dataset.datasets[2:]))
val_dataloader = dict(dataset=dict(datasets=_base_.val_dataloader.dataset.datasets[2:]))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=[dict(type='mmlmseg.InstanceAP')])
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='mean/AP'))
