from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmlmseg.apis import LMSegInferencer
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import MODELS

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
SPACES = [
    LabelSpace.create('street', ['sky', 'road', 'car']),
    LabelSpace.create('facade', ['wall', 'window']),
    LabelSpace.create('garden', ['tree', 'grass', 'house', 'pond']),
]


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(TOOLS / 'join_models.py')


@pytest.fixture
def trained(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> list[tuple[str, str]]:
    """Heads of a label space each on one frozen encoder."""
    encoder: dict[str, Any] = {}
    files = []
    for space in SPACES:
        model = model_config([space])
        model['backbone'] = dict(
            type='mmlmseg.TimmBackbone',
            model='vit_small_patch16_dinov3',
            frozen=True,
            options=dict(embed_dim=32, depth=2, num_heads=2),
        )
        model['neck'] = dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=32, out_channels=32)
        model['decode_head'].update(in_channels=[32] * 4, label_spaces=[space.to_dict()])
        model['data_preprocessor'].pop('size_divisor')
        built = MODELS.build(model)
        encoder = encoder or built.backbone.state_dict()
        built.backbone.load_state_dict(encoder)
        config, weights = tmp_path / f'{space.name}.py', tmp_path / f'{space.name}.pth'
        Config(dict(model=model, default_scope='mmseg')).dump(config)
        torch.save(dict(state_dict=built.state_dict()), weights)
        files.append((str(config), str(weights)))
    return files


def test_joined_heads_answer_as_they_did(tool: ModuleType, trained: list[tuple[str, str]], tmp_path: Path) -> None:
    first, second = tmp_path / 'two', tmp_path / 'three'
    assert tool.main([str(first), *trained[0], *trained[1]]) == 0
    assert tool.main([str(second), str(first / 'config.py'), str(first / 'joined.pth'), *trained[2]]) == 0
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    joined = LMSegInferencer(str(second / 'config.py'), str(second / 'joined.pth'), device='cpu')
    assert joined.label_spaces.names == ('street', 'facade', 'garden')
    for space, files in zip(SPACES, trained):
        alone = LMSegInferencer(*files, device='cpu')
        expected = alone(image, label_space=space.name)[0].label_map
        assert np.array_equal(joined(image, label_space=space.name)[0].label_map, expected)
    sizes = [Path(files[1]).stat().st_size for files in trained]
    encoder = sum(t.nbytes for k, t in torch.load(trained[0][1])['state_dict'].items() if k.startswith('backbone.'))
    assert (second / 'joined.pth').stat().st_size < sum(sizes) - encoder


def test_what_cannot_be_joined_is_named(
    tool: ModuleType, trained: list[tuple[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: str) -> str:
        with pytest.raises(SystemExit):
            tool.main([str(tmp_path / 'out'), *arguments])
        return capsys.readouterr().err

    assert 'there is only one model' in refused(*trained[0])
    assert 'give a config and its weights for each model' in refused(trained[0][0])
    assert "'street' is known to two members" in refused(*trained[0], *trained[0])
    other = torch.load(trained[1][1])
    key = next(key for key in other['state_dict'] if key.startswith('backbone.'))
    other['state_dict'][key] += 1
    torch.save(other, trained[1][1])
    assert f'members.0.{key} has other weights in member 1' in refused(*trained[0], *trained[1])
