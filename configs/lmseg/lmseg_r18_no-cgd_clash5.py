# Without category-guided decoding.
_base_ = './lmseg_r18_clash5.py'

model = dict(decode_head=dict(decoder=dict(type='mmlmseg.PlainDecoder')))
