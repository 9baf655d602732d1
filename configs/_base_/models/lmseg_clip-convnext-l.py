# LMSeg over the image tower of FC-CLIP, open_clip's ConvNeXt-L at 320 pixels: frozen, as the text tower beside it.
_base_ = './lmseg.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlmseg.OpenClipVision',
        model='convnext_large_d_320',
        pretrained='laion2b_s29b_b131k_ft_soup',  # or a local file
        frozen=True,
    ),
    decode_head=dict(
        in_channels=[192, 384, 768, 1536],
        text=dict(encoder=dict(model='convnext_large_d_320', pretrained='laion2b_s29b_b131k_ft_soup')),
    ),
)
