# Neither category-guided decoding nor dataset-aware augmentation, with an image encoder from ImageNet.
_base_ = './lmseg_in1k-r50_ade20k-cityscapes-cocostuff10k-mapillary.py'

model = dict(decode_head=dict(decoder=dict(type='mmlmseg.PlainDecoder')))
datasets = _base_.train_dataloader.dataset.datasets
train_dataloader = dict(dataset=dict(datasets=[dict(dataset, pipeline=datasets[0].pipeline) for dataset in datasets]))
del datasets
