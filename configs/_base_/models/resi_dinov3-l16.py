# RESI over DINOv3's ViT-L/16, a plain vision transformer, whose last map becomes a pyramid.
_base_ = './resi_in1k-r50.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlmseg.TimmBackbone',
        model='vit_large_patch16_dinov3',
        pretrained='lvd1689m',  # or a local file; DINOv3's licence
        drop_path=0.3,
    ),
    neck=dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=1024, out_channels=256),
    decode_head=dict(in_channels=[256] * 4),
)
