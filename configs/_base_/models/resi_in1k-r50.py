# RESI as we read it (docs/resi.md): Mask2Former with queries of each label space's own, and class names read as text.
_base_ = './lmseg_in1k-r50.py'

model = dict(
    decode_head=dict(
        pixel_decoder=dict(
            _delete_=True,
            type='mmdet.MSDeformAttnPixelDecoder',
            norm_cfg=dict(type='GN', num_groups=32),
            act_cfg=dict(type='ReLU'),
            encoder=dict(
                num_layers=6,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=256, num_heads=8, num_levels=3, num_points=4, dropout=0.0, batch_first=True
                    ),
                    ffn_cfg=dict(
                        embed_dims=256,
                        feedforward_channels=1024,
                        num_fcs=2,
                        ffn_drop=0.0,
                        act_cfg=dict(type='ReLU', inplace=True),
                    ),
                ),
            ),
            positional_encoding=dict(num_feats=128, normalize=True),
        ),
        queries=dict(type='mmlmseg.LabelSpaceQueries'),
        decoder=dict(type='mmlmseg.MaskedAttentionDecoder', num_layers=9, dropout=0.0),
        criterion=dict(_delete_=True, type='mmlmseg.PointCriterion'),
    ),
    test_cfg=dict(panoptic=dict(object=0.8, overlap=0.8, pixel=0.5)),
)
