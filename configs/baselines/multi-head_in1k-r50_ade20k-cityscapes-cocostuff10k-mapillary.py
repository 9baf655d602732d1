# Everything of LMSeg but language: one linear layer per dataset. Restricted to a dataset it is MaskFormer.
_base_ = ['../lmseg/lmseg_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py', '../_base_/models/without_language.py']

model = dict(decode_head=_base_.maskformer_head)
