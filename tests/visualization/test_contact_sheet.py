"""Contact sheets of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.errors import DataError, OptionError
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.label_space import LabelSpace
from mmlmseg.segments import SegmentMap
from mmlmseg.visualization.contact_sheet import build_datasets, contact_sheet, sample_panels

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='mmlmseg.LoadSegments'),
    dict(type='RandomCrop', crop_size=(40, 48)),
    dict(type='mmlmseg.PackSegments'),
]


SPACES = ('street', 'facade')


@pytest.fixture(scope='module')
def roots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp('scenes')
    return [write_folder_dataset(folder / name, name, range(4), range(4, 5), size=(48, 64)) for name in SPACES]


@pytest.fixture
def config(roots: list[Path]) -> dict[str, Any]:
    folders = [dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=PIPELINE) for root in roots]
    train = dict(type='mmlmseg.MultiDataset', datasets=[dict(folder, split='train') for folder in folders])
    repeated = dict(type='RepeatDataset', times=2, dataset=dict(folders[1], split='val'))
    return dict(train_dataloader=dict(dataset=train), val_dataloader=dict(dataset=repeated), test_dataloader=None)


def test_splits_datasets_and_their_names(config: dict[str, Any]) -> None:
    both = build_datasets(config, 'train')
    assert (both.names, both.sizes) == (['street', 'facade'], [4, 4])
    single = build_datasets(config, 'val')
    assert (single.names, single.sizes) == (['facade'], [1])
    with pytest.raises(OptionError, match=r'--split test: the config has no test_dataloader'):
        build_datasets(config, 'test')
    with pytest.raises(OptionError, match=r'--dataset facades: .*\(street, facade\)\. Did you mean: facade\?'):
        build_datasets(config, 'train', 'facades')
    dataset = config['train_dataloader']['dataset']
    dataset['datasets'][0]['data_root'] = 'absent'
    assert build_datasets(config, 'train', 'facade').names == ['facade']
    with pytest.raises(DataError, match=r'absent: no such folder'):
        build_datasets(config, 'train')
    dataset['names'] = ['a', 'b']
    assert build_datasets(config, 'train', 'b').spaces[0][0].name == 'facade'


def test_a_sheet_depends_on_its_seed_only(config: dict[str, Any]) -> None:
    both = build_datasets(config, 'train')
    first = contact_sheet(both, 'facade', number=3, seed=1)
    assert first.shape[1] == 4 * 320 + 5 * 10
    contact_sheet(both, 'street', number=2, seed=1)
    np.testing.assert_array_equal(contact_sheet(build_datasets(config, 'train', 'facade'), 'facade', 3, 1), first)
    assert not np.array_equal(contact_sheet(both, 'facade', 4, seed=2), contact_sheet(both, 'facade', 4, seed=3))
    all_of_them = contact_sheet(both, 'facade', number=99, seed=1)
    assert all_of_them.shape[0] > 2 * 320 * 40 / 48  # four samples, two a row


@pytest.mark.parametrize('panoptic', [False, True])
def test_a_sample_shows_what_was_packed(panoptic: bool) -> None:
    space = LabelSpace.create('a', ['road', 'car'], things=['car'], palette=[(1, 2, 3), (90, 80, 70)])
    inputs = torch.zeros(3, 6, 8, dtype=torch.uint8)
    inputs[2] = 255  # BGR: red
    sample = SegDataSample(metainfo=dict(img_path='x/photo.jpg'))
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 6, 8, dtype=torch.int64))
    if panoptic:
        ids = torch.ones(1, 6, 8, dtype=torch.int32)
        sample.gt_segments = SegmentMap(ids, torch.tensor([1]), crowd=torch.tensor([False]))
    image, truth = sample_panels(dict(inputs=inputs, data_samples=sample), [space])
    assert image.title == '8x6, photo'
    assert (image.image == (255, 0, 0)).all()
    assert [*truth.entries] == ([('car 100%', (90, 80, 70))] if panoptic else [('road 100%', (1, 2, 3))])
    sample = SegDataSample(metainfo=dict(img_path='x/photo.jpg'))
    assert len(sample_panels(dict(inputs=inputs, data_samples=sample), [space])) == 1


def test_truth_in_several_spaces_has_a_panel_each(roots: list[Path]) -> None:
    folders: list[dict[str, Any]] = [dict(data_root=str(roots[0])) for _ in range(2)]
    folders[1]['metainfo'] = dict(label_space='again')  # the same truth under another name
    pipeline = [*PIPELINE[:2], PIPELINE[3]]
    of_both = dict(type='mmlmseg.MultiSpaceFolderDataset', folders=folders, pipeline=pipeline)
    of_one = dict(type='mmlmseg.FolderDataset', data_root=str(roots[0]), split='val', pipeline=pipeline)
    both, single = (build_datasets(dict(val_dataloader=dict(dataset=d)), 'val') for d in (of_both, of_one))
    truths = sample_panels(both[0], both.spaces[0])[1:]
    assert [panel.title for panel in truths] == ['street', 'again']
    expected = sample_panels(single[0], single.spaces[0])[1]
    for panel in truths:
        assert sorted(panel.entries) == sorted(expected.entries)
        assert np.abs(panel.image.astype(int) - expected.image).mean() < 6  # shades of things may differ
    assert contact_sheet(both, 'street+again', number=1, seed=0).shape[1] > 3 * 320


def test_what_cannot_be_drawn_is_named() -> None:
    space = LabelSpace.create('street', ['road'])
    image = torch.zeros(3, 6, 8, dtype=torch.uint8)
    bad = [dict(img=0), dict(inputs=image.float(), data_samples=SegDataSample()), dict(inputs=[image], data_samples=[])]
    for sample in bad:
        with pytest.raises(DataError, match=r"dataset 'street': its pipeline packs no uint8 image.*PackSegInputs"):
            sample_panels(sample, [space])
