# A query may be several classes at once, or none: sigmoid in place of softmax.
_base_ = './resi_r18_clash5.py'

model = dict(decode_head=dict(class_activation='sigmoid'))
