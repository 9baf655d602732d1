from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmseg.datasets import MapillaryDataset_v1

from mmlmseg.datasets import MapillaryVistas65Dataset, MultiDataset


def test_unlabeled_is_no_class(make_folder: Callable[..., Path], pipeline: list[dict[str, Any]]) -> None:
    old = MapillaryDataset_v1.METAINFO
    assert MapillaryVistas65Dataset.METAINFO['classes'] == tuple(old['classes'][:65])
    assert len(MapillaryVistas65Dataset.METAINFO['palette']) == 65
    root = make_folder(train=1, val=0, size=(2, 67))
    cv2.imwrite(str(root / 'labels' / 'train_0.png'), np.array([[*range(66), 255]] * 2, np.uint8))
    config = dict(
        type='mmlmseg.MapillaryVistas65Dataset',
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        pipeline=pipeline,
    )
    dataset = MultiDataset([config])
    assert dataset.names == ['mapillaryvistas65']
    assert dataset[0]['data_samples'].gt_sem_seg.data.flatten().tolist() == 2 * [*range(65), 255, 255]
    some = MapillaryVistas65Dataset(metainfo=dict(classes=old['classes'][2:4]), lazy_init=True)
    assert some.label_map[2] == 0
    assert some.label_map[0] == 255
    assert some.label_map[65] == 255
