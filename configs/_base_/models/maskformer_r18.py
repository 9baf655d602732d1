# The small MaskFormer.
_base_ = ['./lmseg_r18.py', './without_language.py']

model = dict(decode_head=_base_.maskformer_head)
