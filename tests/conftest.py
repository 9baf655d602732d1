"""Fixtures that several test files share."""

from __future__ import annotations

import ast
import gc
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import mmengine.config.config as mmengine_config
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from yapf.yapflib import yapf_api

import mmlmseg  # noqa: F401  (first: it lets the libraries below import)
from mmlmseg.label_space import LabelSpace

# What is imported and collected lives until the end: it is neither searched for garbage while it grows nor later, where
# each full search of the libraries took a quarter of a second.
gc.disable()

_FORMAT_CODE = yapf_api.FormatCode


def pytest_configure() -> None:
    """One thread for each process: workers side by side have no cores to spare, and idle threads wait by computing."""
    torch.set_num_threads(1)
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # for the processes that tests start


def pytest_collection_finish() -> None:
    """From here on garbage is searched for, among what tests make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """The folder of real datasets; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get('MMLMSEG_DATA', default))
    if not (folder / 'camvid11' / 'classes.json').is_file():
        pytest.skip(f'real data is absent: {folder} holds no camvid11 (set MMLMSEG_DATA)')
    return folder


@pytest.fixture(scope='session')
def load_script() -> Callable[[Path], ModuleType]:
    """Imports a script by its file, as a module to call functions of; it finds what lies beside it, as when it runs."""

    def load(path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(path.parent))
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope='session', autouse=True)
def plain_layout() -> Iterator[None]:
    """Configs are written down as they come: yapf takes most of a second each; what is no Python is still refused."""

    def check(text: str, **_: Any) -> tuple[str, bool]:
        ast.parse(text)
        return text, False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', check)
        patch.setattr(mmengine_config, 'FormatCode', check, raising=False)  # where mmengine 0.10 has it
        yield


@pytest.fixture
def yapf_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configs are laid out by yapf, as they are for users."""
    for module in (yapf_api, mmengine_config):
        monkeypatch.setattr(module, 'FormatCode', _FORMAT_CODE, raising=False)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts from the same random numbers, and from no default scope that an earlier one left."""
    torch.manual_seed(0)
    np.random.seed(0)
    DefaultScope._instance_dict.clear()


@pytest.fixture
def spaces() -> list[LabelSpace]:
    """Two small label spaces that clash: names in common with other extents, other orders and other sizes."""
    return [
        LabelSpace.create('street', ['sky', 'building', 'tree', 'road', 'car'], things=['car']),
        LabelSpace.create('facade', ['wall', 'window', 'building']),
    ]


@pytest.fixture
def model_config(spaces: list[LabelSpace]) -> Callable[..., dict[str, Any]]:
    """A factory of tiny segmentor configs: the real parts, narrow, randomly initialised, with the shipped text bank."""

    def make(label_spaces: Sequence[Any] = tuple(spaces), text: bool = True, **head: Any) -> dict[str, Any]:
        decode_head = dict(
            type='mmlmseg.QueryHead',
            label_spaces=list(label_spaces),
            in_channels=[64, 128, 256, 512],
            channels=32,
            pixel_decoder=dict(type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=8)),
            queries=dict(type='mmlmseg.SharedQueries', num_queries=8),
            decoder=dict(
                type='mmlmseg.CategoryGuidedDecoder' if text else 'mmlmseg.PlainDecoder',
                num_layers=2,
                num_heads=4,
                ffn_channels=64,
                dropout=0.0,
            ),
            text=dict(type='mmlmseg.TextTable', encoder=dict(type='mmlmseg.TextBankEncoder')) if text else None,
            classifier=dict(type='mmlmseg.TextClassifier' if text else 'mmlmseg.LinearClassifier'),
            criterion=dict(type='mmlmseg.SetCriterion'),
        )
        return dict(
            type='mmlmseg.MultiSpaceSegmentor',
            data_preprocessor=dict(
                type='mmlmseg.GroupingDataPreProcessor',
                mean=[127.5] * 3,
                std=[64.0] * 3,
                bgr_to_rgb=True,
                size_divisor=32,
            ),
            backbone=dict(type='mmseg.ResNet', depth=18, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=False)),
            decode_head={**decode_head, **head},
        )

    return make


@pytest.fixture
def make_sample(spaces: list[LabelSpace]) -> Callable[..., dict[str, Any]]:
    """A factory of samples as a pipeline packs them: random uint8 image, blocky random labels, stamped."""
    from mmseg.structures import SegDataSample

    sizes = {space.name: space.num_classes for space in spaces}

    def make(space: str, size: tuple[int, int] = (64, 64), seed: int = 0, **metainfo: Any) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        cells = random.integers(0, sizes[space], (size[0] // 16, size[1] // 16))
        labels = cells.repeat(16, axis=0).repeat(16, axis=1)
        labels[:4, :4] = 255
        sample = SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(labels)[None]))
        meta = dict(img_shape=size, ori_shape=size, label_spaces=(space,), dataset=space, img_path=f'{space}{seed}.jpg')
        sample.set_metainfo({**meta, **metainfo})
        return dict(inputs=torch.from_numpy(random.integers(0, 256, (3, *size), dtype=np.uint8)), data_samples=sample)

    return make


@pytest.fixture(scope='session')
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a tiny open_clip model; ``tiny`` has another activation, ``tiny-last`` another pooling;
    ``tiny-apart`` keeps its text transformer apart from its image side."""
    import open_clip

    folder = tmp_path_factory.mktemp('open_clip')
    for name, quick_gelu, pool in (
        ('tiny-quickgelu', True, 'argmax'),
        ('tiny', False, 'argmax'),
        ('tiny-last', False, 'last'),
        ('tiny-apart', True, 'argmax'),
    ):
        config = dict(
            embed_dim=12,
            quick_gelu=quick_gelu,
            custom_text=name == 'tiny-apart',
            vision_cfg=dict(image_size=64, layers=[1, 2, 1, 1], width=8, patch_size=None),
            text_cfg=dict(context_length=20, vocab_size=49408, width=16, heads=2, layers=2, pool_type=pool),
        )
        (folder / f'{name}.json').write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    return 'tiny-quickgelu'
