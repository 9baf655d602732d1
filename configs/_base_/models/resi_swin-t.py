# RESI over Swin-T, as Mask2Former has it.
_base_ = './resi_in1k-r50.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlmseg.TimmBackbone',
        model='swin_tiny_patch4_window7_224',
        pretrained='ms_in1k',  # or a local file
        drop_path=0.3,
    ),
    decode_head=dict(in_channels=[96, 192, 384, 768]),
)
