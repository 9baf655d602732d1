# Parts of facades and whole buildings at once, beside labelmefacade (tools/benchmarks/mixed_facades.yml, which says
# how the halves are made).
_base_ = './folders.py'

halves = '{{$MMLMSEG_HALVES:work_dirs/halves}}/paris_artdeco'
folders = [f'{halves}/fine', f'{halves}/coarse', '{{$MMLMSEG_DATA:data}}/labelmefacade']
names = ['artdeco_fine', 'artdeco_coarse', 'labelmefacade']


def train_set(folder, side):
    scaling = dict(type='RandomResize', scale=(side, side), ratio_range=(0.6, 1.5), keep_ratio=True)
    pipeline = [*_base_.loading, scaling, *_base_.augmenting]
    return dict(type='mmlmseg.FolderDataset', data_root=folder, split='train', pipeline=pipeline)


def val_set(folder):
    return dict(type='mmlmseg.FolderDataset', data_root=folder, split='val', pipeline=_base_.test_pipeline)


facades = dict(
    type='mmlmseg.MultiSpaceFolderDataset',
    folders=[dict(data_root=folder) for folder in folders[:2]],
    split='val',
    pipeline=_base_.mixed_pipeline,
)
train_dataloader = dict(
    dataset=dict(names=names, datasets=[train_set(*pair) for pair in zip(folders, (352, 352, 336))])
)
val_dataloader = dict(dataset=dict(names=[*names, 'facades'], datasets=[*map(val_set, folders), facades]))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=_base_.panoptic_metrics, per_dataset=dict(facades=_base_.mixed_metrics))
test_evaluator = val_evaluator
results = _base_.panoptic_results  # what a model makes, its test_cfg
best = 'facades/PIQ'  # of checkpoints: not all of the evaluated datasets have a PQ
