# LMSeg as in the paper. Its label spaces are those of the datasets that it is trained on.
model = dict(
    type='mmlmseg.MultiSpaceSegmentor',
    data_preprocessor=dict(
        type='mmlmseg.GroupingDataPreProcessor',
        mean=[122.7709383, 116.7460125, 104.09373615],  # CLIP's, in RGB
        std=[68.5005327, 66.6321579, 70.32316305],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='mmlmseg.CLIPResNet', model='RN50-quickgelu', pretrained='openai'),
    decode_head=dict(
        type='mmlmseg.QueryHead',
        in_channels=[256, 512, 1024, 2048],
        channels=256,
        pixel_decoder=dict(type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=32)),
        queries=dict(type='mmlmseg.SharedQueries', num_queries=100),
        decoder=dict(
            type='mmlmseg.CategoryGuidedDecoder',
            num_layers=6,
            num_heads=8,
            ffn_channels=2048,
            dropout=0.1,
        ),
        text=dict(
            type='mmlmseg.TextTable',
            encoder=dict(type='mmlmseg.OpenClipText', model='RN50-quickgelu', pretrained='openai'),
        ),
        classifier=dict(type='mmlmseg.TextClassifier'),
        criterion=dict(
            type='mmlmseg.SetCriterion', class_weight=1.0, focal_weight=20.0, dice_weight=1.0, no_object_weight=0.1
        ),
    ),
    precision='auto',  # bfloat16 where the machine has it
    train_cfg=dict(),
    test_cfg=dict(),
)
