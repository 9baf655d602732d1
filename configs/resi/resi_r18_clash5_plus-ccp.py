# ccp is added to a RESI that was trained on the first four folders and goes on saying what it says of these: only what
# is ccp's own learns. First train the model of four, then give it the fifth label space (docs/adding_a_label_space.md):
#     python tools/train.py configs/resi/resi_r18_clash5.py --datasets camvid11,labelmefacade,msrc_v2,paris_artdeco
#     python tools/add_label_space.py OLD.pth CONFIG work_dirs/resi_r18_clash4_plus-ccp.pth
# where OLD.pth is work_dirs/resi_r18_clash5_camvid11_labelmefacade_msrc_v2_paris_artdeco/iter_4500.pth.
_base_ = './resi_r18_clash5.py'

load_from = 'work_dirs/resi_r18_clash4_plus-ccp.pth'
model = dict(
    decode_head=dict(
        label_spaces=_base_.folders,  # of all, the new one last; training sees ccp alone
        adapters=dict(ccp=dict(type='mmlmseg.SpaceAdapter', width=32)),
    )
)
train_dataloader = dict(dataset=dict(datasets=_base_.train_dataloader.dataset.datasets[4:]))
custom_hooks = [dict(type='mmlmseg.FreezeHook', trained=['decode_head.queries.own.4', 'decode_head.adapters.own.0'])]
find_unused_parameters = True  # several processes meet before anything is frozen
max_iters = 1500
param_scheduler = dict(end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=125))
