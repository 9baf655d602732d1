"""Files of weights and folders of runs that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModule
from refusals import Refusals
from torch import nn

from mmlmseg.checkpoint import check_complete
from mmlmseg.checkpoint_files import check_checkpoint_file, load_safely, newest_checkpoint, read_checkpoint
from mmlmseg.errors import CheckpointError

REFUSALS = Refusals()


class Foreign:
    """Harmless, but on nobody's list of what may be loaded."""


def saved(folder: Path, name: str = 'a.pth', **content: Any) -> Path:
    torch.save({'state_dict': {'conv.weight': torch.ones(2)}, **content}, folder / name)
    return folder / name


@REFUSALS.by(CheckpointError, 'b.pth: does not exist', 'its folder holds a.pth', 'Did you mean: a.pth?')
def no_such_file(folder: Path) -> None:
    read_checkpoint(saved(folder).with_name('b.pth'))


@REFUSALS.by(CheckpointError, 'does not exist, nor does its folder')
def no_such_folder(folder: Path) -> None:
    read_checkpoint(folder / 'absent' / 'a.pth')


@REFUSALS.by(CheckpointError, 'is a folder; name a checkpoint file in it', 'a.pth')
def a_folder(folder: Path) -> None:
    read_checkpoint(saved(folder).parent)


@REFUSALS.by(CheckpointError, 'a.pth: is empty; it was not written to the end')
def an_empty_file(folder: Path) -> None:
    (folder / 'a.pth').touch()
    read_checkpoint(folder / 'a.pth')


@REFUSALS.by(CheckpointError, 'a.pth: is truncated', 'copy it again or use an earlier one')
def half_a_file(folder: Path) -> None:
    file = saved(folder)
    file.write_bytes(file.read_bytes()[:300])
    read_checkpoint(file)


@REFUSALS.by(CheckpointError, 'a.pth: is not a checkpoint; give one written by training')
def a_text(folder: Path) -> None:
    (folder / 'a.pth').write_text('weights')
    read_checkpoint(folder / 'a.pth')


@REFUSALS.by(CheckpointError, "it holds a list without 'state_dict'")
def a_list_of_tensors(folder: Path) -> None:
    torch.save([torch.ones(1)], folder / 'a.pth')
    read_checkpoint(folder / 'a.pth')


@REFUSALS.by(CheckpointError, 'Linear', 'is not loaded since it could run code', 'save the weights alone')
def a_whole_module(folder: Path) -> None:
    torch.save(nn.Linear(1, 1), folder / 'a.pth')
    read_checkpoint(folder / 'a.pth')


@REFUSALS.by(CheckpointError, 'Foreign', 'is not loaded since it could run code', 'save the weights alone')
def an_object_of_the_users_own(folder: Path) -> None:
    read_checkpoint(saved(folder, meta=Foreign()))


@REFUSALS.by(CheckpointError, 'Foreign', 'is not loaded since it could run code')
def such_an_object_in_weights_of_a_part(folder: Path) -> None:
    BaseModule(init_cfg=dict(type='Pretrained', checkpoint=str(saved(folder, meta=Foreign())))).init_weights()


@REFUSALS.by(CheckpointError, 'a.pth: conv.weight holds NaN or infinite numbers', 'use an earlier checkpoint')
def weights_of_nan(folder: Path) -> None:
    read_checkpoint(saved(folder, state_dict={'conv.weight': torch.full((2,), float('nan'))}))


@REFUSALS.by(CheckpointError, 'head.weight holds NaN or infinite numbers')
def infinite_weights_of_detectron2(folder: Path) -> None:
    torch.save({'model': {'head.weight': torch.tensor([float('inf')])}}, folder / 'a.pth')
    load_safely(folder / 'a.pth')


@REFUSALS.by(CheckpointError, 'conv.weight is of torch.uint8, but weights are floating-point numbers', 'quantised')
def quantised_weights(folder: Path) -> None:
    read_checkpoint(saved(folder, state_dict={'conv.weight': torch.ones(2, dtype=torch.uint8)}))


@REFUSALS.by(CheckpointError, 'scale is of torch.int64, in the model of torch.float32')
def integers_for_another_parameter(folder: Path) -> None:
    module = nn.Module()
    module.scale = nn.Parameter(torch.ones(1))
    check_complete(module, {'scale': torch.ones(1, dtype=torch.int64)}, '')


@REFUSALS.by(CheckpointError, 'cannot be resumed from, it lacks', 'optimizer', 'start anew', 'load_from')
def resuming_from_published_weights(folder: Path) -> None:
    check_checkpoint_file(saved(folder), resume=True)


@REFUSALS.by(CheckpointError, 'holds no checkpoint that can be resumed from', 'iter_4.pth: is empty')
def a_run_of_which_nothing_is_whole(folder: Path) -> None:
    (folder / 'iter_4.pth').touch()
    newest_checkpoint(folder)
