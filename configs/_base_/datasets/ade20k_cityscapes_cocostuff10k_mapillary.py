# ADE20K, Cityscapes, COCO-Stuff-10k and Mapillary Vistas 1.2 in the folders that mmsegmentation's documentation names.
# Each keeps the augmentation it has when it is trained alone: the paper's dataset-aware augmentation.
_base_ = './loaders.py'

data_root = '{{$MMLMSEG_DATA:data}}'

half_to_double = [tenths / 10 for tenths in range(5, 21)]
six_scales = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
sources = dict(  # sizes are of the short side, in ratios of the one at test; the long side stays within the max size
    ade20k=dict(
        dataset=dict(type='ADE20KDataset', data_root=f'{data_root}/ade/ADEChallengeData2016'),
        images='images/{}',
        labels='annotations/{}',
        splits=('training', 'validation'),
        short_side=512,
        train_ratios=half_to_double,
        train_max_size=2048,
        crop=(512, 512),
        test_max_size=2048,
        tta_ratios=six_scales,
    ),
    cityscapes=dict(
        dataset=dict(type='CityscapesDataset', data_root=f'{data_root}/cityscapes'),
        images='leftImg8bit/{}',
        labels='gtFine/{}',
        splits=('train', 'val'),
        short_side=1024,
        train_ratios=half_to_double,
        train_max_size=4096,
        crop=(512, 1024),
        test_max_size=2048,
        tta_ratios=six_scales,
    ),
    cocostuff10k=dict(
        dataset=dict(type='COCOStuffDataset', data_root=f'{data_root}/coco_stuff10k', reduce_zero_label=True),
        images='images/{}',
        labels='annotations/{}',
        splits=('train2014', 'test2014'),
        short_side=640,
        train_ratios=half_to_double[:11],
        train_max_size=2560,
        crop=(640, 640),
        test_max_size=2560,
        tta_ratios=six_scales,
    ),
    mapillary=dict(
        dataset=dict(type='mmlmseg.MapillaryVistas65Dataset', data_root=f'{data_root}/mapillary'),
        images='{}/images',
        labels='{}/v1.2/labels',
        splits=('training', 'validation'),
        short_side=2048,
        train_ratios=half_to_double,
        train_max_size=8192,
        crop=(1280, 1280),
        test_max_size=2048,
        tta_ratios=[0.5, 1.0, 1.5],
    ),
)


def shortest_edge(source, ratio, max_size):
    return dict(type='mmlmseg.ResizeShortestEdge', scale=int(source['short_side'] * ratio), max_size=int(max_size))


def dataset(source, split, pipeline):
    folders = dict(img_path=source['images'].format(split), seg_map_path=source['labels'].format(split))
    return dict(source['dataset'], data_prefix=folders, pipeline=pipeline)


def train_dataset(source):
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='mmlmseg.LoadAnnotations'),
        dict(
            type='RandomChoiceResize',
            scales=[int(source['short_side'] * ratio) for ratio in source['train_ratios']],
            resize_type='mmlmseg.ResizeShortestEdge',
            max_size=source['train_max_size'],
        ),
        dict(type='mmlmseg.RandomCrop', crop_size=source['crop']),
        dict(type='mmlmseg.RandomFlip', prob=0.5),
        dict(type='mmlmseg.PhotoMetricDistortion'),
        dict(type='Pad', size=source['crop'][::-1], pad_val=dict(img=128, seg=255)),
        dict(type='mmlmseg.PackSegments'),
    ]
    return dataset(source, source['splits'][0], pipeline)


def val_dataset(source):
    pipeline = [
        dict(type='LoadImageFromFile'),
        shortest_edge(source, 1.0, source['test_max_size']),
        dict(type='mmlmseg.LoadAnnotations'),
        dict(type='mmlmseg.PackSegments'),
    ]
    return dataset(source, source['splits'][1], pipeline)


def tta_pipeline(source):
    """Six sizes (Mapillary three) and flip, as the paper's authors test."""
    ratios = source['tta_ratios']
    max_size = source['test_max_size'] * ratios[-1]
    views = [
        [shortest_edge(source, ratio, max_size) for ratio in ratios],
        [dict(type='mmlmseg.RandomFlip', prob=0.0), dict(type='mmlmseg.RandomFlip', prob=1.0)],
        [dict(type='mmlmseg.LoadAnnotations')],
        [dict(type='mmlmseg.PackSegments')],
    ]
    return [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=views)]


train_dataloader = dict(
    dataset=dict(names=list(sources), datasets=[train_dataset(source) for source in sources.values()])
)
val_dataloader = dict(dataset=dict(names=list(sources), datasets=[val_dataset(source) for source in sources.values()]))
test_dataloader = val_dataloader
tta_model = dict(type='mmlmseg.MultiSpaceTTA')
tta_pipelines = {name: tta_pipeline(source) for name, source in sources.items()}
del sources, half_to_double, six_scales  # all of it is written out above
