# COCO panoptic alone, as in the joint config.
_base_ = './ade20k_cityscapes_coco_panoptic.py'

label_spaces = _base_.label_spaces[2:]
train_dataloader = dict(dataset=dict(names=['coco'], datasets=_base_.train_dataloader.dataset.datasets[2:]))
val_dataloader = dict(dataset=dict(names=['coco'], datasets=_base_.val_dataloader.dataset.datasets[2:]))
test_dataloader = val_dataloader
