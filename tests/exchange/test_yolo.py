"""YOLO's text files become objects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from mmlmseg.exchange.yolo import label_file, read_yolo


def test_what_supervision_wrote_becomes_objects(
    written: Callable[[str], Path], convert: Callable[..., int], objects_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written('yolo_supervision')  # its data.yaml names classes only
    assert convert('yolo_to_coco', folder / 'data.yaml', folder / 'out') == 0
    printed = capsys.readouterr().out
    assert '2 images (1 without an object), 2 objects' in printed
    assert "overlaps='smaller'" in printed
    assert sorted(path.name for path in (folder / 'out').iterdir()) == ['train.json', 'val.json']
    found = objects_of(folder / 'out' / 'train.json', 'train/images/a.png')
    assert found.categories == ['ball', 'car']
    assert [(name, pixels.sum()) for name, pixels in found] == [('car', 23 * 15), ('ball', 23 * 13)]
    assert found[0][1][8:23, 6:29].all()  # supervision's polygons leave out the last row and column


def test_parts_that_ultralytics_joined_are_one_object(
    written: Callable[[str], Path], convert: Callable[..., int], objects_of: Any
) -> None:
    folder = written('yolo_ultralytics')  # with the path of another machine, and labels of one image of two
    assert convert('yolo_to_coco', folder / 'data.yaml', folder / 'out') == 0
    found = objects_of(folder / 'out' / 'val.json', 'images/train/a.png')
    (car, solid), (ball, parts) = found
    assert (car, ball) == ('car', 'ball')
    assert solid.sum() == 24 * 16
    assert parts[30:44, 36:60].all()
    assert parts[4, 45]
    assert parts[38, 6]
    assert not parts[12:28].any()  # the bridges have no pixel
    assert not parts[31:40, 13:34].any()
    assert not objects_of(folder / 'out' / 'val.json', 'images/train/b.png')


@pytest.fixture
def describe(tmp_path: Path) -> Callable[..., Path]:
    """Writes images with labels, and a data.yaml of some keys."""

    def write(lines: str = '0 0.1 0.1 0.9 0.1 0.9 0.9\n', folder: str = 'images/train', **keys: Any) -> Path:
        image = tmp_path / folder / 'town' / 'x.jpg'
        for path in (image, label_file(image)):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (64, 48)).save(image)
        label_file(image).write_text(lines)
        keys = {'names': ['car'], 'train': folder, **keys}
        (tmp_path / 'data.yaml').write_text(yaml.safe_dump(keys))
        return tmp_path / 'data.yaml'

    return write


@pytest.mark.parametrize(
    'keys',
    [
        dict(path='.'),
        dict(path='/content/yard', names={0: 'car'}),
        dict(names={'0': 'car'}, train=['images/train'], nc=1),
        dict(train='../images/train'),  # Roboflow's
        dict(train='train.txt'),
    ],
)
def test_splits_are_found_as_ultralytics_finds_them(
    describe: Callable[..., Path], tmp_path: Path, keys: dict[str, Any]
) -> None:
    (tmp_path / 'train.txt').write_text('./images/train/town/x.jpg\n')
    read = read_yolo(describe(**keys))
    assert list(read) == ['train']
    assert [(one.file.name, one.size, len(one.shapes)) for one in read['train'].images] == [('x.jpg', (48, 64), 1)]


def test_classes_are_written_as_savetxt_does(describe: Callable[..., Path]) -> None:
    description = describe('0.0e+00 0 0 1 0 1.005 1\n\n0.0e+00 0 0 1 0 1.005 1\n')
    for name in ('classes', 'gone'):
        (description.parent / 'labels' / 'train' / 'town' / f'{name}.txt').write_text('car\n')
    read = read_yolo(description)['train']
    assert [shape.label for shape in read.images[0].shapes] == ['car']
    assert read.images[0].shapes[0].covers == [[0, 0, 64, 0, 64, 48]]
    assert list(read.losses.places) == ['line that stands twice in its file', 'label file without an image']
    assert len(read.losses.places['label file without an image']) == 1


def test_the_last_folder_called_images_has_the_labels() -> None:
    assert label_file(Path('/images/yard/images/train/1.2.jpg')).as_posix() == '/images/yard/labels/train/1.2.txt'
    assert label_file(Path('/yard/photos/1.jpg')).as_posix() == '/yard/photos/1.txt'
