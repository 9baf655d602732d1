from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import DefaultScope
from mmseg.datasets import CityscapesDataset, MultiImageMixDataset
from torch.utils.data import DataLoader

from mmlmseg.cli import one_line_errors
from mmlmseg.config import parts_of, space_names, training_spaces
from mmlmseg.datasets import FolderDataset, MultiDataset
from mmlmseg.datasets.streams import Draw
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import DATASETS, TRANSFORMS

MakeFolder = Callable[..., Path]
Pipeline = list[dict[str, Any]]
FLIP = [dict(type='mmseg.RandomFlip', prob=0.5), dict(type='mmseg.PackSegInputs')]


@pytest.fixture
def configs(make_folder: MakeFolder, pipeline: Pipeline) -> list[dict[str, Any]]:
    folders = [make_folder('street'), make_folder('facade', classes=('wall', 'door'), train=3, size=(16, 20))]
    return [dict(type='mmlmseg.FolderDataset', data_root=str(folder), pipeline=pipeline) for folder in folders]


def test_stamps_samples_and_keeps_metainfo(configs: list[dict[str, Any]]) -> None:
    dataset = MultiDataset(configs)
    assert len(dataset) == 7
    assert dataset.sizes == [4, 3]
    stamps = [(s.dataset, s.label_spaces) for s in (dataset[i]['data_samples'] for i in range(7))]
    assert stamps == [('street', ('street',))] * 4 + [('facade', ('facade',))] * 3
    assert not {'label_space', 'classes', 'is_thing'} & dataset[0]['data_samples'].metainfo.keys()
    described = dataset.metainfo['datasets']
    assert list(described) == ['street', 'facade']
    assert described['facade']['spaces'] == [space.to_dict() for space in dataset.spaces[1]]
    assert described['facade']['classes'] == ['wall', 'door']
    assert described['facade']['groups'] == [0, 0]
    assert described['facade']['size'] == 3
    assert pickle.loads(pickle.dumps(dataset.metainfo)) == dataset.metainfo


def test_locates_samples(configs: list[dict[str, Any]]) -> None:
    dataset = MultiDataset(configs)
    assert [dataset.locate(i) for i in (0, 3, 4, 6, -1)] == [(0, 0), (0, 3), (1, 0), (1, 2), (1, 2)]
    with pytest.raises(IndexError):
        dataset.locate(7)
    info = dataset.get_data_info(5)
    assert info['dataset'] == 'facade'
    assert info['sample_idx'] == 5
    assert info['img_path'].endswith('train_1.jpg')


def test_each_dataset_keeps_its_pipeline(configs: list[dict[str, Any]]) -> None:
    configs[0]['pipeline'] = [*configs[0]['pipeline']]
    configs[0]['pipeline'].insert(2, dict(type='mmseg.RandomCrop', crop_size=(8, 12)))
    dataset = MultiDataset(configs)
    assert dataset[0]['inputs'].shape == (3, 8, 12)
    assert dataset[4]['inputs'].shape == (3, 16, 20)


def test_lazy_init(configs: list[dict[str, Any]]) -> None:
    dataset = MultiDataset(configs, lazy_init=True)
    assert 'size' not in dataset.metainfo['datasets']['street']
    assert not any(inner._fully_initialized for inner in dataset.datasets)
    assert len(dataset) == 7
    assert dataset.metainfo['datasets']['street']['size'] == 4


def test_two_datasets_of_one_space(configs: list[dict[str, Any]]) -> None:
    val = {**configs[0], 'split': 'val'}
    with pytest.raises(DataError, match='two datasets are named street'):
        MultiDataset([configs[0], val])
    dataset = MultiDataset([configs[0], val], names=['first', 'second'])
    assert [(s['dataset'], s['label_spaces']) for s in map(dataset.get_data_info, (0, 5))] == [
        ('first', ('street',)),
        ('second', ('street',)),
    ]
    with pytest.raises(DataError, match='1 names for 2 datasets'):
        MultiDataset([configs[0], val], names=['first'])


def test_one_space_name_with_two_meanings(
    configs: list[dict[str, Any]], make_folder: MakeFolder, pipeline: Pipeline
) -> None:
    other = make_folder('other', classes=('road', 'car', 'sky'))
    (other / 'classes.json').write_text('{"name": "street", "classes": ["road", "tram", "sky"]}')
    config = dict(type='mmlmseg.FolderDataset', data_root=str(other), pipeline=pipeline)
    with pytest.raises(LabelSpaceError, match=r"'b'.*'street' has other classes.*car, tram.*another name"):
        MultiDataset([configs[0], config], names=['a', 'b'])


def test_registered_datasets(make_folder: MakeFolder, pipeline: Pipeline) -> None:
    root = make_folder('road', classes=[f'c{i}' for i in range(19)])
    config = dict(
        type='mmseg.CityscapesDataset',
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.jpg',
        seg_map_suffix='.png',
        pipeline=pipeline,
    )
    dataset = MultiDataset([config])
    assert dataset[0]['data_samples'].label_spaces == ('cityscapes',)
    assert dataset.metainfo['datasets']['cityscapes']['classes'][0] == 'road'
    from_class = MultiDataset([{**config, 'type': CityscapesDataset}])  # as configs written in pure Python have it
    assert from_class.spaces == dataset.spaces
    own = {**config, 'type': 'mmseg.BaseSegDataset', 'metainfo': dict(classes=('a', 'b'), label_space='mine')}
    assert MultiDataset([own]).names == ['mine']
    with pytest.raises(LabelSpaceError, match='declares no classes'):
        MultiDataset([{**own, 'metainfo': {}}])
    wrapped = dict(type='RepeatDataset', dataset=config, times=3)
    repeated = MultiDataset([wrapped], names=['repeated'])
    assert len(repeated) == 3 * len(dataset)
    assert repeated[-1]['data_samples'].dataset == 'repeated'


REPEAT, CONCAT, MIX = RepeatDataset, ConcatDataset, MultiImageMixDataset


@pytest.mark.parametrize('as_class', [False, True])
@pytest.mark.parametrize(
    ('wrap', 'times'),
    [
        (lambda one, of: dict(type=of(REPEAT), times=2, dataset=one), 2),
        (lambda one, of: dict(type=of(CONCAT), datasets=[one, one]), 2),
        (lambda one, of: dict(type=of(REPEAT), times=2, dataset=dict(type=of(CONCAT), datasets=[one, one])), 4),
        (lambda one, of: dict(type=of(CONCAT), datasets=[dict(type=of(REPEAT), times=2, dataset=one), one]), 3),
        (lambda one, of: dict(type=of(MIX), dataset=dict(type=of(CONCAT), datasets=[one, one]), pipeline=[]), 2),
    ],
)
def test_wrapped_datasets_keep_their_label_space(
    make_folder: Callable[..., Path], pipeline: list[dict], wrap: Callable[..., dict], times: int, as_class: bool
) -> None:
    """In training, in tests and in what a config tells without data; types are texts or, as in pure Python, classes."""
    root = make_folder(things=['car'], name='roads')
    folder = dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=pipeline)
    stock = dict(
        type='CityscapesDataset',
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.jpg',
        seg_map_suffix='.png',
        pipeline=pipeline,
    )
    if as_class:
        folder['type'], stock['type'] = FolderDataset, CityscapesDataset
    parts = [wrap(one, lambda kind: kind if as_class else kind.__name__) for one in (folder, stock)]
    with DefaultScope.overwrite_default_scope('mmseg'):
        joined = Config(dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=parts))).dataset
        assert [space_names(part) for part in joined.datasets] == [('roads',), ('cityscapes',)]
        assert [space.name for space in training_spaces(joined)] == ['roads', 'cityscapes']
        dataset = MultiDataset(parts)
        assert dataset.spaces[0][0] == LabelSpace.from_json(root)
        assert dataset.sizes == [4 * times, 6 * times]
        assert dataset[0]['data_samples'].label_spaces == ('roads',)
        assert dataset[-1]['data_samples'].label_spaces == ('cityscapes',)
        for part, name in zip(joined.datasets, ('roads', 'cityscapes')):  # the dataset of a loader
            assert list(parts_of(part)) == [name]
            assert [space.name for space in training_spaces(part)] == [name]


def test_a_part_without_samples_is_named(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder()
    (root / 'more').mkdir()
    kind = dict(type='mmseg.BaseSegDataset', data_root=str(root), img_suffix='.jpg', metainfo=dict(classes=['a', 'b']))
    parts = [dict(kind, data_prefix=dict(img_path=folder), pipeline=[]) for folder in ('images', 'more')]
    with pytest.raises(DataError, match=r'there is no \*\.jpg in .*more'):
        MultiDataset([dict(type='ConcatDataset', datasets=parts)], names=['both'])


def test_a_registered_dataset_without_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of another library, whose own errors would be a traceback; its faults keep theirs."""
    config = dict(
        type='mmseg.CityscapesDataset', data_root=str(tmp_path), data_prefix=dict(img_path='train'), pipeline=[]
    )
    for part in config, dict(type='RepeatDataset', dataset=config, times=3):
        with pytest.raises(DataError, match=r"dataset 'city': .*train'; check its paths and split"):
            MultiDataset([part], names=['city'])
    (tmp_path / 'train').mkdir()
    with pytest.raises(
        DataError, match=r"'city' has no sample: there is no \*_leftImg8bit\.png in .*; check its paths"
    ):
        MultiDataset([config], names=['city'])
    with pytest.raises(TypeError):
        MultiDataset([dict(config, img_suffix=3)], names=['city'])
    with pytest.raises(SystemExit), one_line_errors():  # also where it is a loader's only dataset
        DATASETS.build(config)
    assert 'error: CityscapesDataset has no sample: there is no *_leftImg8bit.png in' in capsys.readouterr().err
    with pytest.raises(ValueError, match='need at least one array'), one_line_errors():
        np.concatenate([])


def test_no_dataset() -> None:
    with pytest.raises(DataError, match='list at least one'):
        MultiDataset([])


def _image(path: str, *shape: int) -> Callable[[Path], None]:
    return lambda root: cv2.imwrite(str(root / path), np.full(shape, 1, np.uint8)) and None


def _bytes(path: str, content: bytes) -> Callable[[Path], None]:
    return lambda root: (root / path).write_bytes(content) and None


def _cut(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[:-60]) and None


def _high_id(root: Path) -> None:
    labels = np.zeros((24, 32), np.uint8)
    labels[20:, 28:] = 77  # in a corner that crops seldom see
    cv2.imwrite(str(root / 'labels' / 'train_1.png'), labels)


@pytest.mark.parametrize(
    ('damage', 'cause'),
    [
        (lambda root: (root / 'images/train_1.jpg').unlink(), r'missing file: .*images/train_1\.jpg'),
        (lambda root: (root / 'labels/train_1.png').unlink(), r'missing file: .*labels/train_1\.png'),
        (_bytes('images/train_1.jpg', b'no image'), r'cannot be read as an image: .*images/train_1\.jpg'),
        (_bytes('images/train_1.jpg', b''), r'cannot be read as an image: .*images/train_1\.jpg'),
        (_bytes('labels/train_1.png', b'no image'), r'cannot be read as an image: .*labels/train_1\.png'),
        (_cut('labels/train_1.png'), r'cannot be read as an image: .*labels/train_1\.png'),
        (_cut('images/train_1.jpg'), r'image is damaged or cut off|cannot be read as an image'),
        (_image('labels/train_1.png', 32, 24), r'image 24x32, label 32x24'),
        (_image('labels/train_1.png', 24, 32, 3), r'not colours'),
        (_high_id, r'label id 77 is outside the label space \(allowed: 0\.\.2 and 255'),
    ],
)
@pytest.mark.parametrize('crop', [False, True])
def test_bad_samples(
    configs: list[dict[str, Any]], tmp_path: Path, damage: Callable[[Path], None], cause: str, crop: bool
) -> None:
    if crop:
        configs[0]['pipeline'] = [*configs[0]['pipeline']]
        configs[0]['pipeline'].insert(2, dict(type='mmseg.RandomCrop', crop_size=(4, 4)))
    dataset = MultiDataset(configs)
    damage(tmp_path / 'street')
    with pytest.raises(DataError, match=cause) as caught:
        dataset[1]
    for part in ("dataset 'street'", 'images/train_1.jpg', 'labels/train_1.png'):
        assert part in str(caught.value)
    dataset[0], dataset[5]


@pytest.mark.parametrize(
    'nest',
    [
        lambda load: dict(type='RandomApply', transforms=[load], prob=1.0),
        lambda load: dict(type='RandomChoice', transforms=[[load], [dict(type='RandomChoice', transforms=[[load]])]]),
        lambda load: dict(type='KeyMapper', transforms=[load]),
        lambda load: dict(
            type='mmseg.TestTimeAug',
            transforms=[
                [dict(type='mmseg.Resize', scale=(64, 64)), dict(type='mmseg.Resize', scale=(32, 32))],
                [dict(type='RandomApply', transforms=[load], prob=1.0)],
                [dict(type='mmseg.PackSegInputs')],
            ],
        ),
    ],
)
def test_labels_loaded_in_a_nested_pipeline_are_checked(
    configs: list[dict[str, Any]], tmp_path: Path, nest: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    load_image, load_labels, pack = configs[0]['pipeline']
    nested = nest(load_labels)
    configs[0]['pipeline'] = [load_image, nested, *([] if nested['type'] == 'mmseg.TestTimeAug' else [pack])]
    dataset = MultiDataset(configs)
    assert repr(dataset.datasets[0].pipeline).count('CheckLabels') == repr(dataset.datasets[0].pipeline).count(
        'LoadAnnotations'
    )
    _high_id(tmp_path / 'street')
    with pytest.raises(DataError, match='label id 77 is outside the label space'):
        dataset[1]


def test_labels_loaded_after_a_resize(configs: list[dict[str, Any]], tmp_path: Path) -> None:
    load_image, load_labels, pack = configs[0]['pipeline']
    configs[0]['pipeline'] = [load_image, dict(type='mmseg.Resize', scale=(64, 48)), load_labels, pack]
    dataset = MultiDataset(configs)
    sample = dataset[1]
    assert sample['inputs'].shape == (3, 48, 64)
    assert sample['data_samples'].gt_sem_seg.shape == (24, 32)
    _image('labels/train_1.png', 48, 64)(tmp_path / 'street')
    with pytest.raises(DataError, match='image 24x32, label 48x64'):
        dataset[1]


@pytest.mark.parametrize('workers', [0, 1])
def test_a_fault_of_the_data_is_one_line(
    configs: list[dict[str, Any]], tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    loader = DataLoader(MultiDataset(configs), batch_size=1, num_workers=workers, collate_fn=list)
    image = tmp_path / 'street' / 'images' / 'train_0.jpg'
    image.unlink()
    with pytest.raises(DataError, match=r"dataset 'street', sample 0: .*missing file"):
        next(iter(loader))
    for cause in ('missing file', 'cannot be read as an image'):
        with pytest.raises(SystemExit, match='2'), one_line_errors():
            next(iter(loader))
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: dataset 'street', sample 0: image ")
        assert cause in line
        image.write_bytes(b'')  # of which OpenCV speaks in several lines


@TRANSFORMS.register_module(force=True)
class Raises:
    """A user's transform that goes wrong three frames deep."""

    def __init__(self, error: str) -> None:
        self.error = dict(key=KeyError('depth'), value=ValueError('negative'), os=OSError('full'))[error]

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        return self._step(results)

    def _step(self, results: dict[str, Any]) -> dict[str, Any]:
        return self._inner_step(results)

    def _inner_step(self, results: dict[str, Any]) -> dict[str, Any]:
        raise self.error


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize(('name', 'kind'), [('key', KeyError), ('value', ValueError)])
def test_a_mistake_in_a_transform_keeps_its_traceback(
    configs: list[dict[str, Any]], workers: int, name: str, kind: type[Exception]
) -> None:
    configs[0]['pipeline'] = [*configs[0]['pipeline'], dict(type='mmlmseg.Raises', error=name)]
    loader = DataLoader(MultiDataset(configs), batch_size=1, num_workers=workers, collate_fn=list)
    with pytest.raises(kind) as caught, one_line_errors():
        next(iter(loader))
    assert not isinstance(caught.value, DataError)
    shown = ''.join(traceback.format_exception(caught.value))
    for part in ('in __call__', 'in _step', 'in _inner_step'):
        assert part in shown
    if hasattr(kind, 'add_note'):  # since Python 3.11
        assert re.search(r"dataset 'street', sample 0: image .*images/train_0\.jpg, label .*labels/train_0\.png", shown)


def test_what_is_a_fault_of_the_data(configs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    configs[0]['pipeline'] = [*configs[0]['pipeline'], dict(type='mmlmseg.Raises', error='os')]
    dataset = MultiDataset(configs)
    with pytest.raises(DataError, match=r'sample 0: .*: OSError: full'):
        dataset[0]

    class OldError(KeyError):  # as errors are before Python 3.11
        add_note = property()

    said: list[str] = []
    monkeypatch.setattr('mmlmseg.datasets.multi.print_log', lambda message, *_: said.append(message))
    dataset.datasets[0].pipeline.transforms[-1].error = OldError('depth')
    with pytest.raises(OldError):
        dataset[0]
    assert said[0].startswith("OldError in dataset 'street', sample 0: image ")
    dataset.datasets[0].pipeline.transforms[-1].error = LabelSpaceError('other classes')
    with pytest.raises(DataError, match=r'sample 0: .*: other classes$'):
        dataset[0]


def test_stamps_every_view_of_test_time_augmentation(configs: list[dict[str, Any]]) -> None:
    views = [
        [dict(type='mmseg.Resize', scale=(64, 64)), dict(type='mmseg.Resize', scale=(32, 32))],
        [dict(type='mmseg.LoadAnnotations')],
        [dict(type='mmseg.PackSegInputs')],
    ]
    configs[0]['pipeline'] = [
        dict(type='mmseg.LoadImageFromFile'),
        dict(type='mmseg.TestTimeAug', transforms=views),
    ]
    sample = MultiDataset(configs)[0]
    assert [view.dataset for view in sample['data_samples']] == ['street', 'street']


def damage(folder: Path, *names: str) -> None:
    for name in names:
        (folder / 'images' / f'{name}.jpg').write_bytes(b'')


def drawn(data: MultiDataset, which: int) -> str:
    return Path(data[Draw(which, (0, which))]['data_samples'].img_path).stem


def test_damaged_samples_are_passed_over_up_to_a_limit(configs: list[dict[str, Any]]) -> None:
    damage(Path(configs[0]['data_root']), 'train_1', 'train_2')
    strict, lenient = MultiDataset(configs), MultiDataset(configs, skip_damaged=2)
    with pytest.raises(DataError, match=r'train_1\.jpg'):
        drawn(strict, 1)
    assert [drawn(lenient, which) for which in (0, 1, 2, 1, 3)] == ['train_0', *['train_3'] * 4]
    damage(Path(configs[0]['data_root']), 'train_3')
    with pytest.raises(DataError, match=r'(?s)train_3\.jpg.*more damaged samples .*: 3 of at most 2 \(skip_damaged\)'):
        drawn(lenient, 3)


def test_a_test_passes_nothing_over(configs: list[dict[str, Any]]) -> None:
    damage(Path(configs[0]['data_root']), 'train_1')
    with pytest.raises(DataError, match=r'train_1\.jpg'):
        MultiDataset(configs, skip_damaged=5)[1]


def test_a_draw_decides_on_random_transforms(configs: list[dict[str, Any]]) -> None:
    data = MultiDataset([dict(config, pipeline=config['pipeline'][:-1] + FLIP) for config in configs])

    def flips(draws: Sequence[int]) -> list[bool]:
        return [data[Draw(0, (7, draw))]['data_samples'].flip for draw in draws]

    forward = flips(range(16))
    assert set(forward) == {True, False}
    assert flips(range(15, -1, -1)) == forward[::-1]


@pytest.mark.parametrize('load', ['mmseg.LoadAnnotations', 'mmlmseg.LoadAnnotations'])
def test_parts_with_and_without_reduce_zero_label(make_folder: Callable[..., Path], load: str) -> None:
    pipeline = [dict(type='LoadImageFromFile'), dict(type=load), dict(type='mmseg.PackSegInputs')]
    roots = [make_folder(name, classes=('road', 'sky')) for name in ('plain', 'lowered')]
    parts = [
        dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=pipeline, reduce_zero_label=lowered)
        for root, lowered in zip(roots, (False, True))
    ]
    stored = [cv2.imread(str(root / 'labels' / 'train_0.png'), cv2.IMREAD_UNCHANGED) for root in roots]
    lowered = np.where((stored[1] == 0) | (stored[1] == 255), 255, stored[1] - 1)
    data = MultiDataset(parts)
    for sample, expected in ((data[0], stored[0]), (data[4], lowered), (data[0], stored[0])):
        np.testing.assert_array_equal(sample['data_samples'].gt_sem_seg.data[0], expected)


def test_masks_of_0_and_255_are_told(make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder('cracks', classes=('background', 'crack'))
    part = dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=[])
    for path in (root / 'labels').iterdir():
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(ids == 1, 255, ids))
    told: list[str] = []
    monkeypatch.setattr('mmlmseg.datasets.files.print_log', lambda message, *_: told.append(message))
    MultiDataset([part])
    assert "class 'crack' has no pixel" in told[0]
