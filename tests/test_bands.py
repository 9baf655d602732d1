"""One model of RGB streets and four-band land cover: trained together, saved, and asked in both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmlmseg.apis import LMSegInferencer
from mmlmseg.apis.geotiff import segment_geotiff
from mmlmseg.band_counts import complete_bands
from mmlmseg.checkpoint_files import read_checkpoint
from mmlmseg.config import complete_label_spaces
from mmlmseg.engine.add_label_space import add_label_spaces
from mmlmseg.errors import DataError, OptionError
from mmlmseg.models.backbones.stems import adapted
from mmlmseg.registry import DATASETS, HOOKS, MODELS

STEPS = [dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadAnnotations'), dict(type='mmlmseg.PackSegments')]
FOUR = dict(bands=4, scale=3000)
STEM = 'backbone.conv1.weight'


def write_folder(root: Path, classes: list[str], bands: int, dtype: type = np.uint8, most: int = 256) -> Path:
    """A folder of two samples in each split, whose first band tells the class."""
    random = np.random.default_rng(bands)
    for part in ('images', 'labels'):
        (root / part).mkdir(parents=True)
    for split in ('train', 'val'):
        names = [f'{split}{i}' for i in range(2)]
        (root / f'{split}.txt').write_text('\n'.join(names))
        for name in names:
            labels = random.integers(0, len(classes), (4, 4)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
            pixels = random.integers(0, most, (64, 64, bands)).astype(dtype)
            pixels[..., 0] = labels.astype(dtype) * (most // 4)
            cv2.imwrite(str(root / 'labels' / f'{name}.png'), labels)
            if bands == 3:
                cv2.imwrite(str(root / 'images' / f'{name}.png'), pixels[..., ::-1])
            else:
                np.save(root / 'images' / f'{name}.npy', pixels)
    (root / 'classes.json').write_text(json.dumps(dict(classes=classes)))
    return root


@pytest.fixture
def config(model_config: Callable[..., dict], tmp_path: Path) -> Config:
    """A training of a few steps; each step has one image of both kinds."""
    streets = write_folder(tmp_path / 'streets', ['sky', 'road', 'car'], 3)
    land = write_folder(tmp_path / 'land', ['water', 'forest'], 4, np.uint16, 3000)
    folder = dict(type='mmlmseg.FolderDataset', pipeline=STEPS)
    parts = [dict(folder, data_root=str(streets)), dict(folder, data_root=str(land), image=FOUR)]
    model = model_config()
    del model['decode_head']['label_spaces']

    def loader(split: str) -> dict[str, Any]:
        return dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='mmlmseg.MultiDataset', datasets=[dict(part, split=split) for part in parts]),
        )

    train = loader('train') | dict(sampler=dict(type='mmlmseg.PerImageSampler'))
    return Config(
        dict(
            default_scope='mmseg',
            custom_imports=dict(imports=['mmlmseg']),
            model=model,
            train_dataloader=train,
            val_dataloader=loader('val'),
            test_dataloader=loader('val'),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=3, val_interval=3),
            val_cfg=dict(),
            test_cfg=dict(),
            val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU')),
            test_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU')),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-4)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=3, by_epoch=False)),
            randomness=dict(seed=0),
            log_level='WARNING',
            work_dir=str(tmp_path / 'run'),
        )
    )


@pytest.mark.slow
def test_rgb_and_four_bands_train_one_model(config: Config, tmp_path: Path) -> None:
    complete_label_spaces(config)
    config.dump(str(tmp_path / 'dumped.py'))
    assert config.model.stems == dict(bands=[3, 4])
    runner = Runner.from_cfg(config)
    before = {name: p.detach().clone() for name, p in runner.model.named_parameters()}
    runner.train()
    parameters = dict(runner.model.named_parameters())
    assert [name for name in parameters if STEM in name] == [STEM, f'{STEM}_4']
    still = [name for name, p in parameters.items() if p.requires_grad and p.equal(before[name])]
    assert still == []

    for root in ('streets', 'land'):  # what was trained is asked without its data
        (tmp_path / root).rename(tmp_path / f'{root}_moved')
    checkpoint = tmp_path / 'run' / 'iter_3.pth'
    assert f'{STEM}_4' in read_checkpoint(checkpoint)['state_dict']
    inferencer = LMSegInferencer(tmp_path / 'dumped.py', checkpoint, 'cpu')
    photo, scene = tmp_path / 'streets_moved/images/val0.png', tmp_path / 'land_moved/images/val0.npy'
    ask = dict(show_progress=False, tiles=None)
    assert inferencer(photo, 'streets', **ask)[0].classes == ('sky', 'road', 'car')
    (of_file,), (of_array,) = inferencer(scene, 'land', **ask), inferencer(np.load(scene), 'land', **ask)
    assert np.array_equal(of_file.label_map, of_array.label_map)
    with pytest.raises(DataError, match=r'val0.png: the image has 3 bands, and 4 are declared.*read_as'):
        inferencer(photo, 'land', **ask)
    assert inferencer(photo, 'land', read_as='streets', **ask)[0].classes == ('water', 'forest')
    assert inferencer(scene, classes='sky, water', read_as='land', **ask)[0].classes == ('sky', 'water')


def test_a_raster_is_read_as_its_dataset_declares(config: Config, tmp_path: Path) -> None:
    rasterio = pytest.importorskip('rasterio')
    inferencer = LMSegInferencer(config, device='cpu')
    pixels = np.load(tmp_path / 'land/images/val0.npy')
    profile = dict(driver='GTiff', count=4, height=64, width=64, dtype='uint16', crs='EPSG:3857')
    transform = rasterio.transform.from_origin(0, 64, 1, 1)
    with rasterio.open(tmp_path / 'in.tif', 'w', **profile, transform=transform) as raster:
        raster.write(pixels.transpose(2, 0, 1))
    out = segment_geotiff(inferencer, tmp_path / 'in.tif', tmp_path / 'out.tif', 'land', show_progress=False)
    (wanted,) = inferencer(pixels, 'land', show_progress=False)
    with rasterio.open(out) as written:
        assert np.array_equal(written.read(1), wanted.label_map)
    (same,) = inferencer(tmp_path / 'in.tif', 'land', show_progress=False)
    assert np.array_equal(same.label_map, wanted.label_map)
    with pytest.raises(OptionError, match='3 bands are asked for, but the model sees 4'):
        segment_geotiff(inferencer, tmp_path / 'in.tif', tmp_path / 'o.tif', 'land', bands=[1, 2, 3])
    segment_geotiff(
        inferencer, tmp_path / 'in.tif', tmp_path / 'o.tif', 'land', bands=[4, 3, 2, 1], show_progress=False
    )


def test_eight_bits_declared_are_a_model_as_undeclared(config: Config) -> None:
    parts = config.train_dataloader.dataset.datasets
    parts[1].image = dict(bands=3, scale=255)
    for split in ('val', 'test'):
        config.pop(f'{split}_dataloader')
    before = config.model.data_preprocessor.to_dict()
    complete_bands(config)
    assert 'stems' not in config.model
    assert config.model.data_preprocessor == before


def test_and_predict_the_same_to_the_bit(config: Config, tmp_path: Path) -> None:
    answers = []
    for image in (None, dict(bands=3, scale=255)):
        for split in ('train', 'val', 'test'):
            dataset = config[f'{split}_dataloader'].dataset
            dataset.datasets = [dict(dataset.datasets[0], image=image)]
        config.model.test_cfg = dict(keep_probabilities=True)
        torch.manual_seed(0)
        inferencer = LMSegInferencer(config, device='cpu')
        pipeline = inferencer.pipeline(question := inferencer.question('streets'))
        item = pipeline.prepare(pipeline.load(tmp_path / 'streets/images/val0.png'))
        assert item['inputs'].dtype == torch.uint8
        answers += [sample.seg_logits.data for sample in inferencer._predict([item], question)]
    assert answers[0].equal(answers[1])


@pytest.mark.parametrize('adapt', ['repeat', 'average'])
def test_only_images_of_other_bands(config: Config, adapt: str) -> None:
    for split in ('train', 'val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        dataset.datasets = dataset.datasets[1:]
    config.model.stems = dict(adapt=adapt)
    complete_label_spaces(config)
    assert config.model.stems == dict(bands=[4], adapt=adapt)
    assert config.model.data_preprocessor.mean == {4: [127.5] * 4}
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
    assert dict(model.named_parameters())[STEM].shape[1] == 4
    assert f'{STEM}_4' not in model.state_dict()


def test_a_folder_may_declare_its_images_itself(config: Config, tmp_path: Path) -> None:
    for split in ('train', 'val', 'test'):
        del config[f'{split}_dataloader'].dataset.datasets[1]['image']
    described = tmp_path / 'land/classes.json'
    described.write_text(json.dumps(dict(json.loads(described.read_text()), image=FOUR)))
    ask = dict(label_space='land', show_progress=False)
    (here,) = LMSegInferencer(config, device='cpu')(tmp_path / 'land/images/val0.npy', **ask)
    complete_label_spaces(config)
    assert config.model.stems == dict(bands=[3, 4])
    assert config.val_dataloader.dataset.datasets[1].image == FOUR
    sample = DATASETS.build(config.val_dataloader.dataset)[2]
    assert sample['inputs'].shape == (4, 64, 64)
    assert here.classes == ('water', 'forest')
    config.val_dataloader.dataset.datasets[1].image = dict(bands=4, scale=255)
    with pytest.raises(OptionError, match=r'classes.json: its "image" is .* say it once'):
        DATASETS.build(config.val_dataloader.dataset)


def built(config: Config) -> Any:
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(config.model)


def test_a_trained_model_of_rgb_learns_four_bands(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    complete_label_spaces(config)
    model = built(config)
    state = model.state_dict()
    del state[f'{STEM}_4']
    state[STEM] += 1
    model.load_state_dict(state, strict=False)
    assert model.state_dict()[f'{STEM}_4'].equal(adapted(state[STEM], 4))


def test_a_label_space_of_four_bands_is_added_to_a_model_of_rgb(config: Config) -> None:
    config.model.decode_head.adapters = dict(land=dict(type='mmlmseg.SpaceAdapter'))
    complete_label_spaces(config)
    both = built(config)
    old = config.model.to_dict()
    del old['stems'], old['decode_head']['adapters'], old['decode_head']['label_spaces'][1]
    old['data_preprocessor'].update(mean=[127.5] * 3, std=[64.0] * 3)
    with DefaultScope.overwrite_default_scope('mmseg'):
        trained = MODELS.build(old).state_dict()
    assert add_label_spaces(both, trained)[0] == f'{STEM}_4'
    assert both.state_dict()[f'{STEM}_4'].equal(adapted(trained[STEM], 4))
    assert both.state_dict()[STEM].equal(trained[STEM])


def test_pretrained_weights_reach_all_stems(config: Config, tmp_path: Path) -> None:
    complete_label_spaces(config)
    weights = {
        name.removeprefix('backbone.'): value + 1
        for name, value in built(config).state_dict().items()
        if name.startswith('backbone.') and not name.endswith('weight_4')
    }
    torch.save(dict(state_dict=weights), tmp_path / 'pretrained.pth')
    config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'pretrained.pth'))
    model = built(config)
    model.init_weights()
    assert model.state_dict()[STEM].equal(weights['conv1.weight'])
    assert model.state_dict()[f'{STEM}_4'].equal(adapted(weights['conv1.weight'], 4))


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_compiled_backbones_take_both(config: Config, precision: str) -> None:
    config.model.precision = precision
    complete_label_spaces(config)
    model = built(config)
    hook = HOOKS.build(dict(type='mmlmseg.CompileHook', backend='eager'))
    images = [torch.randn(1, bands, 64, 64) for bands in (3, 4)]
    plain = [model.backbone(image)[-1] for image in images]
    hook.before_train(SimpleNamespace(model=model))
    for image, wanted in zip(images, plain, strict=True):
        torch.testing.assert_close(model.backbone(image)[-1], wanted)
