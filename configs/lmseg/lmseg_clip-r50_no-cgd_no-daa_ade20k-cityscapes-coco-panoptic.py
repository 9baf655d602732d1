# Neither category-guided decoding nor dataset-aware augmentation.
_base_ = './lmseg_clip-r50_no-daa_ade20k-cityscapes-coco-panoptic.py'

model = dict(decode_head=dict(decoder=dict(type='mmlmseg.PlainDecoder')))
