"""Test data loader, inferencer and tools/predict.py make the same tensor of the same file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.apis.inputs import inference_pipeline
from mmlmseg.config import innermost, parts_of, space_names
from mmlmseg.datasets import MultiDataset
from mmlmseg.datasets.guards import add_guards
from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.data_preprocessor import GroupingDataPreProcessor
from mmlmseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)
PIXELS = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize((56, 40))
)


def write(folder: Path, size: tuple[int, int] = (56, 40)) -> tuple[Path, Path]:
    """A picture and a label map of zeros."""
    cv2.imwrite(str(folder / 'image.png'), cv2.resize(PIXELS, size))
    Image.fromarray(np.zeros(size[::-1], np.uint8)).save(folder / 'labels.png')
    return folder / 'image.png', folder / 'labels.png'


def of_loader(steps: Sequence[Any], image: Path, labels: Path, spaces: int) -> dict[str, Any]:
    """What the pipeline of a dataset of folders makes of a sample."""
    truth = dict(seg_map_path=str(labels), reduce_zero_label=False, label_map=None)
    space = LabelSpace.create('plain', ['all'])
    sample: dict[str, Any] = dict(img_path=str(image), seg_fields=[], spaces=(space,) * spaces)
    sample.update(truth if spaces == 1 else dict(truths=[truth] * spaces))
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    add_guards(pipeline, 1)
    return pipeline(sample)


@pytest.mark.parametrize('path', CONFIGS, ids=[path.stem for path in CONFIGS])
def test_every_config_reads_images_one_way(path: Path, tmp_path: Path) -> None:
    config = Config.fromfile(path)
    files = write(tmp_path)
    for loader in (config.val_dataloader, config.test_dataloader):
        for name, part in parts_of(loader.dataset).items():
            if 'image' in innermost(part):  # of other bands than the file here: tests of their own
                continue
            steps = innermost(part).pipeline
            spaces = space_names(part)
            expected = of_loader(steps, *files, len(spaces))
            pipeline = inference_pipeline(config, spaces)
            for source in (files[0], cv2.imread(str(files[0]))):
                found = pipeline.prepare(pipeline.load(source))
                assert torch.equal(found['inputs'], expected['inputs']), name
                for key in ('img_shape', 'ori_shape', 'pad_shape', 'content_shape'):
                    assert found['data_samples'].get(key) == expected['data_samples'].get(key), (name, key)


def save(path: Path, kind: str) -> Path:
    """A picture of a kind that decoders treat in a way of its own."""
    image = Image.fromarray(PIXELS)
    exif = Image.Exif()
    if kind.isdigit():
        exif[0x0112] = int(kind)
        image.save(path / 'image.jpg', exif=exif)
    elif kind == 'CMYK':
        image.convert('CMYK').save(path / 'image.jpg')
    else:
        image.convert(kind).save(path / 'image.png')
    return next(path.glob('image.*'))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What preprocessors got."""
    tensors: list[torch.Tensor] = []
    forward = GroupingDataPreProcessor.forward

    def record(self: Any, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        tensors.extend(data['inputs'])
        return forward(self, data, training)

    monkeypatch.setattr(GroupingDataPreProcessor, 'forward', record)
    return tensors


LOADERS: dict[str, dict[str, Any]] = {
    'as it is': {},
    'stored orientation': dict(color_type='color_ignore_orientation'),
    'Pillow': dict(imdecode_backend='pillow'),
    'floats': dict(to_float32=True),
}


KINDS = ['1', '2', '3', '6', '8', 'L', 'RGBA', 'P', 'CMYK', '1-pixel']
QUICK = [*((kind, 'as it is') for kind in KINDS), *(('6', name) for name in LOADERS)]


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        pytest.param(kind, name, marks=() if (kind, name) in QUICK else pytest.mark.slow)
        for kind in KINDS
        for name in LOADERS
    ],
)
def test_every_kind_of_picture_is_read_one_way(
    kind: str,
    name: str,
    model_config: Callable[..., dict],
    load_script: Callable[[Path], ModuleType],
    tmp_path: Path,
    seen: list[torch.Tensor],
) -> None:
    if kind == '1-pixel':
        cv2.imwrite(str(tmp_path / 'image.png'), PIXELS[:1, :1])
        image = tmp_path / 'image.png'
    else:
        image = save(tmp_path, kind)
    model = model_config([dict(name='street', classes=['sky', 'road'])])
    predict = load_script(ROOT / 'tools' / 'predict.py')
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), tmp_path / 'tiny.pth')
    load = dict(type='LoadImageFromFile', **LOADERS[name])
    steps = [
        load,
        dict(type='Resize', scale=(32, 48)),
        dict(type='Pad', size_divisor=32),
        dict(type='PackSegInputs'),
    ]
    part = dict(type='BaseSegDataset', metainfo=dict(classes=['sky', 'road'], label_space='street'), pipeline=steps)
    data = dict(part, data_root=str(tmp_path), data_prefix=dict(img_path=''), img_suffix=image.suffix)
    config = Config(dict(model=model, default_scope='mmseg', custom_imports=dict(imports=['mmlmseg'])))
    config.test_dataloader = dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=[data]))
    config.dump(tmp_path / 'config.py')
    inferencer = LMSegInferencer(config, tmp_path / 'tiny.pth', 'cpu')
    seen.clear()
    with DefaultScope.overwrite_default_scope('mmseg'):
        sample = MultiDataset([data])[0]
    (expected,) = inferencer.model.test_step({key: [value] for key, value in sample.items()})
    (found,) = inferencer(image, show_progress=False)
    assert predict.main([str(tmp_path / f) for f in ('config.py', 'tiny.pth', image.name)] + ['--device', 'cpu']) == 0
    assert len(seen) == 3
    assert all(torch.equal(seen[0], other) for other in seen[1:])
    assert np.array_equal(found.label_map, expected.pred_sem_seg.data[0].numpy())


def _steps(side: int) -> list[dict[str, Any]]:
    return [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(side, side)), dict(type='PackSegInputs')]


def _side(config: Config, *spaces: str, trained: LabelSpaces) -> int:
    (resize,) = [s for s in inference_pipeline(config, spaces, trained).rest.transforms if hasattr(s, 'scale')]
    return resize.scale[0]


@pytest.mark.parametrize('listed', ['in the model', 'by the training'])
def test_folders_that_are_away_are_told_by_their_order(listed: str) -> None:
    trained = LabelSpaces([LabelSpace.create('first', ['sky']), LabelSpace.create('facade', ['wall'])])
    parts = [dict(type='mmlmseg.FolderDataset', data_root=f'no/{name}', pipeline=_steps(side))
             for name, side in (('first', 32), ('second', 64))]  # fmt: skip
    config = Config(dict(test_dataloader=dict(dataset=dict(datasets=parts))))
    if listed == 'in the model':
        config.model = dict(decode_head=dict(label_spaces=['no/first', 'no/second']))
    else:
        config.train_dataloader = dict(dataset=dict(datasets=[*parts, parts[0]], names=['a', 'b', 'c']))
    assert _side(config, 'facade', trained=trained) == 64
    assert _side(config, 'first', trained=trained) == 32
    assert _side(config, 'facade', 'first', trained=trained) == 64
    for key in ('model', 'train_dataloader'):
        config.pop(key, None)
    with pytest.raises(OptionError, match=r"no/second: is not here .* 'facade'.*metainfo"):
        _side(config, 'facade', trained=trained)
    config.test_dataloader.dataset.datasets[1].pipeline = _steps(32)
    assert _side(config, 'facade', trained=trained) == 32  # it does not matter which one it is
