# The small LMSeg over DINOv3's ViT-S/16, a plain vision transformer, whose last map becomes a pyramid.
_base_ = './lmseg_r18.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlmseg.TimmBackbone',
        model='vit_small_patch16_dinov3',
        pretrained=None,  # a local file, or the tag 'lvd1689m' (DINOv3's licence): else it learns from scratch
        drop_path=0.1,
    ),
    neck=dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=384, out_channels=128),
    decode_head=dict(in_channels=[128] * 4),
)
