# Folders of small images: the steps that most pipelines share; the configs that inherit this file list the datasets.
_base_ = './loaders.py'

crop_size = (192, 256)  # one for all, so that a batch is one group and batch norm may be trained
loading = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations')]
augmenting = [
    dict(type='mmlmseg.RandomCrop', crop_size=crop_size),
    dict(type='mmlmseg.RandomFlip', prob=0.5),
    dict(type='mmlmseg.PhotoMetricDistortion'),
    dict(type='Pad', size=crop_size[::-1], pad_val=dict(img=128, seg=255)),
    dict(type='mmlmseg.PackSegments'),
]
test_pipeline = [*loading, dict(type='mmlmseg.PackSegments')]
panoptic_steps = {'mmlmseg.LoadAnnotations': dict(type='mmlmseg.LoadSegments')}  # where things are told apart
mixed_pipeline = [loading[0], dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')]

train_dataloader = dict(batch_size=8, num_workers=2)
val_dataloader = dict(batch_size=4, num_workers=2)
test_dataloader = val_dataloader
panoptic_metrics = [dict(type='mmlmseg.PanopticQuality'), dict(type='mmlmseg.SemanticIoU')]
mixed_metrics = [dict(type='mmlmseg.PanopticInstanceQuality')]  # of label spaces without things; else with AP
panoptic_results = dict(tasks=['semantic', 'panoptic'], panoptic=dict(object=0.5, overlap=0.8))  # for short trainings

tta_model = dict(type='mmlmseg.MultiSpaceTTA')
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=factor, keep_ratio=True) for factor in (0.75, 1.0, 1.25)],
            [dict(type='mmlmseg.RandomFlip', prob=0.0), dict(type='mmlmseg.RandomFlip', prob=1.0)],
            [dict(type='mmlmseg.LoadAnnotations')],
            [dict(type='mmlmseg.PackSegments')],
        ],
    ),
]
