# RESI for the things of the three panoptic datasets.
_base_ = './resi_in1k-r50_ade20k-cityscapes-coco-panoptic.py'

model = dict(decode_head=dict(things_only=True), test_cfg=dict(tasks=['instance']))
val_evaluator = dict(metrics=dict(type='mmlmseg.InstanceAP'))
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='mean/AP'))
