"""Confusion matrices within a label space and across two, against loops over pixels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.errors import DataError, OptionError
from mmlmseg.evaluation.confusion import Confusion, confusion_of, sorted_columns
from mmlmseg.label_space import LabelSpace

STREET = LabelSpace.create('street', ['sky', 'road', 'car'])
THINGS = LabelSpace.create('things', ['car', 'bus', 'bike', 'nothing'])


class Told:
    """Predicts what each sample was told to, in the space that it is asked in."""

    def test_step(self, batch: dict[str, Any]) -> list[SegDataSample]:
        for sample in batch['data_samples']:
            sample.pred_sem_seg = PixelData(data=sample.told[sample.label_spaces[0]])
        return batch['data_samples']


def batches(images: int = 4) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(1)
    made = []
    for i in range(images):
        told = {s.name: torch.randint(s.num_classes, (1, 5, 6), generator=generator) for s in (STREET, THINGS)}
        label = torch.randint(2, (1, 5, 6), generator=generator)  # no car
        label[:, 0, :2] = 255
        sample = SegDataSample(metainfo=dict(told=told, label_spaces=('street',), img_path=f'{i}.png'))
        sample.gt_sem_seg = PixelData(data=label)
        made.append(dict(data_samples=[sample]))
    return made


@pytest.mark.parametrize('asked', [STREET, THINGS])
def test_counts_are_those_of_a_loop(asked: LabelSpace) -> None:
    found = confusion_of(Told(), batches(), STREET, asked)
    expected = np.zeros((3, asked.num_classes), dtype=int)
    for batch in batches():
        (sample,) = batch['data_samples']
        for true, seen in zip(sample.gt_sem_seg.data.flatten().tolist(), sample.told[asked.name].flatten().tolist()):
            if true != 255:
                expected[true, seen] += 1
    assert found.counts.tolist() == expected.tolist()
    assert (found.ignored, found.images) == (8, 4)
    said = json.loads(json.dumps(found.to_dict()))
    assert said['counts'] == expected.tolist()
    assert said['truth'] == dict(label_space='street', classes=['sky', 'road', 'car'])
    assert said['prediction'] == dict(label_space=asked.name, classes=list(asked.classes))
    assert (said['ignored_pixels'], said['images']) == (8, 4)
    assert found.shares[:2].sum(1).tolist() == pytest.approx([1, 1])
    assert found.shares[2].isnan().all()


def test_the_classes_that_correspond_come_first() -> None:
    counts = torch.tensor([[0, 0, 9, 1], [4, 0, 0, 0], [0, 0, 0, 0]])
    confusion = Confusion(STREET, THINGS, counts, ignored=0, images=1)
    assert confusion.best(1) == [('sky', 10, [('bike', 0.9)]), ('road', 4, [('car', 1.0)]), ('car', 0, [])]
    assert sorted_columns(counts) == [2, 3, 0, 1]


def test_what_does_not_fit_names_the_file() -> None:
    (batch,) = batches(1)
    batch['data_samples'][0].gt_sem_seg.data[0, 4, 4] = 3
    with pytest.raises(DataError, match=r'0\.png: label id 3 is outside 0\.\.2'):
        confusion_of(Told(), [batch], STREET, THINGS)
    (batch,) = batches(1)
    del batch['data_samples'][0].gt_sem_seg
    with pytest.raises(DataError, match=r'0\.png: has no gt_sem_seg.*LoadAnnotations'):
        confusion_of(Told(), [batch], STREET, THINGS)
    with pytest.raises(OptionError, match=r"no image of label space 'street'"):
        confusion_of(Told(), [], STREET, THINGS)
