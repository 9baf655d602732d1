# Loaders and evaluation, as for large images; the configs that inherit this file list the datasets.
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmlmseg.PerImageSampler'),
    dataset=dict(type='mmlmseg.MultiDataset'),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(type='mmlmseg.MultiDataset'),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU'))
test_evaluator = val_evaluator
