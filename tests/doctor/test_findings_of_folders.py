"""Each way to spoil a folder is found, with the file that it is in; a sound folder has no findings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import SIZE, draw_photo
from PIL import Image

from mmlmseg.doctor import Examination, html_report

Make, Look = Callable[..., Path], Callable[..., Examination]


def save_ids(path: Path, ids: np.ndarray) -> None:
    Image.fromarray(ids).save(path)


def cut_off(root: Path) -> None:
    file = root / 'images' / '0.jpg'
    file.write_bytes(file.read_bytes()[:600])


def turn(root: Path) -> None:
    image = Image.open(root / 'images' / '0.jpg')
    exif = image.getexif()
    exif[0x0112] = 3
    image.save(root / 'images' / '0.jpg', exif=exif, quality=95)


def turn_by_a_quarter(root: Path) -> None:
    image = draw_photo(0, SIZE)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(root / 'images' / '0.jpg', exif=exif, quality=95)


def half_empty(root: Path) -> None:
    for i in range(6):
        ids = np.full(SIZE, 255, np.uint8)
        ids[:8] = np.arange(64, dtype=np.uint8) % 3
        save_ids(root / 'labels' / f'{i}.png', ids)


def of_two_pictures(root: Path) -> None:
    pages = [draw_photo(0), draw_photo(1)]
    (root / 'images' / '0.jpg').unlink()
    pages[0].save(root / 'images' / '0.webp', save_all=True, append_images=pages[1:])


SPOILT: dict[str, tuple[Callable[[Path], None], str, str, str]] = {
    'an empty file': (lambda root: (root / 'images' / '0.jpg').write_bytes(b''), 'error', 'cut-off', '0.jpg'),
    'a truncated photo': (cut_off, 'error', 'cut-off', '0.jpg'),
    'no image at all': (lambda root: (root / 'images' / '0.jpg').write_text('moved'), 'error', 'image', '0.jpg'),
    'two pictures in a file': (of_two_pictures, 'error', 'pictures', '0.webp'),
    'a missing label': (lambda root: (root / 'labels' / '0.png').unlink(), 'error', 'missing-file', '0: no label in'),
    'a missing image': (lambda root: (root / 'images' / '5.jpg').unlink(), 'error', 'missing-file', '5: no image in'),
    'an unreadable label': (lambda root: (root / 'labels' / '0.png').write_text('x'), 'error', 'labels', '0.png'),
    'another size': (
        lambda root: save_ids(root / 'labels' / '0.png', np.zeros((48, 60), np.uint8)),
        'error',
        'size',
        'image 48x64, label 48x60',
    ),
    'a photo on its side': (turn_by_a_quarter, 'error', 'size', 'image 64x48, label 48x64'),
    'an id outside': (
        lambda root: save_ids(root / 'labels' / '1.png', np.full(SIZE, 3, np.uint8)),
        'error',
        'ids',
        'label id 3 is outside',
    ),
    '16 bits': (
        lambda root: save_ids(root / 'labels' / '1.png', np.full(SIZE, 300, np.uint16)),
        'error',
        'label-file',
        '1.png',
    ),
    'colours': (
        lambda root: save_ids(root / 'labels' / '1.png', np.zeros((*SIZE, 3), np.uint8)),
        'error',
        'label-colours',
        '1.png',
    ),
    'a photo upside down': (turn, 'warning', 'turned', 'EXIF orientation 3'),
    'nothing annotated': (
        lambda root: save_ids(root / 'labels' / '0.png', np.full(SIZE, 255, np.uint8)),
        'warning',
        'not-annotated',
        '0.png',
    ),
    'little annotated': (half_empty, 'warning', 'ignored', '% is not annotated'),
    'an unlisted image': (lambda root: draw_photo(77).save(root / 'images' / 'new.jpg'), 'note', 'unlisted', 'new'),
}


@pytest.mark.parametrize('way', SPOILT)
def test_what_is_spoilt_is_found(way: str, make_streets: Make, look: Look) -> None:
    spoil, severity, code, words = SPOILT[way]
    root = make_streets()
    spoil(root)
    found = look(root).findings
    assert [(one.severity, one.code) for one in found if one.severity != 'note' or severity == 'note'][:1] == [
        (severity, code)
    ]
    assert words in found[0].cases[0].what
    assert found[0].advice


def test_a_sound_folder_has_no_findings(make_streets: Make, look: Look) -> None:
    seen = look(make_streets(), make_streets('shop', ('wall', 'door'), seed=1))
    assert seen.findings == ()
    assert [len(one.samples) for one in seen.examined] == [4, 2, 4, 2]


def test_nothing_stops_the_others_from_being_read(make_streets: Make, look: Look) -> None:
    root = make_streets()
    for spoil in (SPOILT['an empty file'], SPOILT['16 bits'], SPOILT['a missing image']):
        spoil[0](root)
    save_ids(root / 'labels' / '2.png', np.full((9, 9), 77, np.uint8))
    seen = look(root)
    assert {one.code for one in seen.findings} >= {'cut-off', 'label-file', 'missing-file', 'size'}
    assert seen.examined[0].samples[3].faults == ()


def test_pixels_and_images_of_classes_are_counted(make_streets: Make, look: Look) -> None:
    count = look(make_streets()).examined[0].counts[0]
    assert [(one.name, one.pixels, one.images) for one in count.classes] == [
        (name, 4 * SIZE[0] * SIZE[1] // 3, 4) for name in ('road', 'sky', 'car')
    ]


def test_masks_of_0_and_255_are_told_from_labels_that_ignore(make_streets: Make, look: Look) -> None:
    root = make_streets(classes=('background', 'crack'))
    mask = np.zeros(SIZE, np.uint8)
    mask[10:30, 10:30] = 255
    for i in range(6):
        save_ids(root / 'labels' / f'{i}.png', mask)
    found = look(root).findings
    assert [one.code for one in found] == ['binary-mask', 'binary-mask']
    assert "is 255 meant to be 'crack'?" in found[0].what
    save_ids(root / 'labels' / '0.png', mask // 255)  # with a crack somewhere, 255 may be what it says
    assert 'binary-mask' not in {one.code for one in look(root).findings}


def test_classes_without_a_pixel_are_named(make_streets: Make, look: Look) -> None:
    root = make_streets()
    (root / 'classes.json').write_text(json.dumps(dict(classes=['road', 'sky', 'car', 'tram', 'bus'])))
    train, val = look(root).findings
    assert (train.code, val.code) == ('class-without-pixel', 'class-not-here')
    assert '2 of 5 classes have no pixel in 4 images: tram, bus' in train.what


def test_tiny_and_huge_classes(make_streets: Make, look: Look) -> None:
    root = make_streets()
    for i in range(6):
        ids = np.zeros(SIZE, np.uint8)
        ids[:2] = 1
        if i == 0:
            ids[5, 5] = 2
        save_ids(root / 'labels' / f'{i}.png', ids)
    found = {one.code: one.what for one in look(root).findings}
    assert "'road' has 95.8% of all labelled pixels" in found['huge-class']
    assert found['tiny-class'].endswith('car')


def test_16_bit_photos_are_found(make_streets: Make, look: Look) -> None:
    root = make_streets()
    (root / 'images' / '0.jpg').unlink()
    Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(SIZE)).save(root / 'images' / '0.png')
    assert [one.code for one in look(root).findings] == ['image-depth']


DECLARED = {
    'four bands are declared': (dict(bands=4, scale=4095), 'image-format', 'has 2 bands'),
    'no scale': (dict(bands=2), 'image-format', 'nothing says which values are black and white'),
    'a scale of 8 bits': (dict(bands=2, scale=255), 'beyond-scale', 'beyond the scale 0..255'),
    'a scale of 16 bits': (dict(bands=2, scale=2000000), 'beyond-scale', 'next to nothing'),
    'a band is empty': (dict(bands=2, scale=4095), 'constant-band', 'band 2 is 0 everywhere'),
    'all is well but for that': (dict(bands=[1], scale=4095), None, ''),
    'most is without data': (dict(bands=[2, 2], scale=4095, nodata=0), 'no-data', '100% of its pixels'),
}


@pytest.mark.parametrize('way', DECLARED)
def test_images_are_compared_with_what_is_declared(way: str, make_streets: Make, tmp_path: Path, look: Look) -> None:
    image, code, words = DECLARED[way]
    root = make_streets()
    pixels = np.random.default_rng(0).integers(1, 4096, (*SIZE, 2)).astype(np.uint16)
    pixels[..., 1] = 0
    (root / 'images' / '0.jpg').unlink()
    np.save(root / 'images' / '0.npy', pixels)
    (root / 'train.txt').write_text('0')
    loading = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    dataset = dict(type='mmlmseg.FolderDataset', data_root=str(root), split='train', pipeline=loading, image=image)
    (tmp_path / 'config.py').write_text(f'train_dataloader = dict(dataset={dataset!r})')
    cases = {finding.code: finding.cases for finding in look(tmp_path / 'config.py').findings}
    assert not code or any('0.npy' in case.what and words in case.what for case in cases[code])
    if code not in ('constant-band', 'image-format'):
        assert not {'image-format', 'image', 'labels'} & cases.keys()


def test_values_that_classes_json_does_not_name(make_streets: Make, look: Look) -> None:
    root = make_streets()
    (root / 'classes.json').write_text(
        json.dumps(dict(classes=['road', 'sky', 'car'], ids={'0': 'road', '1': 'sky', '2': 'car', '300': None}))
    )
    assert look(root).findings == ()
    ids = np.asarray(Image.open(root / 'labels' / '0.png')).astype(np.uint16)
    ids[0] = 300
    save_ids(root / 'labels' / '0.png', ids)
    save_ids(root / 'labels' / '1.png', ids + 400)
    seen = look(root)
    assert [one.code for one in seen.findings] == ['ids']
    assert 'label id 400; 401; 402; 700 is not named under "ids"' in seen.findings[0].cases[0].what
    assert seen.examined[0].counts[0].ignored == 64


def test_more_classes_than_8_bits(make_streets: Make, look: Look) -> None:
    root = make_streets(classes=[f'class {i}' for i in range(300)])
    save_ids(root / 'labels' / '0.png', np.full(SIZE, 65535, np.uint16))
    save_ids(root / 'labels' / '1.png', np.full(SIZE, 299, np.uint16))
    seen = look(root)
    assert {one.code for one in seen.findings} == {'not-annotated', 'class-without-pixel', 'class-not-here'}
    assert seen.examined[0].counts[0].classes[299].pixels == SIZE[0] * SIZE[1]
    assert 'data:image' in html_report(seen)


def test_a_folder_with_nothing_to_validate_on_is_told(make_streets: Make, look: Look) -> None:
    root = make_streets()
    (root / 'val.txt').unlink()
    seen = look(root)
    assert {one.code for one in seen.findings} == {'no-val', 'unlisted'}
    assert next(one for one in seen.findings if one.code == 'no-val').what == 'has train.txt, but no val.txt'


def test_a_folder_that_is_none_is_a_finding(make_streets: Make, tmp_path: Path, look: Look) -> None:
    (tmp_path / 'empty').mkdir()
    unlisted, damaged = make_streets('unlisted'), make_streets('damaged')
    for name in ('train.txt', 'val.txt'):
        (unlisted / name).unlink()
    (damaged / 'classes.json').write_text('{"classes": ["road", ]}')
    seen = look(tmp_path / 'empty', unlisted, damaged)
    assert {one.code for one in seen.findings} == {'dataset'}
    said = ' '.join(one.what for one in seen.findings)
    assert 'holds no classes.json' in said
    assert 'has no list of samples' in said
    assert 'not valid JSON' in said


def test_a_folder_that_lacks_everything_says_so_once(make_streets: Make, look: Look) -> None:
    root = make_streets()
    for file in (root / 'labels').iterdir():
        file.unlink()
    found = look(root).findings
    assert [(one.code, len(one.cases)) for one in found] == [('missing-file', 4), ('missing-file', 2)]


def test_truth_in_several_label_spaces(make_streets: Make, tmp_path: Path, look: Look) -> None:
    fine, coarse = make_streets('fine'), make_streets('coarse', ('ground', 'air', 'rest'))
    save_ids(coarse / 'labels' / '4.png', np.full(SIZE, 9, np.uint8))
    config = tmp_path / 'config.py'
    config.write_text(
        'steps = [dict(type=kind) for kind in ("LoadImageFromFile", "mmlmseg.LoadSegments", "mmlmseg.PackSegments")]\n'
        'val_dataloader = dict(dataset=dict(type="mmlmseg.MultiSpaceFolderDataset", split="val", pipeline=steps,\n'
        f'    folders=[dict(data_root={str(fine)!r}), dict(data_root={str(coarse)!r})]))\n'
    )
    (found,) = look(config).findings
    assert found.code == 'ids'
    assert str(coarse / 'labels' / '4.png') in found.cases[0].what


def test_a_test_split_may_have_no_labels(make_streets: Make, look: Look) -> None:
    root = make_streets()
    draw_photo(50).save(root / 'images' / 'secret.jpg')
    (root / 'test.txt').write_text('secret')
    assert [one.code for one in look(root).findings] == ['no-labels']


def test_segments_that_contradict_their_labels(make_streets: Make, look: Look) -> None:
    root = make_streets(things=['car'])
    (root / 'instances').mkdir()
    for i in range(6):
        labels = np.asarray(Image.open(root / 'labels' / f'{i}.png'))
        save_ids(root / 'instances' / f'{i}.png', (labels == 2).astype(np.uint8))
    assert look(root).findings == ()
    save_ids(root / 'instances' / '0.png', np.ones(SIZE, np.uint8))
    save_ids(root / 'labels' / '1.png', np.full(SIZE, 9, np.uint8))
    found = {one.code: one.cases[0].what for one in look(root).findings}
    assert 'lies on two classes' in found['segments']
    assert 'label id 9' in found['ids']
