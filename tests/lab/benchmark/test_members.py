"""Models of one dataset each, trained one after the other and asked together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mmlmseg.errors import CheckpointError
from mmlmseg.lab.benchmark import Benchmark, Run, execute, make_report, run_config
from mmlmseg.lab.benchmark.members import weights_of_members
from mmlmseg.lab.benchmark.statistics import NUM_RESAMPLES

TINY: dict[str, Any] = {
    'model.backbone.base_channels': 8,
    'model.decode_head.in_channels': [8, 16, 32, 64],
    'model.decode_head.channels': 32,
    'model.decode_head.decoder.num_layers': 1,
    'model.test_cfg': dict(panoptic=dict(object=0.0, overlap=0.3)),
    'train_dataloader.batch_size': 2,
    **{f'{part}_dataloader.num_workers': 0 for part in ('train', 'val')},
    **{f'{part}_dataloader.persistent_workers': False for part in ('train', 'val')},
}


@pytest.fixture
def union(mixed: Benchmark) -> Run:
    return mixed.runs()[-1]


def test_missing_weights_tell_what_to_do(mixed: Benchmark, union: Run, tmp_path: Path) -> None:
    files = [tmp_path / f'singles_{name}_seed0' / 'iter_2.pth' for name in mixed.datasets]
    for file in files:
        file.parent.mkdir()
        file.touch()
    assert weights_of_members(mixed, union, tmp_path) == files
    files[1].rename(files[1].with_name('iter_1.pth'))
    message = (
        r'singles_labelmefacade_seed0/iter_2\.pth: no such file, but singles_union_seed0 needs the last checkpoint of '
        r'singles_labelmefacade_seed0; give the --work-dir of that run, or delete its line from bench\.jsonl'
    )
    with pytest.raises(CheckpointError, match=message):
        execute(mixed, union, run_config(mixed, union, {}, tmp_path))


@pytest.mark.slow
def test_from_training_to_the_table(mixed: Benchmark, tmp_path: Path) -> None:
    short = replace(mixed, options=TINY, iterations=1)

    def do(run: Run) -> dict[str, Any]:
        return {**execute(short, run, run_config(short, run, {}, tmp_path)), 'options': {}}

    lines = {run.name: do(run) for run in short.runs()}
    joint, street, facade, union = lines.values()
    assert [line['members'] for line in lines.values()] == [[], [], [], [street['run'], facade['run']]]
    assert [line['iterations'] for line in lines.values()] == [2, 1, 1, 2]
    assert [list(line['scores']) for line in lines.values()] == [['both', 'camvid11'], ['camvid11'], [], ['both']]
    assert [list(line['resamples']) for line in lines.values()] == [['both'], [], [], ['both']]
    for line in (joint, union):
        assert line['readings'] == {'both': {2: line['scores']['both']['PIQ']}}
        assert len(line['resamples']['both']) == NUM_RESAMPLES
    assert union['parameters'] == street['parameters'] + facade['parameters']
    assert union['text'] == 'none'

    report = make_report(short, lines)
    assert report.missing == []
    first, second = report.rows
    assert (second.models, second.cost, first.cost) == (2, 2, 2)
    assert second.scores == {'both': union['scores']['both']['PIQ']}
    assert second.also == {
        'camvid11/mIoU': street['scores']['camvid11']['mIoU'],
        'both/PIQ_st': union['scores']['both']['PIQ_st'],
    }

    # It is their weights that are evaluated.
    file = tmp_path / 'singles_labelmefacade_seed0' / 'iter_1.pth'
    checkpoint = torch.load(file, weights_only=True)
    del checkpoint['state_dict']['decode_head.classifier.layers.0.bias']
    torch.save(checkpoint, file)
    with pytest.raises(CheckpointError, match=r'singles_labelmefacade_seed0/iter_1\.pth: .*layers\.0\.bias is missing'):
        do(short.runs()[-1])
