# Five folders whose taxonomies clash, each with the long side of its images.
data_root = '{{$MMLMSEG_DATA:data}}'
long_side = dict(camvid11=384, labelmefacade=336, msrc_v2=320, paris_artdeco=352, ccp=352)
folders = [f'{data_root}/{name}' for name in long_side]
crop_size = (192, 256)
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmlmseg.MixedSampler'),
    dataset=dict(
        type='mmlmseg.MultiDataset',
        datasets=[
            dict(
                type='mmlmseg.FolderDataset',
                data_root=folder,
                split='train',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadAnnotations'),
                    dict(type='RandomResize', scale=(side, side), ratio_range=(0.6, 1.5), keep_ratio=True),
                    dict(type='RandomCrop', crop_size=crop_size),
                    dict(type='RandomFlip', prob=0.5),
                    dict(type='PhotoMetricDistortion'),
                    dict(type='Pad', size=crop_size[::-1], pad_val=dict(img=128, seg=255)),
                    dict(type='PackSegInputs'),
                ],
            )
            for folder, side in zip(folders, long_side.values())
        ],
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='mmlmseg.MultiDataset',
        datasets=[
            dict(type='mmlmseg.FolderDataset', data_root=folder, split='val', pipeline=test_pipeline)
            for folder in folders
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU'))
test_evaluator = val_evaluator
