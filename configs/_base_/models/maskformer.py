# MaskFormer: LMSeg without language. One linear classifier per label space: with several it is the multi-head baseline.
_base_ = './lmseg.py'

model = dict(
    decode_head=dict(
        text=None, decoder=dict(type='mmlmseg.PlainDecoder'), classifier=dict(type='mmlmseg.LinearClassifier')
    )
)
