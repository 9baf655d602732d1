# MaskFormer for panoptic segmentation, see maskformer.py.
_base_ = './lmseg_panoptic.py'

model = dict(
    decode_head=dict(
        text=None, decoder=dict(type='mmlmseg.PlainDecoder'), classifier=dict(type='mmlmseg.LinearClassifier')
    )
)
