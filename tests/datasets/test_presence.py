from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmlmseg.class_weights import ByFrequency
from mmlmseg.datasets import MultiDataset, PerImageSampler, presence
from mmlmseg.datasets.presence import Presence, count_presence, frequencies_by_space
from mmlmseg.datasets.presence_file import write_presence
from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.segments import SegmentMap

Folder = Callable[..., Path]
LOAD = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations'), dict(type='mmseg.PackSegInputs')]
SEGMENTS = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments'), dict(type='mmlmseg.PackSegments')]


def labelled(root: Path, *maps: list[list[int]], folder: str = 'labels') -> dict[str, Any]:
    """The config of a folder whose training images have these label maps, made as large as the images."""
    (root / folder).mkdir(exist_ok=True)
    for i, ids in enumerate(maps):
        cells = np.array(ids, np.uint8).repeat(24 // len(ids), 0).repeat(32 // len(ids[0]), 1)
        cv2.imwrite(str(root / folder / f'train_{i}.png'), cells)
    return dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=LOAD)


def joined(*datasets: dict[str, Any], **more: Any) -> MultiDataset:
    return MultiDataset(list(datasets), **more)


def held(dataset: MultiDataset) -> list[tuple[int, ...]]:
    """What the images hold, told from the samples that a training sees."""
    found = []
    for i in range(len(dataset)):
        sample = dataset[i]['data_samples']
        if isinstance(segments := sample.get('gt_segments'), SegmentMap):
            of_objects = zip(segments.labels.tolist(), segments.crowd.tolist(), strict=True)
            found.append(tuple(sorted({label for label, crowd in of_objects if not crowd})))
        else:
            found.append(tuple(label for label in sample.gt_sem_seg.data.unique().tolist() if label != 255))
    return found


def test_labels_are_counted_as_they_are_loaded(make_folder: Folder) -> None:
    plain = labelled(make_folder(train=3), [[0, 255]], [[2, 0]], [[255]])
    shifted = labelled(make_folder('wide', ignore=4, train=2), [[0, 1]], [[4, 2]])
    dataset = joined(
        plain,
        dict(shifted, reduce_zero_label=True, metainfo=dict(label_space='from_one')),
        dict(type='RepeatDataset', times=2, dataset=dict(plain, ignore_index=2)),
        names=['plain', 'from_one', 'twice'],
    )
    first, second, third = dataset.presence
    assert first.images == ((0,), (0, 2), ())
    assert second.images == ((0,), (1,))  # 0 and 4 are ignored
    assert third.images == ((0,), (0,), ()) * 2
    assert [image for own in dataset.presence for image in own.images] == held(dataset)
    assert first.counts.tolist() == [2, 0, 1]
    assert first.frequencies == pytest.approx([2 / 3, 0, 1 / 3])


def test_labels_of_joined_and_other_datasets_are_those_of_their_own_loading(make_folder: Folder) -> None:
    root, other = make_folder(train=3), make_folder('wide', train=1)
    parts = [labelled(root, [[0]], [[2, 0]], [[1]]), labelled(other, [[1, 2]])]
    for part in parts:
        part['metainfo'] = dict(label_space='both')
    stock = dict(
        type='mmseg.BaseSegDataset',
        metainfo=dict(classes=['road', 'sky', 'car'], label_space='stock'),
        data_prefix=dict(img_path=str(root / 'images'), seg_map_path=str(root / 'labels')),
        ann_file=str(root / 'train.txt'),
        img_suffix='.jpg',
        pipeline=[dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations'), dict(type='mmseg.PackSegInputs')],
    )
    dataset = joined(dict(type='ConcatDataset', datasets=parts), stock, names=['both', 'stock'])
    assert dataset.presence[0].images == ((0,), (0, 2), (1,), (1, 2))
    assert dataset.presence[1].images == ((0,), (0, 2), (1,))


def test_objects_and_segments_are_counted_without_crowds(make_coco: Callable[..., Path], make_folder: Folder) -> None:
    root = make_coco()
    panoptic = dict(
        type='mmlmseg.PanopticDataset',
        ann_file=str(root / 'panoptic.json'),
        data_prefix=dict(img_path=str(root / 'images'), seg_map_path=str(root / 'panoptic')),
        metainfo=dict(label_space='coco'),
        pipeline=SEGMENTS,
    )
    objects = root / 'objects.json'
    square = [0, 0, 8, 0, 8, 8, 0, 8]
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', height=24, width=32) for i in range(2)],
        categories=[dict(id=5, name='nut'), dict(id=2, name='screw')],
        annotations=[
            dict(id=i, image_id=0, category_id=c, iscrowd=crowd, segmentation=[square])
            for i, (c, crowd) in enumerate([(2, 0), (2, 0), (5, 1)])
        ],
    )
    objects.write_text(json.dumps(content))
    instances = dict(
        type='mmlmseg.InstanceDataset',
        ann_file=str(objects),
        data_prefix=dict(img_path=str(root / 'images')),
        metainfo=dict(label_space='parts'),
        pipeline=SEGMENTS,
    )
    street = make_folder(things=['car'], train=2)
    folder = dict(labelled(street, [[0, 2]], [[0, 2]]), pipeline=SEGMENTS)
    labelled(street, [[0, 7]], [[0, 0]], folder='instances')  # in the second, the car is in no instance
    dataset = joined(panoptic, instances, folder)
    assert dataset.presence[1].images == ((1,), ())
    assert dataset.presence[2].images == ((0, 2), (0,))
    assert [image for own in dataset.presence for image in own.images] == held(dataset)


def test_frequencies_are_those_of_all_datasets_of_a_space(make_folder: Folder) -> None:
    first = labelled(make_folder(train=3), [[0]], [[0, 1]], [[255]])
    second = labelled(make_folder('night', train=1), [[1]])
    second['metainfo'] = first['metainfo'] = dict(label_space='road')
    other = labelled(make_folder('wide', train=1), [[2]])
    shares = frequencies_by_space(joined(first, second, other, names=['day', 'night', 'wide']))
    assert shares == dict(road=[0.5, 0.5, 0.0], wide=[0.0, 0.0, 1.0])


def test_processes_count_a_share_each(make_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = joined(labelled(make_folder(train=5), [[0]], [[1]], [[2]], [[0, 1]], [[0, 2]]))
    other = [presence._count_share(dataset, 0, 1, 2)]
    assert other == [[(1,), (0, 1)]]
    monkeypatch.setattr(presence, 'get_dist_info', lambda: (0, 2))
    monkeypatch.setattr(presence, 'all_gather_object', lambda own: [own, other])
    assert count_presence(dataset)[0].images == ((0,), (1,), (2,), (0, 1), (0, 2))
    monkeypatch.setattr(presence, 'all_gather_object', lambda own: [own, DataError('there')])
    with pytest.raises(DataError, match='there'):  # what another process found wrong
        count_presence(dataset)


def test_damaged_labels_are_named_and_as_many_passed_over_as_a_training_does(make_folder: Folder) -> None:
    root = make_folder(train=3)
    config = labelled(root, [[0]], [[9]], [[1]])
    with pytest.raises(DataError, match=r"dataset 'street', sample 1.*train_1\.png.*label id 9"):
        joined(config).presence  # noqa: B018
    assert joined(config, skip_damaged=1).presence[0].images == ((0,), (), (1,))
    (root / 'labels' / 'train_2.png').write_bytes(b'no image')
    with pytest.raises(DataError, match='sample'):
        joined(config, skip_damaged=1).presence  # noqa: B018


def test_truth_in_several_spaces_is_no_training_data(make_folder: Folder) -> None:
    folders = [dict(data_root=str(make_folder(name))) for name in ('street', 'city')]
    several = dict(type='mmlmseg.MultiSpaceFolderDataset', folders=folders, split='train', pipeline=SEGMENTS)
    with pytest.raises(LabelSpaceError, match="'street\\+city' has 2 label spaces"):
        joined(several).presence  # noqa: B018


def test_a_file_spares_the_counting(make_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [labelled(make_folder(name, train=2), [[0, 1]], [[2]]) for name in ('street', 'town')]
    file = tmp_path / 'counts' / 'presence.json'
    write_presence(joined(*parts), file)
    monkeypatch.setattr(presence, '_labels_held', None)
    read = joined(parts[1], class_presence=file).presence  # one of them, as with --datasets
    assert read == [Presence(('road', 'sky', 'car'), ((0, 1), (2,)))]


def test_what_the_documentation_says_of_a_real_dataset(shared_data: Path) -> None:
    dataset = joined(dict(type='mmlmseg.FolderDataset', data_root=str(shared_data / 'ccp'), pipeline=LOAD))
    (counted,) = dataset.presence
    assert len(counted.images) == 310
    assert (counted.counts > 0).sum() == 53
    rarest, most = counted.classes.index('earrings'), counted.classes.index('skin')
    assert (counted.counts[rarest], counted.counts[most]) == (1, 310)
    shares = []
    for repeat in (None, 0.1):
        sampler = PerImageSampler(dataset, repeat=repeat, seed=0)
        length = sampler._passes[0].length * 20
        drawn = np.bincount(np.fromiter(islice(sampler, length), int), minlength=310) / length
        shares.append(
            [100 * sum(drawn[i] for i, image in enumerate(counted.images) if c in image) for c in (rarest, most)]
        )
    assert shares[0] == pytest.approx([0.32, 100], abs=0.01)
    assert shares[1] == pytest.approx([1.22, 100], abs=0.1)
    weights = ByFrequency('frequency')(counted.frequencies)
    assert [weights[rarest], weights[most]] == pytest.approx([5.0, 0.5], abs=0.05)
