# A small LMSeg that learns from scratch on a CPU: its text rows come from the sentence bank that mmlmseg ships.
_base_ = './lmseg.py'

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
    ),
    decode_head=dict(
        in_channels=[64, 128, 256, 512],
        channels=128,
        queries=dict(num_queries=30),
        decoder=dict(num_layers=3, ffn_channels=512),
        text=dict(encoder=dict(_delete_=True, type='mmlmseg.TextBankEncoder')),
    ),
)
