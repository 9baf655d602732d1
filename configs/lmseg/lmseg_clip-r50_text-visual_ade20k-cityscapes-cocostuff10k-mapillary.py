# Queries look at the text before they look at the image.
_base_ = './lmseg_clip-r50_ade20k-cityscapes-cocostuff10k-mapillary.py'

model = dict(decode_head=dict(decoder=dict(order='text-visual')))
