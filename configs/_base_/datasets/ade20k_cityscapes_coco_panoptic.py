# ADE20K, Cityscapes and COCO panoptic in the folders that docs/datasets.md names. Each has the augmentation that it has
# when it is trained alone.
_base_ = './loaders.py'

data_root = '{{$MMLMSEG_DATA:data}}'

loading = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments')]
packing = dict(type='mmlmseg.PackSegments')


def shortest_side(choices, max_size):
    shortest_edge = dict(resize_type='mmlmseg.ResizeShortestEdge', max_size=max_size)
    return dict(type='RandomChoiceResize', scales=list(choices), **shortest_edge)


def scaled_crop(short_side, max_size, crop):
    """Half to twice the size at test in steps of a tenth, then a crop of fixed size."""
    return [
        *loading,
        shortest_side([int(short_side * tenths / 10) for tenths in range(5, 21)], max_size),
        dict(type='mmlmseg.RandomCrop', crop_size=crop),
        dict(type='mmlmseg.RandomFlip', prob=0.5),
        dict(type='mmlmseg.PhotoMetricDistortion'),
        dict(type='Pad', size=crop[::-1], pad_val=dict(img=128, seg=255)),
        packing,
    ]


coco_sides = shortest_side(range(480, 801, 32), 1333)
sources = dict(
    ade20k=dict(
        dataset=dict(type='mmlmseg.ADE20KPanopticDataset', data_root=f'{data_root}/ade/ADEChallengeData2016'),
        ann_file='ade20k_panoptic_{short}.json',
        images='images/{long}',
        segments='ade20k_panoptic_{short}',
        splits=[dict(short='train', long='training'), dict(short='val', long='validation')],
        train_pipeline=scaled_crop(640, 2560, (640, 640)),
        test_size=dict(scale=640, max_size=2560),
    ),
    cityscapes=dict(
        dataset=dict(type='mmlmseg.CityscapesPanopticDataset', data_root=f'{data_root}/cityscapes'),
        ann_file='gtFine/cityscapes_panoptic_{split}.json',
        images='leftImg8bit/{split}',
        segments='gtFine/cityscapes_panoptic_{split}',
        splits=[dict(split='train'), dict(split='val')],
        train_pipeline=scaled_crop(1024, 4096, (512, 1024)),
        test_size=dict(scale=1024, max_size=2048),
    ),
    coco=dict(
        dataset=dict(type='mmlmseg.COCOPanopticDataset', data_root=f'{data_root}/coco'),
        ann_file='annotations/panoptic_{split}.json',
        images='{split}',
        segments='annotations/panoptic_{split}',
        splits=[dict(split='train2017'), dict(split='val2017')],
        train_pipeline=[  # DETR's
            *loading,
            dict(
                type='RandomChoice',
                transforms=[
                    [coco_sides],
                    [
                        shortest_side([400, 500, 600], 1333),
                        dict(type='mmlmseg.RandomRangeCrop', low=384, high=600),
                        coco_sides,
                    ],
                ],
            ),
            dict(type='mmlmseg.RandomFlip', prob=0.5),
            packing,
        ],
        test_size=dict(scale=800, max_size=1333),
    ),
)


def dataset(source, split, pipeline):
    folders = dict(img_path=source['images'].format(**split), seg_map_path=source['segments'].format(**split))
    return dict(source['dataset'], ann_file=source['ann_file'].format(**split), data_prefix=folders, pipeline=pipeline)


def test_dataset(source):
    resize = dict(type='mmlmseg.ResizeShortestEdge', **source['test_size'])
    return dataset(source, source['splits'][1], [loading[0], resize, loading[1], packing])


train_dataloader = dict(
    dataset=dict(
        names=list(sources),
        datasets=[dataset(source, source['splits'][0], source['train_pipeline']) for source in sources.values()],
    )
)
val_dataloader = dict(dataset=dict(names=list(sources), datasets=[test_dataset(source) for source in sources.values()]))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=dict(type='mmlmseg.PanopticQuality'))
test_evaluator = val_evaluator
del sources, loading, packing, coco_sides  # all of it is written out above
