# The small LMSeg without language, see maskformer.py.
_base_ = './lmseg_r18.py'

model = dict(
    decode_head=dict(
        text=None, decoder=dict(type='mmlmseg.PlainDecoder'), classifier=dict(type='mmlmseg.LinearClassifier')
    )
)
