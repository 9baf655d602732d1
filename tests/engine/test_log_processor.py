"""What a log says of an evaluation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.logging import MessageHub

from mmlmseg.engine import LogProcessor

RESULTS = {
    'val/time': [3.0, 1.0],
    'val/loss_ce': [3.0, 1.0],
    'val/lossless/mIoU': [3.0, 1.0],
    'val/mean/mIoU': [3.0, 1.0],
    'val/lossless/IoU.tree': [3.0, 1.0],
    'val/IoU.timetable': [3.0, 1.0],
    'val/val/aAcc': [3.0, 1.0],
}


@pytest.fixture
def runner() -> Any:
    hub = MessageHub('two evaluations')
    for key, values in RESULTS.items():
        for value in values:
            hub.update_scalar(key, value)
    loop = SimpleNamespace(dataloader=[0])
    return SimpleNamespace(message_hub=hub, val_dataloader=[0], val_loop=loop, iter=7, _train_loop=None)


@pytest.mark.parametrize('hierarchy', [False, True])
def test_results_are_the_last_and_those_of_classes_are_scalars_only(runner: Any, hierarchy: bool) -> None:
    own = [dict(data_src='val/aAcc', log_name='most/aAcc', method_name='max', window_size='global')]
    log = LogProcessor(by_epoch=False, log_with_hierarchy=hierarchy, custom_cfg=own)
    tag, line = log.get_log_after_epoch(runner, 1, 'val')
    found = {key.removeprefix('val/') if hierarchy else key: value for key, value in tag.items()}
    assert found.pop('most/aAcc') == 3.0
    assert {key: value for key, value in found.items() if key not in ('time', 'data_time')} == {
        'loss_ce': 2.0,  # a mean, as mmengine has it
        'lossless/mIoU': 1.0,
        'mean/mIoU': 1.0,
        'lossless/IoU.tree': 1.0,
        'IoU.timetable': 1.0,
        'val/aAcc': 1.0,
    }
    assert 'lossless/mIoU: 1.0000' in line
    assert 'IoU.' not in line
