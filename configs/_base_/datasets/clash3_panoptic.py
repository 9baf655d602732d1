# msrc_v2 with its objects, camvid11 and labelmefacade as sets of stuff only: each of their classes is one segment.
_base_ = ['./clash5.py', './msrc_things.py']


def panoptic(dataset):
    things = dict(things=_base_.msrc_things) if dataset.data_root.endswith('msrc_v2') else {}
    return dict(dataset, pipeline=[_base_.panoptic_steps.get(step.type, step) for step in dataset.pipeline], **things)


train_dataloader = dict(dataset=dict(datasets=[panoptic(d) for d in _base_.train_dataloader.dataset.datasets[:3]]))
val_dataloader = dict(dataset=dict(datasets=[panoptic(d) for d in _base_.val_dataloader.dataset.datasets[:3]]))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='mmlmseg.MultiDatasetEvaluator',
    metrics=_base_.panoptic_metrics,
)
test_evaluator = val_evaluator
results = _base_.panoptic_results  # what a model makes, its test_cfg
best = 'mean/PQ'  # of checkpoints
