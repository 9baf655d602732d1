# Without dataset-aware augmentation: all datasets have the pipeline of the third one, msrc_v2.
_base_ = './lmseg_r18_clash5.py'

datasets = _base_.train_dataloader.dataset.datasets
train_dataloader = dict(dataset=dict(datasets=[dict(dataset, pipeline=datasets[2].pipeline) for dataset in datasets]))
del datasets
