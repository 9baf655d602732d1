# CamVid's fine and coarse classes at once (tools/benchmarks/mixed_streets.yml), on the halves of camvid_halves.py.
_base_ = './camvid_halves.py'

streets = dict(
    type='mmlmseg.MultiSpaceFolderDataset',
    folders=[dict(data_root=folder) for folder in _base_.folders],
    split='val',
    pipeline=_base_.mixed_pipeline,
)
both_spaces = _base_.val_dataloader.dataset.datasets[:2]
val_dataloader = dict(dataset=dict(names=['camvid_fine', 'camvid_coarse', 'streets'], datasets=[*both_spaces, streets]))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=_base_.panoptic_metrics, per_dataset=dict(streets=_base_.mixed_metrics))
test_evaluator = val_evaluator
results = _base_.panoptic_results  # what a model makes, its test_cfg
best = 'streets/PIQ'  # of checkpoints: not all of the evaluated datasets have a PQ
