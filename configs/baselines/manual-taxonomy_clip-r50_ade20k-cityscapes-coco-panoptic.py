# One linear layer over a united list of classes, those of one name being one.
_base_ = './multi-head_clip-r50_ade20k-cityscapes-coco-panoptic.py'

model = dict(decode_head=dict(classifier=dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')))
