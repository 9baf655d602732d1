# One dataset per step, drawn at random, in place of one per image.
_base_ = './lmseg_r18_clash5.py'

train_dataloader = dict(sampler=dict(type='mmlmseg.SameDatasetSampler', batch_size=_base_.train_dataloader.batch_size))
