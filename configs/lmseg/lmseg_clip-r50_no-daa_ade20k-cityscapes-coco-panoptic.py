# Without dataset-aware augmentation: all datasets have the pipeline of the first one, ADE20K.
_base_ = './lmseg_clip-r50_ade20k-cityscapes-coco-panoptic.py'

datasets = _base_.train_dataloader.dataset.datasets
train_dataloader = dict(dataset=dict(datasets=[dict(dataset, pipeline=datasets[0].pipeline) for dataset in datasets]))
del datasets
