# Mapillary Vistas alone, as in the joint config.
_base_ = './ade20k_cityscapes_cocostuff10k_mapillary.py'

label_spaces = _base_.label_spaces[3:]
train_dataloader = dict(dataset=dict(names=['mapillary'], datasets=_base_.train_dataloader.dataset.datasets[3:]))
val_dataloader = dict(dataset=dict(names=['mapillary'], datasets=_base_.val_dataloader.dataset.datasets[3:]))
test_dataloader = val_dataloader
