# Five folders whose taxonomies clash, each scaled about the long side of its own images.
_base_ = './folders.py'

data_root = '{{$MMLMSEG_DATA:data}}'
long_side = dict(camvid11=384, labelmefacade=336, msrc_v2=320, paris_artdeco=352, ccp=352)
folders = [f'{data_root}/{name}' for name in long_side]


def train_pipeline(side):
    scaling = dict(type='RandomResize', scale=(side, side), ratio_range=(0.6, 1.5), keep_ratio=True)
    return [*_base_.loading, scaling, *_base_.augmenting]


train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='mmlmseg.FolderDataset',
                data_root=f'{data_root}/{name}',
                split='train',
                pipeline=train_pipeline(side),
            )
            for name, side in long_side.items()
        ]
    )
)
val_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(type='mmlmseg.FolderDataset', data_root=folder, split='val', pipeline=_base_.test_pipeline)
            for folder in folders
        ]
    )
)
test_dataloader = val_dataloader
