# The objects of msrc_v2, as in clash3; its other two folders have none.
_base_ = './clash3_panoptic.py'

label_spaces = _base_.label_spaces[2:]
train_dataloader = dict(dataset=dict(datasets=_base_.train_dataloader.dataset.datasets[2:]))
val_dataloader = dict(dataset=dict(datasets=_base_.val_dataloader.dataset.datasets[2:]))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=[dict(type='mmlmseg.InstanceAP')])
test_evaluator = val_evaluator
results = dict(_delete_=True, tasks=['instance'], panoptic=dict(pixel=0.5))  # things do not fill an image
best = 'mean/AP'
