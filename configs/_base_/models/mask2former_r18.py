# The small Mask2Former.
_base_ = ['./resi_r18.py', './without_language.py']

model = dict(decode_head=_base_.mask2former_head)
