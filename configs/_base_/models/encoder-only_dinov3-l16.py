# The encoder-only row at EoMT's recipe: DINOv3's ViT-L/16, whose last four blocks take 200 queries.
_base_ = './encoder-only_vit-s.py'

model = dict(
    backbone=dict(
        model='vit_large_patch16_dinov3',
        pretrained='lvd1689m',  # or a local file; DINOv3's licence
        joint_blocks=4,
    ),
    decode_head=dict(
        channels=1024,
        mask_channels=1024,
        queries=dict(num_queries=200),
        text=dict(
            encoder=dict(_delete_=True, type='mmlmseg.OpenClipText', model='RN50-quickgelu', pretrained='openai')
        ),
        criterion=dict(num_points=12544),
    ),
    test_cfg=dict(tasks=['panoptic'], panoptic=dict(object=0.8, overlap=0.8)),
)
