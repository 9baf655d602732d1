# LMSeg with the choices of its authors' published code where that differs from the paper. The rest is the paper's.
_base_ = './lmseg_clip-r50_ade20k-cityscapes-cocostuff10k-mapillary.py'

model = dict(
    decode_head=dict(
        queries=dict(learn_content=True),
        decoder=dict(project_keys_values=False),
        text=dict(encoder=dict(template='a photo of {name}')),  # behind the learned vectors; no-object reads so, too
        classifier=dict(learn_tau=True),
    )
)
train_dataloader = dict(
    sampler=dict(type='mmlmseg.DatasetPerRankSampler', batch_size=_base_.train_dataloader.batch_size)
)
