"""Parts of a model start from the weights that they name, or the model is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModule
from torch import nn

from mmlmseg.errors import CheckpointError
from mmlmseg.models.pretrained import Fit, load_pretrained
from mmlmseg.registry import MODELS


class Part(BaseModule):
    """Draws its weights anew after mmengine has loaded them, as some parts do."""

    def __init__(self, width: int = 2, init_cfg: Any = None, calls_base: bool = True) -> None:
        super().__init__(init_cfg)
        self.calls_base = calls_base
        self.layer = nn.Linear(width, 2)

    def init_weights(self) -> None:
        if self.calls_base:
            super().init_weights()
        nn.init.zeros_(self.layer.weight)


class Whole(BaseModule):
    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part


@pytest.fixture
def file(tmp_path: Path) -> str:
    torch.save(
        dict(state_dict={f'part.{key}': value + 1 for key, value in Part().state_dict().items()}), tmp_path / 'a.pth'
    )
    return str(tmp_path / 'a.pth')


def start(part: Part) -> Part:
    whole = Whole(part)
    load_pretrained(whole, whole.init_weights)
    return part


@pytest.mark.parametrize('calls_base', [True, False])
def test_weights_are_loaded_whatever_a_part_does_with_them(file: str, calls_base: bool) -> None:
    part = start(Part(init_cfg=dict(type='Pretrained', checkpoint=file, prefix='part'), calls_base=calls_base))
    there = torch.load(file)['state_dict']
    assert part.layer.weight.equal(there['part.layer.weight'])
    assert part.layer.bias.equal(there['part.layer.bias'])


def test_the_last_of_several_is_loaded(file: str) -> None:
    init_cfg = [dict(type='Constant', layer='Linear', val=7), dict(type='Pretrained', checkpoint=file, prefix='part.')]
    assert not start(Part(init_cfg=init_cfg)).layer.bias.eq(7).any()


def test_the_share_that_fits_is_told(file: str, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    said: list[str] = []
    monkeypatch.setattr('mmlmseg.models.pretrained.print_log', lambda message, *_: said.append(message))
    start(Part(width=3, init_cfg=dict(type='Pretrained', checkpoint=file, prefix='part.')))
    assert said == [
        f'model.part.init_cfg: 1 of 2 tensors loaded, 1 are of another shape from {file}'
    ]  # the bias has the same width


@pytest.mark.parametrize(
    ('prefix', 'message'),
    [
        (None, r"no tensor of .*a.pth fits, of 2 that are wanted: there are part.layer.*prefix='part.' 2 would fit"),
        (
            'backbone.',
            r"nothing in .*a.pth has the prefix 'backbone.': there are part.layer.*prefix='part.' would fit 2",
        ),
    ],
)
def test_a_file_of_which_nothing_fits_is_refused(file: str, prefix: str | None, message: str) -> None:
    init_cfg = dict(type='Pretrained', checkpoint=file, **({} if prefix is None else dict(prefix=prefix)))
    with pytest.raises(CheckpointError, match=message):
        start(Part(init_cfg=init_cfg))


def test_other_shapes_alone_are_refused() -> None:
    fit = Fit.of(nn.Linear(2, 2), nn.Linear(3, 3).state_dict())
    with pytest.raises(
        CheckpointError, match=r'2 are of another shape, such as weight, \(3, 3\) there and \(2, 2\) here'
    ):
        fit.require('model.init_cfg', 'a.pth')


def test_parts_of_a_segmentor_start_from_files(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Backbone and pixel decoder, whose ``init_weights`` in mmdet does not look at ``init_cfg``."""
    trained = MODELS.build(model_config())
    torch.save(dict(state_dict=trained.state_dict()), tmp_path / 'a.pth')
    config = model_config()
    parts = {'backbone.': config['backbone'], 'decode_head.pixel_features.pixel_decoder.': config['decode_head']}
    parts['decode_head.pixel_features.pixel_decoder.'] = config['decode_head']['pixel_decoder']
    for prefix, part in parts.items():
        part['init_cfg'] = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'), prefix=prefix)
    model = MODELS.build(config)
    model.init_weights()
    states = model.state_dict(), trained.state_dict()
    for key in states[0]:
        if key.startswith(tuple(parts)):
            assert states[0][key].equal(states[1][key]), key
