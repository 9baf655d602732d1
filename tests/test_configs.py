"""Every config parses, builds its model, and says what the paper says."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from PIL import Image

from mmlmseg.config import complete_label_spaces, space_names
from mmlmseg.lab.noise import batch, build, noise
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.registry import DATA_SAMPLERS, DATASETS, HOOKS, MODELS
from mmlmseg.segments import SegmentMap

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted(path for path in ROOT.rglob('*.py') if '_base_' not in path.parts)
SMALL = [ROOT / 'lmseg' / f'lmseg_r18_{name}.py' for name in ('clash5', 'own-data')]
FOUR, THREE = 'ade20k-cityscapes-cocostuff10k-mapillary', 'ade20k-cityscapes-coco-panoptic'
FULL_SIZE = ROOT / 'lmseg' / f'lmseg_clip-r50_{FOUR}.py'
KINDS = [
    *SMALL,
    FULL_SIZE,
    ROOT / 'lmseg' / 'lmseg_r18_drop-absent_clash5.py',
    ROOT / 'lmseg' / 'lmseg_r18_rgb-and-4-bands.py',
    ROOT / 'lmseg' / f'lmseg_clip-r50_{THREE}.py',
    ROOT / 'baselines' / f'multi-head_in1k-r50_{FOUR}.py',
    ROOT / 'baselines' / f'manual-taxonomy_clip-r50_{THREE}.py',
    ROOT / 'baselines' / 'manual-taxonomy_r18_clash5.py',
    ROOT / 'baselines' / 'mask2former_r18_clash5.py',
    ROOT / 'baselines' / f'mask2former_in1k-r50_{THREE}.py',
    ROOT / 'resi' / 'resi_r18_sigmoid_clash5.py',
    ROOT / 'encoder_only' / 'encoder-only_vit-s_clash5.py',
    ROOT / 'resi' / 'resi_r18_clash3-panoptic.py',
    ROOT / 'resi' / 'resi_r18_msrc-instance.py',
    ROOT / 'resi' / 'resi_r18_mixed-streets.py',
    ROOT / 'resi' / f'resi_in1k-r50_{THREE.replace("panoptic", "instance")}.py',
]
SCORES = dict(panoptic=('PanopticQuality', 'PQ'), instance=('InstanceAP', 'AP'))  # of what names of configs tell


def full_size(path: Path) -> bool:
    return '-r50_' in path.stem


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


def write_folder(folder: Path, num_classes: int = 3, size: tuple[int, int] = (30, 40)) -> None:
    """A folder dataset with one noisy image in each split."""
    random = np.random.default_rng(0)
    (folder / 'images').mkdir(parents=True)
    (folder / 'labels').mkdir()
    Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / 'images' / 'noise.png')
    Image.fromarray(random.integers(0, num_classes, size, dtype=np.uint8)).save(folder / 'labels' / 'noise.png')
    classes = ['tree', 'road', 'sky', 'car', 'wall'][:num_classes]
    (folder / 'classes.json').write_text(json.dumps(dict(classes=classes)))
    for split in ('train', 'val'):
        (folder / f'{split}.txt').write_text('noise\n')


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders that the small configs name, in a working directory of their own."""
    halves = [f'camvid11/{half}' for half in ('fine', 'coarse')]
    for name in (
        'camvid11',
        'labelmefacade',
        'msrc_v2',
        'paris_artdeco',
        'ccp',
        'streets',
        'shop',
        'land_cover',
        *halves,
    ):
        write_folder(tmp_path / ('work_dirs/halves' if '/' in name else 'data') / name)
    things = Config.fromfile(ROOT / '_base_' / 'datasets' / 'msrc_things.py').msrc_things
    (tmp_path / 'data/msrc_v2/classes.json').write_text(json.dumps(dict(classes=['tree', 'road', 'sky', *things])))
    monkeypatch.chdir(tmp_path)
    for variable in ('MMLMSEG_DATA', 'MMLMSEG_HALVES'):
        monkeypatch.delenv(variable, raising=False)


def load(path: Path) -> Config:
    """Reads a config, with label spaces, and with pretrained weights left out: nothing is downloaded here."""
    config = Config.fromfile(path)
    complete_label_spaces(config)
    init_default_scope(config.default_scope)
    text = config.model.decode_head.text
    for part in (config.model.backbone, text.encoder if text is not None else {}):
        if 'pretrained' in part:
            part.pretrained = None
    config.model.backbone.pop('init_cfg', None)
    return config


def test_basenames_are_unique() -> None:
    twice = [name for name, count in Counter(names(CONFIGS)).items() if count > 1]
    assert not twice  # mim finds a config by its basename


@pytest.mark.parametrize('path', KINDS, ids=names(KINDS))
@pytest.mark.usefixtures('folders')
def test_parses_and_can_be_written_down(path: Path, tmp_path: Path) -> None:
    config = Config.fromfile(path)
    complete_label_spaces(config)
    config.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').model == config.model


# Slow: how a config is laid out is yapf's affair, and takes it most of a second.
@pytest.mark.parametrize(
    'path', [SMALL[0], *(pytest.param(path, marks=pytest.mark.slow) for path in KINDS[1:])], ids=names(KINDS)
)
@pytest.mark.usefixtures('folders', 'yapf_layout')
def test_is_the_same_when_laid_out(path: Path, tmp_path: Path) -> None:
    test_parses_and_can_be_written_down(path, tmp_path)
    assert 'model = dict(' in (tmp_path / 'dumped.py').read_text()  # spaces are yapf's


@pytest.mark.parametrize('path', KINDS, ids=names(KINDS))
@pytest.mark.usefixtures('folders')
def test_model_and_optimiser_build(path: Path) -> None:
    config = load(path)
    model = MODELS.build(config.model)
    lr, decay = config.optim_wrapper.optimizer.lr, config.optim_wrapper.optimizer.weight_decay
    groups = {
        id(p): g for g in build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups for p in g['params']
    }

    def settings(parameter: Any) -> tuple[float, float]:
        return groups[id(parameter)]['lr'], groups[id(parameter)]['weight_decay']

    head = model.decode_head
    assert {settings(p) for p in head.queries.parameters()} == {(lr, 0.0)}
    if 'encoder-only' in path.stem:
        return
    assert settings(head.decoder.norm.weight) == (lr, 0.0)
    if full_size(path) and hasattr(head.decoder, 'level'):
        assert settings(head.decoder.level.weight) == (lr, 0.0)
    assert settings(head.decoder.layers[0].self_attention.attention.in_proj_weight) == (lr, decay)
    trained = [p for p in model.backbone.parameters() if p.requires_grad and p.dim() > 1]
    assert {settings(p) for p in trained} == {(lr * (0.1 if full_size(path) else 1.0), decay)}


@pytest.mark.slow
@pytest.mark.parametrize('path', KINDS, ids=names(KINDS))
@pytest.mark.usefixtures('folders')
def test_trains_with_compiled_parts(path: Path) -> None:
    """Traced whole, as for any backend; what a backend makes of it needs a C++ compiler and minutes."""
    config = load(path)
    model, wrapper = build(config)
    hook = HOOKS.build(dict(type='mmlmseg.CompileHook', backend='eager'))
    hook.before_train(SimpleNamespace(model=model))
    part = model.backbone if 'encoder-only' in path.stem else model.decode_head.decoder
    before = {name: p.detach().clone() for name, p in part.named_parameters()}
    spaces = list(model.label_spaces)[:2]
    sizes = [(64, 96), (96, 64)] if full_size(path) else [(64, 96)] * 2
    for seed in range(2):
        data = [noise(size, own.name, own.num_classes, 2, seed) for size, own in zip(sizes, spaces * 2)]
        for sample, own in zip(data, spaces * 2):
            if model.decode_head.things_only:
                ids = sample['data_samples'].gt_sem_seg.data.ne(0).int()  # [1, H, W]: one thing, the rest is void
                thing = torch.tensor([own.is_thing.index(True)])
                sample['data_samples'].gt_segments = SegmentMap(ids, thing, crowd=torch.tensor([False]))
        losses = model.train_step(batch(data), wrapper)
        assert all(value.isfinite().all() for value in losses.values())
    changed = [name for name, p in part.named_parameters() if not p.equal(before[name])]
    assert len(changed) > len(before) / 2


@pytest.mark.parametrize('path', SMALL, ids=names(SMALL))
@pytest.mark.usefixtures('folders')
def test_all_crops_of_small_configs_have_one_size(path: Path) -> None:
    config = load(path)
    train = DATASETS.build(config.train_dataloader.dataset)
    samples = list(map(train.__getitem__, range(len(train))))
    assert {sample['inputs'].shape for sample in samples} == {(3, *config.crop_size)}
    spaces = LabelSpaces.from_config(config.model.decode_head.label_spaces)
    assert [sample['data_samples'].label_spaces for sample in samples] == [(name,) for name in spaces.names]
    assert DATASETS.build(config.val_dataloader.dataset).names == train.names


def named_task(path: Path) -> str:
    return next((task for task in SCORES if task in path.stem), 'panoptic' if '_mixed-' in path.stem else 'semantic')


@pytest.mark.parametrize('path', CONFIGS, ids=names(CONFIGS))
@pytest.mark.usefixtures('folders')
def test_every_config_says_what_its_name_says(path: Path) -> None:
    config = Config.fromfile(path)
    head, iterations = config.model.decode_head, config.train_cfg.max_iters
    train, val = config.train_dataloader.dataset, config.val_dataloader.dataset
    names_of = [data.get('names') or [] for data in (train, val)]
    assert names_of[1][: len(names_of[0])] == names_of[0]
    assert (names_of[0] != names_of[1]) == ('_mixed-' in path.stem)  # scored on more
    more = [space_names(part) for part in val.datasets[len(train.datasets) :]]
    assert any(len(spaces) > 1 for spaces in more) == ('_mixed-' in path.stem)
    assert ('label_spaces' in head) == ('_synonyms' in path.stem or '_plus-' in path.stem)  # else the data tell
    if 'label_spaces' in head:
        assert len(head.label_spaces) == len(val.datasets)
    elif path.parent.name != 'demo':  # whose data is drawn first
        complete_label_spaces(config)
        assert len(head.label_spaces) == len(train.datasets)
    if full_size(path):
        assert iterations == config.param_scheduler.end == (160_000 if named_task(path) == 'semantic' else 320_000)
        assert config.auto_scale_lr.base_batch_size == 8 * config.train_dataloader.batch_size == 16
    method = path.stem.split('_')[0]
    assert (head.text is not None) == (method in ('lmseg', 'resi', 'encoder-only'))
    assert (head.classifier.type == 'mmlmseg.UnifiedClassifier') == (method == 'manual-taxonomy')
    assert (head.queries.type == 'mmlmseg.LabelSpaceQueries') == (method == 'resi')
    kind = 'MaskedAttention' if method in ('resi', 'mask2former') else 'Plain'
    kind = 'CategoryGuided' if method == 'lmseg' and 'no-cgd' not in path.stem else kind
    assert head.decoder.type == ('mmlmseg.JointBlocks' if method == 'encoder-only' else f'mmlmseg.{kind}Decoder')
    if 'no-daa' in path.stem:
        assert all(dataset.pipeline == train.datasets[0].pipeline for dataset in train.datasets)
    tasks = config.model.get('test_cfg', {}).get('tasks', ())
    named = named_task(path)
    assert {task for task in SCORES if task in tasks} == {named} - {'semantic'}
    assert head.get('things_only', False) == (named == 'instance')
    metric, score = SCORES.get(named, ('SemanticIoU', 'mIoU'))
    metrics = config.val_evaluator.metrics
    assert f'mmlmseg.{metric}' in [m.type for m in (metrics if isinstance(metrics, list) else [metrics])]
    # Runs can be resumed before their end, and the last checkpoint is the end.
    hook = config.default_hooks.checkpoint
    assert iterations % hook.interval == 0
    if path.parent.name != 'demo':  # of minutes, it keeps its end only
        assert hook.interval <= iterations // 8
        evaluated, key = hook.save_best.split('/')
        if '_mixed-' in path.stem:  # a mean is there only of what all datasets have
            mixed = val.datasets[val.names.index(evaluated)]
            assert (len(space_names(mixed)) > 1, key) == (True, 'PIQ')
        else:
            assert (evaluated, key) == ('mean', score)


def test_data_lie_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MMLMSEG_DATA', 'elsewhere')
    config = Config.fromfile(SMALL[0])
    for loader in (config.train_dataloader, config.val_dataloader):
        roots = [part.data_root for part in loader.dataset.datasets]
        assert roots[:2] == ['elsewhere/camvid11', 'elsewhere/labelmefacade']
    assert config.test_dataloader == config.val_dataloader


@pytest.mark.usefixtures('folders')
def test_an_added_folder_trains_what_is_its_own() -> None:
    config = load(ROOT / 'resi' / 'resi_r18_clash5_plus-ccp.py')
    assert [Path(folder).name for folder in config.model.decode_head.label_spaces[-2:]] == ['paris_artdeco', 'ccp']
    assert [dataset.data_root for dataset in config.train_dataloader.dataset.datasets] == ['data/ccp']
    assert config.find_unused_parameters
    (hook,) = config.custom_hooks
    model = MODELS.build(config.model)
    trained = {name for name, _ in model.named_parameters() if name.startswith(tuple(hook.trained))}
    adapter = {f'decode_head.adapters.own.0.{layer}.{what}' for layer in ('down', 'up') for what in ('weight', 'bias')}
    assert trained == {'decode_head.queries.own.4'} | adapter


@pytest.mark.usefixtures('folders')
def test_options_reach_what_is_built() -> None:
    head = MODELS.build(load(ROOT / 'lmseg' / 'lmseg_r18_drop-absent_clash5.py').model).decode_head
    assert head.drop_absent == 0.5
    head = MODELS.build(load(ROOT / 'resi' / 'resi_r18_sigmoid_clash5.py').model).decode_head
    assert head.class_activation == 'sigmoid'
    loader = load(ROOT / 'lmseg' / 'lmseg_r18_same-dataset_clash5.py').train_dataloader
    data = DATASETS.build(loader.dataset)
    first = list(islice(DATA_SAMPLERS.build(loader.sampler, default_args=dict(dataset=data, seed=0)), 10 * 8))
    drawn = [{data.locate(index)[0] for index in first[step : step + 8]} for step in range(0, len(first), 8)]
    assert {len(step) for step in drawn} == {1}
    assert len(set().union(*drawn)) > 1


def test_full_size_sizes_are_the_papers() -> None:
    config = Config.fromfile(FULL_SIZE)
    train, test = config.train_dataloader.dataset, config.test_dataloader.dataset
    steps = [{step.type: step for step in dataset.pipeline} for dataset in train.datasets]
    assert [s['mmlmseg.RandomCrop'].crop_size for s in steps] == [(512, 512), (512, 1024), (640, 640), (1280, 1280)]
    assert [s['Pad'].size[::-1] for s in steps] == [s['mmlmseg.RandomCrop'].crop_size for s in steps]
    assert [(min(s['RandomChoiceResize'].scales), max(s['RandomChoiceResize'].scales)) for s in steps] == [
        (256, 1024), (512, 2048), (320, 960), (1024, 4096),
    ]  # fmt: skip
    assert [s['RandomChoiceResize'].max_size for s in steps] == [2048, 4096, 2560, 8192]
    steps = [{step.type: step for step in dataset.pipeline} for dataset in test.datasets]
    resizes = [s['mmlmseg.ResizeShortestEdge'] for s in steps]
    assert [(resize.scale, resize.max_size) for resize in resizes] == [
        (512, 2048), (1024, 2048), (640, 2560), (2048, 2048),
    ]  # fmt: skip
    assert list(config.tta_pipelines) == train.names == test.names


@pytest.mark.parametrize(
    ('dataset', 'num_classes'),
    [
        ('ADE20KDataset', 150),
        ('CityscapesDataset', 19),
        ('COCOStuffDataset', 171),
        ('mmlmseg.MapillaryVistas65Dataset', 65),
        ('PascalVOCDataset', 21),
    ],
)
def test_known_datasets_have_distinct_classes(dataset: str, num_classes: int) -> None:
    space = LabelSpace.from_dataset(dataset)
    assert space.num_classes == len(set(space.names)) == num_classes
