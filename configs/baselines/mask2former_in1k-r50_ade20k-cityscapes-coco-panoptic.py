# Mask2Former with a linear classifier per dataset; restricted to a dataset it is the single-dataset model.
_base_ = ['../resi/resi_in1k-r50_ade20k-cityscapes-coco-panoptic.py', '../_base_/models/without_language.py']

model = dict(decode_head=_base_.mask2former_head)
