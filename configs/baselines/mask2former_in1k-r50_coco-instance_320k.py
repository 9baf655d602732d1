# Mask2Former for the things of one panoptic dataset.
_base_ = './mask2former_in1k-r50_coco-panoptic_320k.py'

model = dict(decode_head=dict(things_only=True), test_cfg=dict(tasks=['instance']))
val_evaluator = dict(metrics=dict(type='mmlmseg.InstanceAP'))
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='mean/AP'))
