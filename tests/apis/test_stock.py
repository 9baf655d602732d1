"""mmseg's own ways to predict work with a model of one label space, or name ours; so do mmdet's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.apis import MMSegInferencer, inference_model, init_model

from mmlmseg.apis import LMSegInferencer
from mmlmseg.apis.model import build_model
from mmlmseg.errors import CheckpointError, LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace

ONE = [LabelSpace.create('street', ['sky', 'car', 'tree']).to_dict()]
TWO = [*ONE, LabelSpace.create('facade', ['wall', 'door']).to_dict()]
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='mmlmseg.LoadAnnotations'),
    dict(type='mmlmseg.PackSegments'),
]


@pytest.fixture
def files(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """A factory of a config file, which leaves the label spaces to its data, and a checkpoint."""

    def make(spaces: list[Any], **meta: Any) -> tuple[str, str]:
        dataset = dict(type='mmlmseg.FolderDataset', data_root='nowhere', pipeline=STEPS)
        whole = Config(
            dict(
                default_scope='mmseg',
                custom_imports=dict(imports=['mmlmseg'], allow_failed_imports=False),
                model=model_config(label_spaces=spaces, text=False),
                test_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[dataset])),
            )
        )
        torch.save(dict(state_dict=build_model(whole, None).state_dict(), meta=meta), tmp_path / 'model.pth')
        del whole.model.decode_head['label_spaces']
        whole.dump(str(tmp_path / 'config.py'))
        return str(tmp_path / 'config.py'), str(tmp_path / 'model.pth')

    return make


@pytest.mark.parametrize('meta', [{}, dict(dataset_meta=dict(datasets={}))])
def test_mmseg_predicts_as_ours(files, tmp_path: Path, meta: dict[str, Any]) -> None:
    config, weights = files(ONE, **meta)
    mmcv.imwrite(IMAGE, str(tmp_path / 'image.png'))
    expected = LMSegInferencer(config, weights, device='cpu')(IMAGE, show_progress=False)[0].label_map
    model = init_model(config, weights, device='cpu')
    assert model.dataset_meta['classes'] == ['sky', 'car', 'tree']
    assert len(model.dataset_meta['palette']) == 3
    for source in (str(tmp_path / 'image.png'), IMAGE):  # mmseg takes no file after an array
        assert np.array_equal(inference_model(model, source).pred_sem_seg.data[0].numpy(), expected)
    assert [len(inference_model(model, [IMAGE, IMAGE]))] == [2]
    inferencer = MMSegInferencer(config, weights, device='cpu')
    result = inferencer(str(tmp_path / 'image.png'), return_vis=True, out_dir=str(tmp_path / 'out'))
    assert np.array_equal(result['predictions'], expected)
    assert result['visualization'].ndim == 3
    assert (tmp_path / 'out' / 'vis' / 'image.png').is_file()


def test_several_label_spaces_are_for_our_inferencer(files) -> None:
    config, weights = files(TWO)
    model = init_model(config, weights, device='cpu')
    for predict in (
        lambda: inference_model(model, IMAGE),
        lambda: MMSegInferencer(config, weights, device='cpu')(IMAGE),
    ):
        with pytest.raises(LabelSpaceError, match='of street, facade .*LMSegInferencer'):
            predict()
    assert LMSegInferencer(model)(IMAGE, label_space='facade', show_progress=False)[0].label_map.shape == (40, 56)


def test_without_checkpoint_nothing_tells_the_label_spaces(files) -> None:
    model = init_model(files(ONE)[0], None, device='cpu')
    with pytest.raises(LabelSpaceError, match='load a checkpoint.*LMSegInferencer'):
        inference_model(model, IMAGE)
    with pytest.raises(LabelSpaceError, match=r'no label_spaces.*complete_label_spaces'):
        model.init_weights()  # a training


def test_mmdet_names_ours(files) -> None:
    from mmdet.apis import DetInferencer, init_detector

    config, weights = files(ONE)
    with pytest.raises(OptionError, match='LMSegInferencer'):
        init_detector(config, weights, device='cpu')
    with pytest.raises(OptionError, match='LMSegInferencer'):
        DetInferencer(config, weights, device='cpu')
    with DefaultScope.overwrite_default_scope('mmdet'):  # as it is left behind
        assert LMSegInferencer(config, weights, device='cpu')(IMAGE, show_progress=False)


def test_a_config_stays_as_it_was(files) -> None:
    path, weights = files(ONE)
    config = Config.fromfile(path)
    before = copy.deepcopy(config._cfg_dict)
    LMSegInferencer(config, weights)
    assert config._cfg_dict == before


def test_pretrained_is_refused(model_config) -> None:
    from mmengine.registry import MODELS

    MODELS.build({**model_config(), 'pretrained': None})
    with pytest.raises(OptionError, match=r"model\.pretrained = 'a\.pth'.*backbone=dict\(init_cfg="):
        MODELS.build({**model_config(), 'pretrained': 'a.pth'})


def test_a_foreign_checkpoint_is_no_model(files, tmp_path: Path) -> None:
    config, _ = files(ONE)
    torch.save(dict(state_dict={'decode_head.query_embed.weight': torch.ones(8, 32)}), tmp_path / 'other.pth')
    for predict in (init_model, LMSegInferencer):
        with pytest.raises(CheckpointError, match=r'tools/convert_checkpoint\.py'):
            predict(config, str(tmp_path / 'other.pth'), device='cpu')
