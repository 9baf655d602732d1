# Drawn scenes in five label spaces at once (tools/benchmarks/mixed_scenes.yml). First:
#     python tools/benchmarks/draw_scenes.py
_base_ = './folders.py'

names = ['street', 'facade', 'wardrobe', 'coarse', 'objects']
folders = [f'{{$MMLMSEG_HALVES:work_dirs/halves}}/scenes/{name}' for name in names]
# One name may mean different things here, by design: a building with or without its windows.
results = dict(**_base_.panoptic_results, mixed=dict(duplicate_iou=None))
crop_size = (128, 160)  # that of the scenes
loading = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments')]
train_pipeline = [
    *loading,
    dict(type='RandomResize', scale=crop_size[::-1], ratio_range=(0.9, 1.4), keep_ratio=True),
    dict(type='mmlmseg.RandomCrop', crop_size=crop_size),
    dict(type='mmlmseg.RandomFlip', prob=0.5),
    dict(type='Pad', size=crop_size[::-1], pad_val=dict(img=128, seg=255)),
    dict(type='mmlmseg.PackSegments'),
]
test_pipeline = [*loading, dict(type='mmlmseg.PackSegments')]


def scenes(split, pipeline):
    return [dict(type='mmlmseg.FolderDataset', data_root=f, split=split, pipeline=pipeline) for f in folders]


mixed = dict(
    type='mmlmseg.MultiSpaceFolderDataset',
    folders=[dict(data_root=folder) for folder in folders],
    split='val',
    pipeline=_base_.mixed_pipeline,
)
train_dataloader = dict(dataset=dict(names=names, datasets=scenes('train', train_pipeline)))
val_dataloader = dict(dataset=dict(names=[*names, 'scenes'], datasets=[*scenes('val', test_pipeline), mixed]))
test_dataloader = val_dataloader
val_evaluator = dict(
    metrics=_base_.panoptic_metrics,
    per_dataset=dict(scenes=[*_base_.mixed_metrics, dict(type='mmlmseg.InstanceAP')]),
)
test_evaluator = val_evaluator
best = 'scenes/PIQ'  # of checkpoints: not all of the evaluated datasets have a PQ
