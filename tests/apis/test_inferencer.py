"""The inferencer, on a segmentor that finds colours and on a real one with random weights."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.apis.model import build_model
from mmlmseg.errors import CheckpointError, DataError, LabelSpaceError, OptionError, TextBankError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.registry import MODELS

STREET = LabelSpace.create('street', ['sky', 'building', 'tree', 'road', 'car'])
FACADE = LabelSpace.create('facade', ['wall', 'window', 'building'])


class BlueValue(BaseModel):
    """A segmentor whose prediction is the blue value of each pixel, resized to the original shape."""

    def __init__(self, *spaces: LabelSpace) -> None:
        super().__init__()
        self.label_spaces = LabelSpaces(spaces or (STREET, FACADE))
        self.test_cfg: dict[str, Any] = {}
        self.batches: list[list[Any]] = []

    def forward(self, inputs: list, data_samples: list, mode: str = 'predict') -> list:
        self.batches.append([sample.metainfo['label_spaces'] for sample in data_samples])
        for image, sample in zip(inputs, data_samples, strict=True):
            height, width = sample.metainfo['ori_shape']
            blue = (
                image[:1].repeat_interleave(height // image.shape[1], 1).repeat_interleave(width // image.shape[2], 2)
            )
            sample.pred_sem_seg = PixelData(data=blue.long())
        return data_samples


def _image(value: int, size: tuple[int, int] = (8, 12)) -> np.ndarray:
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0] = value
    image[0, 0, 0] = 0
    return image


def test_array_in_a_named_space() -> None:
    (result,) = LMSegInferencer(BlueValue())(_image(2), label_space='facade', show_progress=False)
    assert result.path is None
    assert result.spaces == (FACADE,)
    assert result.classes == FACADE.classes
    assert result.label_map.shape == (8, 12)
    assert result.label_map.dtype == np.uint8
    assert result.shares() == [('building', 95 / 96), ('wall', 1 / 96)]


def test_a_free_list_is_not_taken_for_a_space_of_the_model() -> None:
    spaces = [LabelSpace.create(name, ['sky', 'road']) for name in ('custom', 'custom2')]
    (result,) = LMSegInferencer(BlueValue(*spaces))(_image(1), classes='tree, house', show_progress=False)
    assert [space.name for space in result.spaces] == ['custom3']


def test_the_only_space_needs_no_name() -> None:
    assert LMSegInferencer(BlueValue(FACADE))(_image(1), show_progress=False)[0].spaces == (FACADE,)


@pytest.mark.parametrize('classes', ['sky, house,motorbike', ['sky', 'house', 'motorbike']])
def test_free_class_list(classes: Any) -> None:
    model = BlueValue()
    (result,) = LMSegInferencer(model)(_image(2), classes=classes, show_progress=False)
    assert [space.name for space in result.spaces] == ['custom']
    assert result.shares()[0][0] == 'motorbike'
    ((asked,),) = model.batches[0]
    assert isinstance(asked, LabelSpace)
    assert asked.classes == ('sky', 'house', 'motorbike')


@pytest.mark.parametrize(
    ('classes', 'warned'),
    [('sky, house, background', True), ('sky, Others', True), ('background, building', False), ('sky, house', False)],
)
def test_names_of_the_rest_are_warned_of(monkeypatch: pytest.MonkeyPatch, classes: str, warned: bool) -> None:
    """But where the model was trained with them, in that list."""
    said: list[str] = []
    monkeypatch.setattr('mmlmseg.apis.inferencer.print_log', lambda message, *_: said.append(message))
    space = LabelSpace.create('scene', ['background', 'building', 'road'])
    LMSegInferencer(BlueValue(space))(_image(1), classes=classes, show_progress=False)
    assert [message.split(' is ')[0] for message in said] == (
        [f'class {classes.split(", ")[-1].lower()!r}'] if warned else []
    )


def test_batches_order_files_and_resizing(tmp_path: Path) -> None:
    for value in range(3):
        (tmp_path / 'in' / str(value)).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'in' / str(value) / 'same.png'), _image(value + 1, (8, 12 + 4 * value)))
    model = BlueValue()
    pipeline = [dict(type='Resize', scale_factor=0.5, interpolation='nearest'), dict(type='PackSegInputs')]
    model.cfg = Config(dict(test_pipeline=pipeline))
    inferencer = LMSegInferencer(model)
    glob = str(tmp_path / 'in' / '*' / 'same.png')
    results = inferencer(glob, 'street', batch_size=2, out_dir=tmp_path / 'out', show_progress=False)
    assert [len(batch) for batch in model.batches] == [2, 1]
    assert [result.label_map.shape for result in results] == [(8, 12), (8, 16), (8, 20)]
    assert [result.shares()[0][0] for result in results] == ['building', 'tree', 'road']
    assert sorted(p.name for p in (tmp_path / 'out' / 'pred').iterdir()) == ['same.png', 'same_1.png', 'same_2.png']
    with Image.open(tmp_path / 'out' / 'pred' / 'same_2.png') as saved:
        assert np.array_equal(np.asarray(saved), results[2].label_map)
    assert len(list((tmp_path / 'out' / 'vis').iterdir())) == 3


def test_bad_requests(tmp_path: Path) -> None:
    inferencer = LMSegInferencer(BlueValue())
    image = _image(1)
    with pytest.raises(LabelSpaceError, match=r'one of street, facade'):
        inferencer(image)
    with pytest.raises(LabelSpaceError, match=r'not several'):
        inferencer(image, 'street', classes='sky')
    with pytest.raises(LabelSpaceError, match=r"'streat'.*street"):
        inferencer(image, 'streat')
    for empty in ('', ' , ', []):
        with pytest.raises(LabelSpaceError, match=r'class list is empty'):
            inferencer(image, classes=empty)
    with pytest.raises(LabelSpaceError, match=r'both mean'):
        inferencer(image, classes='sky, Sky')
    with pytest.raises(ValueError, match=r'batch_size'):
        inferencer(image, 'street', batch_size=0)
    (tmp_path / 'broken.jpg').write_bytes(b'nothing')
    with pytest.raises(DataError, match=r'broken.jpg'):
        inferencer(tmp_path, 'street', show_progress=False)


@pytest.fixture
def real(model_config: Callable[..., dict], tmp_path: Path) -> tuple[Config, Path]:
    """Config and checkpoint of a tiny model; its text rows come from the shipped bank."""
    config = Config(dict(model=model_config(), default_scope='mmseg'))
    path = tmp_path / 'tiny.pth'
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), path)
    return config, path


def test_real_model_in_every_way(real: tuple[Config, Path], tmp_path: Path) -> None:
    config, path = real
    inferencer = LMSegInferencer(config, path, 'cpu')
    assert inferencer.label_spaces.names == ('street', 'facade')
    images = [np.random.default_rng(i).integers(0, 256, (40 + 8 * i, 50, 3), dtype=np.uint8) for i in range(3)]
    for request in (dict(label_space='facade'), dict(classes='sky, house, motorbike')):
        together = inferencer(images, **request, batch_size=3, show_progress=False)
        for image, result in zip(images, together, strict=True):
            assert result.label_map.shape == image.shape[:2]
            assert result.label_map.max() < 3
            alone = inferencer(image, **request, show_progress=False)[0]
            assert (alone.label_map == result.label_map).mean() > 0.999
    with pytest.raises(TextBankError, match=r'xyzzyx'):
        inferencer(images[0], classes='sky, xyzzyx', show_progress=False)


def test_model_without_the_files_of_its_label_spaces(real: tuple[Config, Path]) -> None:
    config, path = real
    config.model.decode_head.label_spaces = ['nowhere/street', 'nowhere/facade']
    assert LMSegInferencer(config, path, 'cpu').label_spaces.get('facade').classes == FACADE.classes


def test_label_spaces_that_the_config_leaves_to_the_data(real: tuple[Config, Path]) -> None:
    config, path = real
    del config.model.decode_head['label_spaces']
    inferencer = LMSegInferencer(config, path, 'cpu')
    assert inferencer.label_spaces.get('facade').classes == FACADE.classes
    assert 'label_spaces' not in inferencer.config.model.decode_head


def test_built_model_takes_weights_and_keeps_its_pipeline(real: tuple[Config, Path]) -> None:
    config, path = real
    config.test_pipeline = [dict(type='Resize', scale=(32, 32)), dict(type='PackSegInputs')]
    model = MODELS.build(config.model)
    wanted = torch.load(path, weights_only=True)['state_dict']['decode_head.queries.position.weight']
    assert not torch.equal(model.state_dict()['decode_head.queries.position.weight'], wanted)
    LMSegInferencer(model, path)
    assert torch.equal(model.state_dict()['decode_head.queries.position.weight'], wanted)
    kept = LMSegInferencer(build_model(config, path)).config.test_pipeline
    assert kept == [dict(type='LoadImageFromFile'), *config.test_pipeline]


@pytest.mark.parametrize('address', ['https://example.org/model.pth', 'openmmlab://model'])
def test_addresses_are_refused_as_such(real: tuple[Config, Path], address: str) -> None:
    with pytest.raises(CheckpointError, match=f'{address}: is an address.*local file'):
        LMSegInferencer(real[0], address)


def test_bad_checkpoints(real: tuple[Config, Path], tmp_path: Path) -> None:
    config, path = real
    with pytest.raises(CheckpointError, match=r'missing.pth: does not exist'):
        LMSegInferencer(config, tmp_path / 'missing.pth')
    truncated = tmp_path / 'truncated.pth'
    truncated.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=r'truncated.pth: is truncated'):
        LMSegInferencer(config, truncated)
    config.model.decode_head.decoder.num_layers -= 1
    with pytest.raises(CheckpointError, match=r'tiny.pth: .* is not of this model'):
        LMSegInferencer(config, path)
    config.model.decode_head.label_spaces = [dict(name='street', classes=['a', 'b'])]
    with pytest.raises(CheckpointError, match=r'tiny.pth: .*label spaces'):
        LMSegInferencer(config, path)


def test_tasks_and_several_spaces_on_a_real_model(model_config, tmp_path: Path) -> None:
    config = dict(model_config(), test_cfg=dict(panoptic=dict(object=0.0, overlap=0.0)))
    segment = LMSegInferencer(Config(dict(model=config, default_scope='mmseg')))
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    quiet = dict(show_progress=False)
    (result,) = segment(image, label_space='street', task='panoptic', **quiet)
    assert [space.name for space in result.spaces] == ['street']
    assert result.found.size == (40, 56)
    assert sum(share for _, share in result.shares()) <= 1
    (mixed,) = segment(image, label_spaces=['street', 'facade'], out_dir=tmp_path, **quiet)
    assert [space.name for space in mixed.spaces] == ['street', 'facade']
    assert {path.name for path in (tmp_path / 'pred').iterdir()} == {
        'image_0.json', 'image_0_street.png', 'image_0_facade.png',
    }  # fmt: skip
    assert segment.model.test_cfg == config['test_cfg']  # a call leaves no trace
    with pytest.raises(OptionError, match="task 'panoptic' does not go with label_spaces; choose mixed"):
        segment(image, label_spaces=['street'], task='panoptic', **quiet)
    with pytest.raises(OptionError, match='choose semantic or panoptic or instance'):
        segment(image, label_space='street', task='mixed', **quiet)
    with pytest.raises(LabelSpaceError, match='different label spaces'):
        segment(image, label_spaces=['street', 'street'], **quiet)
    for one in (dict(label_space='street'), dict(label_spaces=['street'])):
        with pytest.raises(OptionError, match='exclusive groups are for several label spaces'):
            segment(image, **one, exclusive=[['street']], **quiet)
    for way in (dict(label_space='facade'), dict(classes='car, dog')):
        with pytest.raises(OptionError, match="'instance' finds things, but label space '(facade|custom)' has none"):
            segment(image, task='instance', **way, **quiet)
    with pytest.raises(LabelSpaceError, match="names 'street:cra'"):
        segment(image, label_spaces=['street', 'facade'], exclusive=[['street:cra']], **quiet)


def test_instances_and_what_they_cover(model_config) -> None:
    things = dict(name='street', classes=['sky', 'car', 'dog'], things=['car', 'dog'])
    segment = LMSegInferencer(Config(dict(model=model_config([things]), default_scope='mmseg')))
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    (result,) = segment(image, task='instance', min_score=0.0, show_progress=False)
    scores = sorted(mask.score for mask in result.masks)
    (sure,) = segment(image, task='instance', min_score=scores[-2], show_progress=False)
    assert sorted(mask.score for mask in sure.masks) == scores[-2:]
    with pytest.raises(ValueError, match='min_score must be from 0 to 1, not 30'):
        segment(image, task='instance', min_score=30)
    for name, share in result.shares():
        own = [mask.pixels for mask in result.masks if mask.names == (name,)]
        assert name in ('car', 'dog')
        assert share == pytest.approx(np.any(own, axis=0).mean())  # where several lie, pixels count once


def test_a_union_of_models_answers_as_its_members_do(model_config) -> None:
    members = [model_config([space]) for space in (STREET, FACADE)]
    union = dict(type='mmlmseg.SegmentorUnion', members=members, data_preprocessor=members[0]['data_preprocessor'])
    model = MODELS.build(union)
    inferencer = LMSegInferencer(model)
    assert inferencer.label_spaces.names == (STREET.name, FACADE.name)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for member, space in zip(model.members, (STREET, FACADE), strict=True):
        (alone,) = LMSegInferencer(member)(image, label_space=space.name, show_progress=False)
        (found,) = inferencer(image, label_space=space.name, show_progress=False)
        np.testing.assert_array_equal(found.label_map, alone.label_map)
    (both,) = inferencer(image, label_spaces=[STREET.name, FACADE.name], show_progress=False)
    assert [space.name for space in both.spaces] == [STREET.name, FACADE.name]
    with pytest.raises(LabelSpaceError, match='not in a class list'):
        inferencer(image, classes='sky, house', show_progress=False)


def test_results_come_one_by_one() -> None:
    model, taken = BlueValue(FACADE), list[int]()

    def frames() -> Iterator[np.ndarray]:
        for value in range(3):
            taken.append(value)
            yield _image(value)

    results = LMSegInferencer(model).iter(frames(), batch_size=2, show_progress=False)
    assert taken == []
    assert next(results).label_map[1, 1] == 0
    assert taken == [0, 1]  # a batch
    assert [result.label_map[1, 1] for result in results] == [1, 2]


def test_no_result_is_kept() -> None:
    results = LMSegInferencer(BlueValue(FACADE)).iter([_image(0), _image(1)], show_progress=False)
    first = weakref.ref(next(results))
    next(results)
    assert first() is None


def test_a_wrong_question_is_said_before_the_first_image() -> None:
    with pytest.raises(LabelSpaceError, match='unknown label space'):
        LMSegInferencer(BlueValue()).iter(iter([]), label_space='forest')


def test_files_are_written_as_images_are_done(tmp_path: Path) -> None:
    results = LMSegInferencer(BlueValue(FACADE)).iter(
        [_image(1), _image(2)], out_dir=tmp_path / 'out', show_progress=False
    )
    next(results)
    assert [path.name for path in (tmp_path / 'out' / 'pred').iterdir()] == ['image_0.png']
    next(results)
    assert len(list((tmp_path / 'out' / 'pred').iterdir())) == 2


@pytest.mark.parametrize('task', ['semantic', 'panoptic', 'instance', 'mixed'])
def test_an_image_that_one_tile_holds_is_read_whole(model_config: Callable[..., dict], task: str) -> None:
    spaces = [dict(name='street', classes=['sky', 'car'], things=['car']), dict(name='facade', classes=['wall', 'car'])]
    config = Config(dict(model=model_config(spaces), default_scope='mmseg', custom_imports=dict(imports=['mmlmseg'])))
    torch.manual_seed(0)
    inferencer = LMSegInferencer(build_model(config, None), device='cpu')
    image = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    asked: dict[str, Any] = dict(label_spaces=['street', 'facade']) if task == 'mixed' else dict(label_space='street')

    def find(**options: Any) -> Any:
        (result,) = inferencer(image, task=task, min_score=0.0, show_progress=False, **asked, **options)
        return result.label_map if task == 'semantic' else result.found.masks.numpy()

    assert np.array_equal(find(tiles=dict(size=(96, 160), overlap=0)), find())
    assert find(tiles=dict(size=(64, 64), overlap=0)).shape[-2:] == (90, 130)
    if task == 'instance':
        assert len(find(max_per_image=3)) == 3 < len(find())
    with pytest.raises(OptionError, match='multiples of 32'):
        find(tiles=dict(size=(100, 100)))
    assert 'tiles' not in inferencer.model.test_cfg
