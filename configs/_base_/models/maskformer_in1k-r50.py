# MaskFormer with an image encoder trained on ImageNet, see maskformer.py.
_base_ = './lmseg_in1k-r50.py'

model = dict(
    decode_head=dict(
        text=None, decoder=dict(type='mmlmseg.PlainDecoder'), classifier=dict(type='mmlmseg.LinearClassifier')
    )
)
