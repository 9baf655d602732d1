"""The visualiser finds the label space of each sample and works under mmseg's hook."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.engine import SegVisualizationHook
from mmseg.structures import SegDataSample
from PIL import Image

from mmlmseg.engine import VisualizationHook
from mmlmseg.errors import LabelSpaceError
from mmlmseg.label_space import LabelSpace
from mmlmseg.registry import VISUALIZERS
from mmlmseg.segments import MaskSet, SegmentMap
from mmlmseg.visualization import MultiSpaceVisualizer

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
TOWN = LabelSpace.create('town', ['road', 'car'], palette=[RED, GREEN])
COAST = LabelSpace.create('coast', ['water'], palette=[BLUE])
META = dict(
    datasets={
        name: dict(spaces=[space.to_dict() for space in own])
        for name, own in dict(street=[TOWN], sea=[COAST], both=[TOWN, COAST]).items()
    }
)


def _sample(truth: bool = True, size: tuple[int, int] = (20, 30), **meta: object) -> SegDataSample:
    sample = SegDataSample(metainfo=meta)
    sample.pred_sem_seg = PixelData(data=torch.zeros(1, 20, 30).long())
    if truth:
        sample.gt_sem_seg = PixelData(data=torch.zeros(1, *size, dtype=torch.uint8))
    return sample


@pytest.fixture
def visualizer(tmp_path: Path) -> MultiSpaceVisualizer:
    backends = [dict(type='LocalVisBackend')]
    name = tmp_path.name  # mmengine keeps one instance per name
    config = dict(type='mmlmseg.MultiSpaceVisualizer', name=name, vis_backends=backends, save_dir=str(tmp_path))
    built = VISUALIZERS.build(dict(config, alpha=1.0))
    built.dataset_meta = META
    return built


def _has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(-1).any())


def test_names_and_colours_follow_the_sample(visualizer: MultiSpaceVisualizer) -> None:
    assert visualizer.spaces_of(dict(dataset='sea', label_spaces=('coast',))) == (COAST,)
    assert visualizer.spaces_of(dict(dataset='sea')) == (COAST,)
    assert visualizer.spaces_of(dict(label_spaces=('town',))) == (TOWN,)
    assert visualizer.spaces_of(dict(label_spaces=('coast', 'town'))) == (COAST, TOWN)
    custom = LabelSpace.create('custom', ['sky', 'house'])
    assert visualizer.spaces_of(dict(dataset='sea', label_spaces=(custom,))) == (custom,)
    with pytest.raises(LabelSpaceError, match=r"x.png.*'moon'.*street, sea"):
        visualizer.spaces_of(dict(label_spaces=('moon',), img_path='x.png'))
    visualizer.dataset_meta = dict(classes=['a'], palette=[RED])
    (plain,) = visualizer.spaces_of({})
    assert (plain.classes, plain.palette) == (('a',), (RED,))


@pytest.mark.parametrize('size', [(20, 30), (10, 15)])
def test_truth_and_prediction_are_drawn(tmp_path: Path, visualizer: MultiSpaceVisualizer, size: tuple) -> None:
    image = np.full((20, 30, 3), 9, np.uint8)
    visualizer.add_datasample('n', image, _sample(dataset='sea', label_spaces=('coast',), size=size), step=3)
    picture = cv2.imread(str(tmp_path / 'vis_data' / 'vis_image' / 'sea_n_3.png'))[..., ::-1]
    assert picture.shape[1] == 3 * 256 + 4 * 10
    assert _has(picture, BLUE)
    assert _has(picture, (9, 9, 9))
    assert not _has(picture, RED)
    out_file = tmp_path / 'one.png'
    visualizer.add_datasample('n', image, _sample(dataset='street'), draw_gt=False, out_file=str(out_file))
    picture = cv2.imread(str(out_file))[..., ::-1]
    assert picture.shape[1] == 2 * 256 + 3 * 10
    assert _has(picture, RED)


def test_segments_are_drawn_in_place_of_classes(tmp_path: Path, visualizer: MultiSpaceVisualizer) -> None:
    sample = _sample(dataset='street')  # the truth is road, red
    ids = torch.ones(1, 20, 30, dtype=torch.int32)
    sample.pred_segments = SegmentMap(ids, torch.tensor([1]), scores=torch.tensor([0.9]))
    out_file = tmp_path / 'one.png'
    visualizer.add_datasample('n', np.full((20, 30, 3), 9, np.uint8), sample, out_file=str(out_file))
    picture = cv2.imread(str(out_file))[..., ::-1]
    truth, prediction = picture[:, 276:532], picture[:, 542:798]
    assert _has(truth, RED)
    assert _has(prediction, GREEN)
    assert not _has(prediction, RED)


def test_truth_and_prediction_in_several_spaces(tmp_path: Path, visualizer: MultiSpaceVisualizer) -> None:
    sample = SegDataSample(metainfo=dict(dataset='both', label_spaces=('town', 'coast')))
    ids = torch.ones(2, 20, 30, dtype=torch.int32)
    ids[1] = 2
    sample.gt_segments = SegmentMap(ids, torch.tensor([0, 2]))
    masks = torch.ones(1, 20, 30, dtype=torch.bool)
    sample.pred_segments = MaskSet(masks, torch.tensor([2]), scores=torch.tensor([0.9]))
    out_file = tmp_path / 'one.png'
    image = np.full((20, 30, 3), 9, np.uint8)
    visualizer.add_datasample('n', image, sample, out_file=str(out_file))
    picture = cv2.imread(str(out_file))[..., ::-1]
    columns = [picture[:, 10 + 266 * i : 266 * (i + 1)] for i in range(3)]
    truth, prediction = (
        [(_has(panel, RED), _has(panel, BLUE)) for panel in row]
        for row in zip(*(np.array_split(column, 2) for column in columns), strict=True)
    )
    assert truth == [(False, False), (True, False), (False, True)]  # the image comes first
    assert prediction == [(False, False), (False, False), (False, True)]  # no mask says road


def test_under_the_hook_of_mmseg(tmp_path: Path, visualizer: MultiSpaceVisualizer) -> None:
    paths = [tmp_path / name for name in ('a.png', 'b.png')]
    for path in paths:
        cv2.imwrite(str(path), np.full((20, 30, 3), 9, np.uint8))
    hook = SegVisualizationHook(draw=True, interval=1)
    hook._visualizer = visualizer
    samples = [_sample(dataset=d, img_path=str(p)) for d, p in zip(('street', 'sea'), paths, strict=True)]
    hook.after_test_iter(SimpleNamespace(iter=0), 0, {}, samples)
    hook.after_val_iter(SimpleNamespace(iter=7), 0, {}, samples)
    drawn = {path.name.rsplit('_', 1)[0] for path in (tmp_path / 'vis_data' / 'vis_image').iterdir()}
    # each stack numbers the files its own way, and only the original one draws more of a batch than its first sample
    assert drawn - {'sea_val_b.png'} == {'sea_test_b.png', 'street_test_a.png', 'street_val_a.png'}


def test_images_of_other_bands_are_drawn_as_they_were_read(tmp_path: Path, visualizer: MultiSpaceVisualizer) -> None:
    pixels = np.zeros((20, 30, 5), np.uint16)
    pixels[..., 0] = 1000
    np.save(tmp_path / 'a.npy', pixels)
    cv2.imwrite(str(tmp_path / 'b.png'), np.full((20, 30, 3), (0, 0, 255), np.uint8))
    hook = VisualizationHook(draw=True, interval=1)
    hook._visualizer = visualizer
    declared = _sample(dataset='sea', img_path=str(tmp_path / 'a.npy'), image_format=dict(bands=5, scale=1000))
    plain = _sample(dataset='street', img_path=str(tmp_path / 'b.png'))
    assert np.array_equal(hook._picture(declared), hook._picture(plain))
    hook.after_test_iter(SimpleNamespace(iter=0), 0, {}, [declared, plain])
    hook.after_val_iter(SimpleNamespace(iter=7), 0, {}, [declared, plain])
    drawn = {path.name.rsplit('_', 1)[0] for path in (tmp_path / 'vis_data' / 'vis_image').iterdir()}
    assert drawn == {'sea_test_a.npy', 'street_test_b.png', 'sea_val_a.npy'}


def test_a_picture_that_was_read_as_stored_is_drawn_so(tmp_path: Path, visualizer: MultiSpaceVisualizer) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6  # viewers turn it by 90 degrees
    Image.fromarray(np.full((20, 30, 3), 9, np.uint8)).save(tmp_path / 'a.jpg', exif=tags)
    turned = cv2.imread(str(tmp_path / 'a.jpg'))
    sample = _sample(dataset='street', img_path=str(tmp_path / 'a.jpg'), ori_shape=(20, 30))
    assert turned.shape[:2] == (30, 20)
    visualizer.add_datasample('a', turned, sample, out_file=str(tmp_path / 'drawn.png'))
    assert (tmp_path / 'drawn.png').is_file()
