# Two halves of CamVid's training images, one with fine and one with coarse labels, as written by
#     python tools/benchmarks/split_and_coarsen.py data/camvid11 tools/benchmarks/coarse/camvid11.yml --name camvid
# `transfer` asks for fine labels of the images that were trained on with coarse ones.
_base_ = './folders.py'

data_root = '{{$MMLMSEG_HALVES:work_dirs/halves}}/camvid11'
fine = dict(type='mmlmseg.FolderDataset', data_root=f'{data_root}/fine')
coarse = dict(type='mmlmseg.FolderDataset', data_root=f'{data_root}/coarse')
fine_truth = dict(type='mmlmseg.FolderDataset', data_root=f'{data_root}/coarse_with_fine_truth')
folders = [fine['data_root'], coarse['data_root']]
scaling = dict(type='RandomResize', scale=(384, 384), ratio_range=(0.6, 1.5), keep_ratio=True)
train_pipeline = [*_base_.loading, scaling, *_base_.augmenting]

train_dataloader = dict(
    dataset=dict(
        names=['camvid_fine', 'camvid_coarse'],
        datasets=[dict(half, split='train', pipeline=train_pipeline) for half in (fine, coarse)],
    )
)
val_dataloader = dict(
    dataset=dict(
        names=['camvid_fine', 'camvid_coarse', 'transfer'],
        datasets=[dict(data, split='val', pipeline=_base_.test_pipeline) for data in (fine, coarse, fine_truth)],
    )
)
test_dataloader = val_dataloader
