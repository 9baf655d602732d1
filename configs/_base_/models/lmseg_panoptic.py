# LMSeg for panoptic segmentation: a transformer encoder in the pixel decoder, as MaskFormer has for it.
_base_ = './lmseg.py'

model = dict(
    decode_head=dict(
        pixel_decoder=dict(
            type='mmdet.TransformerEncoderPixelDecoder',
            encoder=dict(
                num_layers=6,
                layer_cfg=dict(
                    self_attn_cfg=dict(embed_dims=256, num_heads=8, dropout=0.1, batch_first=True),
                    ffn_cfg=dict(
                        embed_dims=256,
                        feedforward_channels=2048,
                        num_fcs=2,
                        ffn_drop=0.1,
                        act_cfg=dict(type='ReLU', inplace=True),
                    ),
                ),
            ),
            positional_encoding=dict(num_feats=128, normalize=True),
        )
    ),
    test_cfg=dict(tasks=['panoptic'], panoptic=dict(object=0.8, overlap=0.8)),
)
