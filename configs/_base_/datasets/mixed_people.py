# Garments, faces and bodies, and whole people at once (tools/benchmarks/mixed_people.yml, which says how the halves are
# made).
_base_ = ['./folders.py', './msrc_things.py']

halves = '{{$MMLMSEG_HALVES:work_dirs/halves}}'
folders = [f'{halves}/{name}/{half}' for name in ('ccp', 'msrc_v2') for half in ('fine', 'coarse')]
names = ['ccp_fine', 'ccp_coarse', 'msrc_v2_fine', 'msrc_v2_coarse']
things = [[], [], _base_.msrc_things, []]


def panoptic_set(folder, own, split, pipeline):
    panoptic = [_base_.panoptic_steps.get(step['type'], step) for step in pipeline]
    return dict(type='mmlmseg.FolderDataset', data_root=folder, things=own, split=split, pipeline=panoptic)


def train_set(folder, own, side):
    scaling = dict(type='RandomResize', scale=(side, side), ratio_range=(0.6, 1.5), keep_ratio=True)
    return panoptic_set(folder, own, 'train', [*_base_.loading, scaling, *_base_.augmenting])


def mixed_set(*places):
    own = [dict(data_root=folders[i], things=things[i]) for i in places]
    return dict(type='mmlmseg.MultiSpaceFolderDataset', folders=own, split='val', pipeline=_base_.mixed_pipeline)


train_sets = [train_set(*one) for one in zip(folders, things, (352, 352, 320, 320))]
val_sets = [panoptic_set(*one, 'val', _base_.test_pipeline) for one in zip(folders, things)]
mixed_sets = [mixed_set(0, 1), mixed_set(2, 3)]
train_dataloader = dict(dataset=dict(names=names, datasets=train_sets))
val_dataloader = dict(dataset=dict(names=[*names, 'garments', 'people'], datasets=[*val_sets, *mixed_sets]))
test_dataloader = val_dataloader
val_evaluator = dict(
    metrics=_base_.panoptic_metrics,
    per_dataset=dict(garments=_base_.mixed_metrics, people=[*_base_.mixed_metrics, dict(type='mmlmseg.InstanceAP')]),
)
test_evaluator = val_evaluator
results = _base_.panoptic_results  # what a model makes, its test_cfg
best = 'people/PIQ'  # of checkpoints: not all of the evaluated datasets have a PQ
