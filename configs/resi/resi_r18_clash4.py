# camvid11, labelmefacade, msrc_v2 and paris_artdeco: the first four folders of clash5.
_base_ = './resi_r18_clash5.py'

model = dict(decode_head=dict(label_spaces=_base_.folders[:4]))
train_dataloader = dict(dataset=dict(datasets=_base_.train_dataloader.dataset.datasets[:4]))
val_dataloader = dict(dataset=dict(datasets=_base_.val_dataloader.dataset.datasets[:4]))
test_dataloader = val_dataloader
