"""The same picture is found again, also scaled and compressed; other pictures are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import SIZE, draw_photo
from PIL import Image

from mmlmseg.doctor import Examination
from mmlmseg.doctor.leaks import look_of, same_images

Make, Look = Callable[..., Path], Callable[..., Examination]


def changed(image: np.ndarray, scale: float, quality: int) -> np.ndarray:
    """Scaled and compressed anew."""
    small = Image.fromarray(image).resize((round(image.shape[1] * scale), round(image.shape[0] * scale)))
    code = cv2.imencode('.jpg', np.asarray(small), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


@pytest.mark.parametrize(('scale', 'quality'), [(1, 30), (0.5, 90), (0.7, 60), (2, 75)])
def test_copies_of_photos_are_found_and_nothing_else(shared_data: Path, scale: float, quality: int) -> None:
    files = sorted((shared_data / 'labelmefacade' / 'images').iterdir())[:40]
    images = [np.asarray(cv2.imread(str(file))) for file in files]
    looks = [look_of(image) for image in images] + [look_of(changed(image, scale, quality)) for image in images[::4]]
    assert same_images(looks) == [[4 * i, 40 + i] for i in range(10)]


def test_flat_images_are_one_only_where_they_are_equal() -> None:
    looks = [look_of(np.full((40, 40, 3), grey, np.uint8)) for grey in (100, 101, 100)]
    assert same_images(looks) == [[0, 2]]


def test_one_picture_of_other_channels_and_depths() -> None:
    image = np.asarray(draw_photo(3))
    for other in (image[..., 0], image[..., :2], image.astype(np.uint16) * 100, image.astype(np.float32)):
        assert look_of(other).thumbnail.shape == (32, 32)


def copy_image(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.resize((image.width * 2 // 3, image.height * 2 // 3)).save(target, quality=85)


def test_leaks_are_errors(make_streets: Make, look: Look) -> None:
    root = make_streets()
    shutil.copy(root / 'images' / '0.jpg', root / 'images' / '4.jpg')
    copy_image(root / 'images' / '1.jpg', root / 'images' / '5.jpg')
    Image.open(root / 'labels' / '5.png').resize((42, 32), Image.Resampling.NEAREST).save(root / 'labels' / '5.png')
    (found,) = look(root).findings
    assert (found.severity, found.code, found.dataset) == ('error', 'leak', 'streets (val), streets (train)')
    assert [case.what.split(' ', 1)[1].rsplit(' ', 1)[0] for case in found.cases] == [
        'is to the pixel',
        'is, scaled or compressed anew,',
    ]


def test_one_sample_on_both_lists_is_a_leak(make_streets: Make, look: Look) -> None:
    root = make_streets()
    (root / 'val.txt').write_text('0\n5')
    assert [one.code for one in look(root).findings] == ['leak', 'unlisted']


def test_lists_within_one_another_are_no_leaks(make_streets: Make, look: Look) -> None:
    root = make_streets()
    (root / 'trainval.txt').write_text('\n'.join(map(str, range(6))))
    assert look(root).findings == ()


def test_images_of_two_datasets(make_streets: Make, look: Look) -> None:
    streets, shop = make_streets(), make_streets('shop', seed=1)
    shutil.copy(streets / 'images' / '4.jpg', shop / 'images' / '0.jpg')
    shutil.copy(streets / 'images' / '1.jpg', shop / 'images' / '1.jpg')
    found = {one.code: one for one in look(streets, shop).findings}
    assert found.keys() == {'leak-between', 'shared-image'}
    assert found['leak-between'].dataset == 'streets (val), shop (train)'


def test_classes_of_one_name_that_differ_on_a_shared_picture(make_streets: Make, look: Look) -> None:
    streets, shop = make_streets(), make_streets('shop', ('road', 'door'), seed=1)
    shutil.copy(streets / 'images' / '0.jpg', shop / 'images' / '0.jpg')
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(shop / 'labels' / '0.png')
    found = {one.code: one for one in look(streets, shop).findings}
    assert found['two-meanings'].dataset == 'streets, shop'
    assert "'road' has 33% of it in 'streets' and 100% in 'shop'" in found['two-meanings'].cases[0].what


def test_repeated_images_with_like_and_unlike_labels(make_streets: Make, look: Look) -> None:
    root = make_streets()
    for i, j in ((0, 1), (2, 3)):
        shutil.copy(root / 'images' / f'{i}.jpg', root / 'images' / f'{j}.jpg')
    Image.fromarray(np.full(SIZE, 1, np.uint8)).save(root / 'labels' / '3.png')
    assert [one.code for one in look(root).findings] == ['contradicting-labels', 'duplicate']
