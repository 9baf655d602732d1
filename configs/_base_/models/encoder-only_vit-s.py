# The encoder-only row, small: a ViT-S/16 whose last three blocks take the queries, read by LMSeg's text classifier.
# Without `pretrained`, a local file of weights or a tag of timm, it learns from scratch.
model = dict(
    type='mmlmseg.MultiSpaceSegmentor',
    data_preprocessor=dict(
        type='mmlmseg.GroupingDataPreProcessor',
        mean=[123.675, 116.28, 103.53],  # ImageNet's, in RGB, as DINOv3's
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=16,
    ),
    backbone=dict(type='mmlmseg.JointViT', model='vit_small_patch16_dinov3', pretrained=None, joint_blocks=3),
    decode_head=dict(
        type='mmlmseg.EncoderOnlyHead',
        channels=384,
        mask_channels=128,  # a sixth of the products of the upscaling
        queries=dict(type='mmlmseg.SharedQueries', num_queries=30),
        decoder=dict(type='mmlmseg.JointBlocks'),
        text=dict(type='mmlmseg.TextTable', encoder=dict(type='mmlmseg.TextBankEncoder')),
        classifier=dict(type='mmlmseg.TextClassifier'),
        criterion=dict(type='mmlmseg.PointCriterion', num_points=2048),
    ),
    precision='auto',
    train_cfg=dict(),
    test_cfg=dict(),
)
