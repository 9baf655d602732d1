"""Some of a config's datasets with their label spaces, and training images that are held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmlmseg.config import read_config, restrict
from mmlmseg.errors import DataError, OptionError
from mmlmseg.lab.benchmark import Benchmark
from mmlmseg.lab.benchmark.data import hold_out, mixed_datasets
from mmlmseg.label_space import LabelSpaces
from mmlmseg.registry import DATASETS

CLASH5 = 'configs/lmseg/lmseg_r18_clash5.py'


def folders(dataset: Any) -> list[str]:
    return [Path(part.data_root).name for part in dataset.datasets]


def images(dataset: Any, name: str) -> list[str]:
    """The images of one of the datasets, by the stems of their files."""
    part = DATASETS.build({**dataset.datasets[dataset.names.index(name)], 'serialize_data': False})
    return [Path(part.get_data_info(i)['img_path']).stem for i in range(len(part))]


def spaces(cfg: Config) -> tuple[str, ...]:
    return LabelSpaces.from_config(cfg.model.decode_head.label_spaces).names


@pytest.fixture
def cfg(clash5: Path) -> Config:
    return read_config(CLASH5)


def test_some_datasets_in_the_asked_order(cfg: Config) -> None:
    restrict(cfg, ['ccp', 'camvid11', 'msrc_v2'], ['msrc_v2', 'ccp'])
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert train.names == folders(train) == ['ccp', 'camvid11', 'msrc_v2']
    assert val.names == folders(val) == ['msrc_v2', 'ccp']
    assert {part.split for part in train.datasets} == {'train'}
    assert {part.split for part in val.datasets} == {'val'}
    assert spaces(cfg) == ('camvid11', 'msrc_v2', 'ccp')  # in the order of the model


def test_datasets_that_share_a_label_space(cfg: Config, clash5: Path) -> None:
    """Two that are trained on, one of which is scored, and one that is only asked."""
    street = dict(metainfo=dict(label_space='camvid11'))
    for loader, names in ((cfg.train_dataloader, ['a', 'b', 'ccp']), (cfg.val_dataloader, ['a', 'b', 'ccp', 'new'])):
        first, last = loader.dataset.datasets[0], loader.dataset.datasets[-1]
        loader.dataset.datasets = [first, {**first, **street}, last, {**first, **street}][: len(names)]
        loader.dataset.names = names
    own = Config(cfg.to_dict(), filename=cfg.filename)
    restrict(cfg, ['a', 'b', 'ccp'], ['b', 'new', 'ccp'])
    assert cfg.train_dataloader.dataset.names == ['a', 'b', 'ccp']
    assert cfg.val_dataloader.dataset.names == ['b', 'new', 'ccp']
    assert spaces(cfg) == ('camvid11', 'ccp')
    restrict(own, ['ccp'], ['ccp', 'new'])  # whose label space this model does not know
    assert own.val_dataloader.dataset.names == ['ccp']
    assert spaces(own) == ('ccp',)


def test_thresholds_of_other_label_spaces_go(cfg: Config) -> None:
    per_space = dict(ccp=dict(object=0.7), camvid11=dict(object=0.6))
    cfg.merge_from_dict({'model.test_cfg': dict(panoptic=dict(object=0.8, per_space=per_space))})
    restrict(cfg, ['ccp'], ['ccp'])
    assert cfg.model.test_cfg.panoptic == dict(object=0.8, per_space=dict(ccp=dict(object=0.7)))


def test_mixed_datasets_go_to_models_of_all_their_spaces(mixed: Benchmark) -> None:
    """And metrics of single datasets go with them."""
    for trained, scored, metrics in (
        (['camvid11', 'labelmefacade'], ['camvid11', 'both'], ['both']),
        (['labelmefacade', 'ccp'], ['labelmefacade', 'ccp'], ['ccp']),
        (['camvid11'], ['camvid11'], []),
        (['ccp', 'labelmefacade', 'camvid11'], ['labelmefacade', 'both', 'ccp'], ['both', 'ccp']),
    ):
        cfg = read_config(mixed.methods[0].config)
        names = [*cfg.val_dataloader.dataset.names, 'b']
        assert mixed_datasets(cfg, names) == ('both',)
        restrict(cfg, trained, list(dict.fromkeys([*scored, 'both'])))
        assert cfg.val_dataloader.dataset.names == scored
        assert sorted(cfg.val_evaluator.per_dataset) == metrics
    hold_out(cfg)
    assert cfg.val_dataloader.dataset.names == ['ccp', 'labelmefacade']
    assert list(cfg.val_evaluator.per_dataset) == ['ccp']


def test_names_that_are_not_there(cfg: Config) -> None:
    with pytest.raises(OptionError, match=rf"{CLASH5}: has no dataset 'camvid', only .*\. Did you mean: camvid11"):
        restrict(cfg, ['camvid'], ['camvid'])
    cfg.model.decode_head.label_spaces = cfg.model.decode_head.label_spaces[:2]
    with pytest.raises(OptionError, match=rf'{CLASH5}: its model has no label space ccp: camvid11, labelmefacade'):
        restrict(cfg, ['ccp', 'camvid11'], ['ccp'])


def held_out(cfg: Config) -> list[tuple[list[str], list[str]]]:
    """For each training dataset, the images that are trained on, and those that are scored."""
    hold_out(cfg)
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert set(val.names) <= set(train.names)
    return [(images(train, name), images(val, name) if name in val.names else []) for name in train.names]


def listed(folder: Path) -> list[str]:
    return (folder / 'train.txt').read_text().split()


def test_a_fifth_is_held_out(cfg: Config, clash5: Path) -> None:
    pipeline = cfg.val_dataloader.dataset.datasets[0].pipeline
    restrict(cfg, ['ccp', 'camvid11', 'msrc_v2'], ['camvid11', 'ccp'])
    split = held_out(cfg)
    for name, (trained, scored) in zip(['ccp', 'camvid11', 'msrc_v2'], split, strict=True):
        everything = listed(clash5 / name)
        assert trained == everything[:10]
        assert scored == (everything[10:] if name != 'msrc_v2' else [])
    assert all(part['pipeline'] == pipeline for part in cfg.val_dataloader.dataset.datasets)
    assert 'RandomCrop' in [step.type for step in cfg.train_dataloader.dataset.datasets[0].pipeline]


@pytest.mark.parametrize(
    ('indices', 'taken'), [(10, range(10)), (-5, range(7, 12)), ([3, 1, 11, 5, 7, 2], [3, 1, 11, 5, 7, 2])]
)
def test_of_a_part_of_the_images_a_fifth_is_held_out(cfg: Config, clash5: Path, indices: Any, taken: Any) -> None:
    restrict(cfg, ['ccp'], ['ccp'])
    cfg.train_dataloader.dataset.datasets[0].indices = indices
    expected = [listed(clash5 / 'ccp')[i] for i in taken]
    last = len(expected) // 5
    assert held_out(cfg) == [(expected[:-last], expected[-last:])]


def test_below_a_wrapper_and_of_a_dataset_that_is_also_scored(cfg: Config, clash5: Path) -> None:
    """One config may stand in several places: what is done in one must not show in the other."""
    restrict(cfg, ['ccp'], ['ccp'])
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    val.datasets = list(train.datasets)
    train.datasets = [dict(type='RepeatDataset', times=2, dataset=train.datasets[0])]
    hold_out(cfg)
    everything = listed(clash5 / 'ccp')
    repeated = DATASETS.build(train).datasets[0]
    assert [Path(repeated.get_data_info(i)['img_path']).stem for i in range(len(repeated))] == everything[:10] * 2
    assert images(val, 'ccp') == everything[10:]


def test_types_of_mmseg_need_no_prefix(cfg: Config, clash5: Path) -> None:
    ccp = dict(
        type='BaseSegDataset',
        data_root=str(clash5 / 'ccp'),
        ann_file='train.txt',
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(label_space='ccp', classes=['a']),
        pipeline=[],
    )
    restrict(cfg, ['ccp'], ['ccp'])
    cfg.train_dataloader.dataset.datasets = [ccp]
    init_default_scope('mmengine')  # no run has begun yet
    assert [len(own) for own in held_out(cfg)[0]] == [10, 2]


def test_too_few_images(cfg: Config) -> None:
    restrict(cfg, ['ccp'], ['ccp'])
    cfg.train_dataloader.dataset.datasets[0].indices = 4
    with pytest.raises(DataError, match="dataset 'ccp': 4 training images are too few to hold out one of 5"):
        hold_out(cfg)
