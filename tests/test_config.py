"""What is said of a config before anything is built: its label spaces, some of its datasets, another length."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmlmseg.config import complete_label_spaces, restrict, set_length, space_names
from mmlmseg.errors import CheckpointError, DataError, LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import MODELS

STREET, FACADE = ['sky', 'road', 'car'], ['wall', 'window']


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A factory of folder datasets without any image."""

    def make(name: str, classes: list[str], **more: Any) -> dict[str, Any]:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / 'classes.json').write_text(json.dumps(dict(classes=classes)))
        return dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / name), **more)

    return make


def config_of(*datasets: dict[str, Any], names: list[str] | None = None, **head: Any) -> Config:
    data = dict(type='mmlmseg.MultiDataset', datasets=list(datasets), **(dict(names=names) if names else {}))
    loaders = {f'{split}_dataloader': dict(dataset=data) for split in ('train', 'val', 'test')}
    evaluators = {f'{split}_evaluator': dict(type='mmlmseg.MultiDatasetEvaluator') for split in ('val', 'test')}
    return Config(dict(model=dict(decode_head=head), **loaders, **evaluators))


def spaces_of(cfg: Config, checkpoint: str | Path | None = None) -> list[LabelSpace]:
    complete_label_spaces(cfg, checkpoint)
    return [LabelSpace.from_config(spec) for spec in cfg.model.decode_head.label_spaces]


def test_label_spaces_are_those_of_the_training(folder: Callable[..., dict[str, Any]]) -> None:
    """Each once, in their order, with the things that a dataset declares; the same that a list would make."""
    street, facade = folder('street', STREET), folder('facade', FACADE)
    roots = [street['data_root'], facade['data_root']]
    cfg = config_of(
        dict(type='RepeatDataset', times=2, dataset=dict(street, things=['car'], pipeline=[dict(type='Nowhere')])),
        dict(type='CityscapesDataset', data_prefix=dict(img_path='nowhere')),
        dict(type='mmlmseg.ADE20KPanopticDataset', ann_file='nowhere.json'),
        dict(facade, metainfo=dict(label_space='house')),
        dict(street, things=['car']),
        dict(type='mmlmseg.MultiSpaceFolderDataset', folders=[dict(data_root=root) for root in roots]),
        names=list('abcdef'),
    )
    expected = [
        dict(path=street['data_root'], things=['car']),
        dict(dataset='CityscapesDataset'),
        dict(dataset='mmlmseg.ADE20KPanopticDataset'),
        dict(path=facade['data_root'], name='house'),
        facade['data_root'],
    ]
    assert spaces_of(cfg) == [LabelSpace.from_config(spec) for spec in expected]
    parts = cfg.train_dataloader.dataset.datasets
    told = [name for part in parts for name in space_names(part)]
    assert list(dict.fromkeys(told)) == [space.name for space in spaces_of(cfg)]
    assert parts[0].dataset.pipeline == [dict(type='Nowhere')]


def test_a_list_in_the_config_stays(folder: Callable[..., dict[str, Any]]) -> None:
    street, facade = folder('street', STREET), folder('facade', FACADE)
    listed = [dict(path=street['data_root'], synonyms=dict(car=['automobile'])), facade['data_root']]
    cfg = config_of(street, label_spaces=listed)
    complete_label_spaces(cfg)
    assert cfg.model.decode_head.label_spaces == listed


def test_one_name_stands_for_one_list_of_classes(folder: Callable[..., dict[str, Any]]) -> None:
    own = dict(metainfo=dict(label_space='street'))
    cfg = config_of(folder('street', STREET), folder('facade', FACADE, **own), names=['a', 'b'])
    with pytest.raises(LabelSpaceError, match=r"dataset 'b': the label space 'street' has other classes"):
        complete_label_spaces(cfg)


def test_without_its_data_a_model_asks_its_checkpoint(
    folder: Callable[..., dict[str, Any]], model_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    missing = dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / 'gone'))
    known = [LabelSpace.create('street', STREET, things=['car']), LabelSpace.create('facade', FACADE)]
    torch.save(dict(state_dict=MODELS.build(model_config(known)).state_dict()), tmp_path / 'model.pth')
    for head in ({}, dict(label_spaces=[missing['data_root']])):
        assert spaces_of(config_of(missing, **head), tmp_path / 'model.pth') == known
        with pytest.raises((DataError, LabelSpaceError), match=r'gone.*: no such f'):
            complete_label_spaces(config_of(missing, **head))
    assert spaces_of(config_of(folder('shop', FACADE)), tmp_path / 'model.pth') == known
    assert [space.name for space in spaces_of(config_of(folder('shop', FACADE)), 'https://x.org/a.pth')] == ['shop']
    with pytest.raises(CheckpointError, match='none.pth: does not exist'):
        complete_label_spaces(config_of(missing), tmp_path / 'none.pth')
    with pytest.raises(LabelSpaceError, match='has no train_dataloader'):
        complete_label_spaces(Config(dict(model=dict(decode_head={}))))
    complete_label_spaces(Config(dict(model=dict(type='mmlmseg.SegmentorUnion'))))  # its members have theirs


def test_a_checkpoint_of_fewer_label_spaces_takes_the_rest_along(
    folder: Callable[..., dict[str, Any]], model_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """A model trained with --datasets is tested by the config of them all: what that says of the others goes."""
    street, facade = folder('street', STREET), folder('facade', FACADE)
    known = LabelSpace.create('street', STREET)
    torch.save(dict(state_dict=MODELS.build(model_config([known])).state_dict()), tmp_path / 'model.pth')
    said = dict(street=dict(object=0.6), facade=dict(object=0.7))
    listed = [dict(path=street['data_root'], synonyms=dict(car=['automobile'])), facade['data_root']]
    for head, synonyms in ({}, ()), (dict(label_spaces=listed), ('automobile',)):
        cfg = config_of(street, facade, adapters=dict(street={}, facade={}), **head)
        cfg.model.test_cfg = dict(panoptic=dict(per_space=dict(said)))
        (space,) = spaces_of(cfg, tmp_path / 'model.pth')
        assert (space.name, space.synonyms[2]) == ('street', synonyms)
        assert list(cfg.model.decode_head.adapters) == list(cfg.model.test_cfg.panoptic.per_space) == ['street']


@pytest.fixture
def cfg() -> Config:
    """Three datasets of two label spaces, one that is only scored, and all that a config may say of each."""
    first, second = dict(type='CityscapesDataset'), dict(type='ADE20KDataset')
    cfg = config_of(first, second, first, names=['day', 'ade', 'night'])
    both = dict(type='mmlmseg.MultiSpaceFolderDataset', folders=[])
    both['folders'] = [dict(data_root=name, metainfo=dict(label_space=name)) for name in ('cityscapes', 'ade20k')]
    cfg.merge_from_dict(
        dict(
            default_hooks=dict(checkpoint=dict(save_best='both/PIQ', interval=500)),
            model=dict(
                test_cfg=dict(panoptic=dict(per_space=dict(ade20k=dict(object=0.7)))),
                decode_head=dict(adapters=dict(cityscapes={})),
            ),
            train_cfg=dict(max_iters=4000, val_interval=1000),
            param_scheduler=dict(type='PolyLR', end=4000),
        )
    )
    for split in ('val', 'test'):
        data = cfg[f'{split}_dataloader'].dataset
        data.datasets, data.names = [*data.datasets, both], [*data.names, 'both']
        cfg[f'{split}_evaluator'].per_dataset = dict(both=[], night=[])
    return cfg


def test_what_is_said_of_other_datasets_goes(cfg: Config, capsys: pytest.CaptureFixture[str]) -> None:
    restrict(cfg, ['night', 'day'])
    assert cfg.train_dataloader.dataset.names == ['night', 'day']
    assert cfg.val_dataloader.dataset.names == cfg.test_dataloader.dataset.names == ['day', 'night']
    assert list(cfg.val_evaluator.per_dataset) == ['night']
    assert cfg.model.test_cfg.panoptic.per_space == {}
    assert list(cfg.model.decode_head.adapters) == ['cityscapes']
    assert [space.name for space in spaces_of(cfg)] == ['cityscapes']
    assert cfg.default_hooks.checkpoint.save_best is None
    assert 'no best checkpoint is kept: both/PIQ' in capsys.readouterr().out


def test_what_is_said_of_these_datasets_stays(cfg: Config, capsys: pytest.CaptureFixture[str]) -> None:
    restrict(cfg, ['ade', 'day'])
    assert cfg.val_dataloader.dataset.names == ['day', 'ade', 'night', 'both']  # all in label spaces of the model
    assert cfg.default_hooks.checkpoint.save_best == 'both/PIQ'
    assert list(cfg.model.test_cfg.panoptic.per_space) == ['ade20k']
    cfg.default_hooks.checkpoint.save_best = 'mean/mIoU'
    restrict(cfg, ['ade'])
    assert cfg.val_dataloader.dataset.names == ['ade']
    assert cfg.model.decode_head.adapters == {}
    assert cfg.default_hooks.checkpoint.save_best == 'mean/mIoU'
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
    ('ratio', 'left'),
    [
        ([1, 2, 3], dict(night=3, ade=2)),
        (dict(day=1, ade=2, night=3), dict(night=3, ade=2)),
        (dict(ade=2, nigth=3), dict(ade=2)),
        ('size', 'size'),
    ],
)
def test_the_ratio_of_a_sampler_follows(cfg: Config, ratio: Any, left: Any) -> None:
    cfg.train_dataloader.sampler = dict(type='mmlmseg.SameDatasetSampler', ratio=ratio)
    restrict(cfg, ['night', 'ade'])
    assert cfg.train_dataloader.sampler.ratio == left


@pytest.mark.parametrize(
    ('repeat', 'left'), [(dict(day=0.1, night=0.2), dict(night=0.2)), (0.1, 0.1), (dict(day=0.1), {})]
)
def test_what_repeats_the_images_of_a_sampler_follows(cfg: Config, repeat: Any, left: Any) -> None:
    cfg.train_dataloader.sampler = dict(type='mmlmseg.SameDatasetSampler', repeat=repeat)
    restrict(cfg, ['night', 'ade'])
    assert cfg.train_dataloader.sampler.repeat == left


@pytest.mark.parametrize(
    ('weights', 'left'),
    [
        (dict(cityscapes=dict(car=5.0), ade20k=dict(by='frequency')), dict(cityscapes=dict(car=5.0))),
        (dict(by='frequency', power=1.0), dict(by='frequency', power=1.0)),
    ],
)
def test_weights_of_classes_follow(cfg: Config, weights: Any, left: Any) -> None:
    cfg.model.decode_head.class_weights = weights
    restrict(cfg, ['night'])
    assert cfg.model.decode_head.class_weights == left


def test_the_folders_of_other_datasets_need_not_be_here(folder: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    listed: list[Any] = [f'{tmp_path}/gone/classes.json', dict(path=f'{tmp_path}/away', things=['car'])]
    street = folder('street', STREET)
    gone, away = (dict(type='mmlmseg.FolderDataset', data_root=f'{tmp_path}/{name}') for name in ('gone', 'away'))
    cfg = config_of(street, gone, away, label_spaces=[*listed, street['data_root']])
    restrict(cfg, ['street'])
    assert cfg.model.decode_head.label_spaces == [street['data_root']]


def test_a_loader_of_one_dataset_has_none_to_choose(cfg: Config) -> None:
    cfg.train_dataloader.dataset = dict(type='CityscapesDataset')
    with pytest.raises(OptionError, match='CityscapesDataset: is one dataset; some can be chosen only of'):
        restrict(cfg, ['cityscapes'])


def test_a_training_of_another_length(cfg: Config) -> None:
    set_length(cfg, 8000)
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval, cfg.param_scheduler.end) == (8000, 1000, 8000)
    assert cfg.default_hooks.checkpoint.interval == 500
    set_length(cfg, 300)
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval, cfg.param_scheduler.end) == (300, 300, 300)
    assert cfg.default_hooks.checkpoint.interval == 300
    warm_up = dict(type='LinearLR', start_factor=0.1, begin=0, end=1500, by_epoch=False)
    cosine = dict(type='CosineAnnealingLR', begin=1500, T_max=88500, by_epoch=False)
    cfg.train_cfg.max_iters, cfg.param_scheduler = 90000, [warm_up, cosine]
    set_length(cfg, 20)
    assert [cfg.param_scheduler[0].end, cfg.param_scheduler[1].begin, cfg.param_scheduler[1].T_max] == [1, 0, 20]
    for iterations in (0, -1):
        with pytest.raises(OptionError, match=f'{iterations} iterations: a training has at least one'):
            set_length(cfg, iterations)
    with pytest.raises(OptionError, match='counts iterations'):
        set_length(Config(dict(train_cfg=dict(max_epochs=3))), 100)


def test_folders_named_otherwise_are_named_in_the_config(tmp_path: Path) -> None:
    for folder, name in (('plain', 'plain'), ('second', 'facade')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'classes.json').write_text(json.dumps(dict(name=name, classes=['wall', folder])))
    parts = [dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / name)) for name in ('plain', 'second')]
    both = dict(type='mmlmseg.MultiSpaceFolderDataset', folders=[dict(data_root=part['data_root']) for part in parts])
    loader = dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=parts))
    scored = dict(dataset=dict(datasets=[dict(type='RepeatDataset', dataset=parts[1]), both]))
    cfg = Config(dict(model=dict(decode_head=dict()), train_dataloader=loader, test_dataloader=scored))
    complete_label_spaces(cfg)
    assert 'metainfo' not in cfg.train_dataloader.dataset.datasets[0]
    for folder in ('plain', 'second'):
        (tmp_path / folder / 'classes.json').unlink()
    assert [space_names(part) for part in cfg.train_dataloader.dataset.datasets] == [('plain',), ('facade',)]
    assert [space_names(part) for part in cfg.test_dataloader.dataset.datasets] == [('facade',), ('plain', 'facade')]


def test_relations_are_written_out_and_follow_the_datasets(
    folder: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / 'relations.yml'
    file.write_text('same: [[street:sky, town:sky]]\ninside: [[facade:window, town:house]]\n')
    datasets = [folder('street', STREET), folder('facade', FACADE), folder('town', ['sky', 'house'])]
    cfg = config_of(*datasets, relations=str(file))
    cfg.model.test_cfg = dict(mixed=dict(relations=str(file)))
    complete_label_spaces(cfg)
    both = dict(same=[['street:sky', 'town:sky']], inside=[['facade:window', 'town:house']])
    assert cfg.model.decode_head.relations == cfg.model.test_cfg.mixed.relations == both
    cfg = config_of(*datasets, names=['street', 'facade', 'town'], relations=str(file))
    restrict(cfg, ['facade', 'town'])
    assert cfg.model.decode_head.relations == dict(inside=both['inside'])
