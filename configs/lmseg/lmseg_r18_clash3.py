# camvid11, labelmefacade and msrc_v2: the first three folders of clash5.
_base_ = './lmseg_r18_clash5.py'

model = dict(decode_head=dict(label_spaces=_base_.folders[:3]))
train_dataloader = dict(dataset=dict(datasets=_base_.train_dataloader.dataset.datasets[:3]))
val_dataloader = dict(dataset=dict(datasets=_base_.val_dataloader.dataset.datasets[:3]))
test_dataloader = val_dataloader
