"""What a head makes of samples that are labelled for some classes only."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.structures import Categories


def sample(space: str, seg: list[int], labels: Any = None, partly: Any = ()) -> SegDataSample:
    """One row of pixels; the classes that were looked for, and those that are marked in part."""
    made = SegDataSample(gt_sem_seg=PixelData(data=torch.tensor([[seg]])))
    known = {} if labels is None else dict(federated=dict(labels=tuple(labels), not_exhaustive=tuple(partly)))
    made.set_metainfo(dict(label_spaces=(space,), img_path='a.jpg', **known))
    return made


def build(model_config: Any, **options: Any) -> Any:
    return MODELS.build(model_config(**options)['decode_head'])


def learned(head: Any, samples: list[SegDataSample]) -> Categories:
    found: Categories = head.categories_to_learn(samples, [head.targets(samples)])
    return found


@pytest.mark.parametrize('text', [True, False])
def test_a_sample_is_told_apart_among_what_was_looked_for(model_config, text: bool) -> None:
    head = build(model_config, text=text)
    samples = [sample('street', [0, 4], labels=[0, 2, 4]), sample('facade', [1, 1]), sample('facade', [2], labels=[2])]
    samples[2].gt_sem_seg = PixelData(data=torch.tensor([[[2, 2]]]))
    categories = learned(head, samples)
    expected = torch.tensor([[1, 0, 1, 0, 1, 1], [1, 1, 1, 0, 0, 1], [0, 0, 1, 0, 0, 1]], dtype=torch.bool)
    assert categories.valid.equal(expected)
    if text:  # what the category-guided decoder reads
        assert (categories.rows.abs().sum(-1) > 0).equal(expected)
    else:
        assert categories.rows is None


def test_lists_are_of_a_batch_that_is_wider_than_a_group(model_config) -> None:
    head = build(model_config)
    narrow = [sample('facade', [1], labels=[1, 2], partly=[1])]
    targets = head.targets(narrow)
    assert targets.unmarked.tolist() == [[False, True, False]]
    wide = [sample('street', [0])]
    categories = head.categories_to_learn([*narrow, *wide], [targets, head.targets(wide)])
    assert categories.valid[0].tolist() == [False, True, True, False, False, True]
    assert categories.valid[1].all()


def test_without_lists_there_is_nothing_new(model_config) -> None:
    head = build(model_config)
    samples = [sample('street', [0, 4]), sample('facade', [1, 1])]
    assert head.targets(samples).unmarked is None
    assert head.targets([sample('street', [0], labels=[0])]).unmarked is None
    assert learned(head, samples).valid.equal(head.categories(['street', 'facade']).valid)


def test_classes_may_leave_a_list_for_both_reasons(model_config) -> None:
    head = build(model_config, drop_absent=0.5)
    samples = [sample('street', [0, 4], labels=[0, 1, 2, 4])] * 60
    valid = learned(head, samples).valid
    assert valid[:, [0, 4, 5]].all()
    assert not valid[:, 3].any()
    assert 0.3 < valid[:, [1, 2]].float().mean() < 0.7


def test_stuff_stays_off_the_list_of_instances(model_config) -> None:
    space = LabelSpace.create('street', ['sky', 'tree', 'car'], things=['tree', 'car'])
    head = build(model_config, label_spaces=[space], things_only=True)
    made = sample('street', [0], labels=[0, 2])
    assert head.categories(['street']).valid.tolist() == [[False, True, True, True]]
    assert head.categories_to_learn([made], []).valid.tolist() == [[False, False, True, True]]


def test_one_list_for_all_images_is_refused(model_config) -> None:
    head = build(model_config, text=False, classifier=dict(type='mmlmseg.UnifiedClassifier'))
    made = sample('street', [0], labels=[0])
    with pytest.raises(OptionError, match='UnifiedClassifier has one list.*labelled for some classes only.*Linear'):
        head.categories_to_learn([made], [])


@pytest.mark.parametrize('classifier', ['mmlmseg.TextClassifier', 'mmlmseg.LinearClassifier'])
@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_what_nobody_looked_for_is_not_learned(model_config, classifier: str, activation: str) -> None:
    """A step of the whole model: no gradient reaches what makes up the logit of a class that is off the list."""
    text = classifier == 'mmlmseg.TextClassifier'
    model = MODELS.build(
        model_config(text=text, classifier=dict(type=classifier), class_activation=activation, drop_absent=0.0)
    )
    model.decode_head.drop_absent = 0.0
    head = model.decode_head
    columns = []
    head.classifier.register_forward_hook(lambda *call: columns.append(call[2]) or call[2].retain_grad())
    made = sample('street', [0] * 64, labels=[0, 2, 4], partly=[0, 4])
    made.gt_sem_seg = PixelData(data=torch.zeros(1, 64, 64, dtype=torch.long))
    made.set_metainfo(dict(img_shape=(64, 64), batch_input_shape=(64, 64), ori_shape=(64, 64)))
    losses = model.loss(torch.rand(1, 3, 64, 64), [made])
    sum(losses.values()).backward()
    grad = columns[0].grad.abs().sum((0, 1))  # [N, K + 1]
    assert grad.isfinite().all()
    assert (grad[:, [1, 3]] == 0).all()
    assert (grad[:, 2] > 0).all()
    assert (grad[:, 4] > 0).sum() <= columns[0].shape[0]  # of the query that is matched in each layer
    assert (grad[:, 4] > 0).any()
