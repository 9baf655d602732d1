# msrc_v2 with its objects, camvid11 and labelmefacade as sets of stuff only: each of their classes is one segment.
_base_ = './clash5.py'

msrc_things = [
    'cow', 'horse', 'sheep', 'aeroplane', 'face', 'car', 'bicycle', 'flower',
    'sign', 'bird', 'book', 'chair', 'cat', 'dog', 'body', 'boat',
]  # fmt: skip
label_spaces = [*_base_.folders[:2], dict(path=_base_.folders[2], things=msrc_things)]


def panoptic(dataset):
    swap = dict(
        LoadAnnotations=dict(type='mmlmseg.LoadPanopticAnnotations'),
        PackSegInputs=dict(type='mmlmseg.PackPanopticInputs'),
    )
    things = dict(things=msrc_things) if dataset.data_root.endswith('msrc_v2') else {}
    return dict(dataset, pipeline=[swap.get(step.type, step) for step in dataset.pipeline], **things)


train_dataloader = dict(dataset=dict(datasets=[panoptic(d) for d in _base_.train_dataloader.dataset.datasets[:3]]))
val_dataloader = dict(dataset=dict(datasets=[panoptic(d) for d in _base_.val_dataloader.dataset.datasets[:3]]))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='mmlmseg.MultiDatasetEvaluator',
    metrics=[dict(type='mmlmseg.PanopticQuality'), dict(type='mmlmseg.SemanticIoU')],
)
test_evaluator = val_evaluator
