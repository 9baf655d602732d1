"""What visitors of the web demo upload and type, and with what it is started."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from refusals import Refusals

from mmlmseg.app.choices import Choices
from mmlmseg.app.downloads import save_coco
from mmlmseg.app.reports import audit_frame, cross_space_tables
from mmlmseg.app.serve import list_examples
from mmlmseg.app.uploads import Limits, check_upload
from mmlmseg.app.workspace import Workspace
from mmlmseg.errors import DataError, OptionError

REFUSALS = Refusals()


def uploaded(folder: Path, name: str, content: bytes, limits: Limits | None = None) -> None:
    (folder / name).write_bytes(content)
    check_upload(folder / name, folder, limits or Limits())


def png_of(height: int, width: int) -> bytes:
    """A PNG whose header announces a size, and that holds nothing of it."""
    parts = (b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0), b'IDAT')
    chunks = (struct.pack('>I', len(part) - 4) + part + struct.pack('>I', zlib.crc32(part)) for part in parts)
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


UPLOADS: dict[str, tuple[str, bytes, Limits, tuple[str, ...]]] = {
    'text_by_the_name_of_an_image': ('a.png', b'no image', Limits(), ('a.png', 'no image that can be read')),
    'an_empty_file': ('a.jpg', b'', Limits(), ('a.jpg', 'save it as PNG or JPEG')),
    'another_kind_of_file': ('a.pdf', b'%PDF', Limits(), ('a.pdf', '.png')),
    'a_name_without_an_ending': ('passwd', b'root', Limits(), ('passwd: the name ends',)),
    'too_many_bytes': (
        'a.png',
        png_of(4, 4) + bytes(3 << 20),
        Limits(2),
        ('has 3.0 MB', 'at most 2', 'mmlmseg predict'),
    ),
    'more_pixels_than_allowed': ('a.png', png_of(3000, 4000), Limits(megapixels=4), ('3000x4000', 'at most 4 million')),
    'a_decompression_bomb': ('a.png', png_of(60000, 60000), Limits(), ('a.png', 'pixels')),
    'a_truncated_tiff': ('a.tif', b'II*\0\x08\0\0\0', Limits(), ('a.tif', 'no image that can be read')),
}
for _name, (_file, _content, _limits, _words) in UPLOADS.items():

    def _upload(folder: Path, case: tuple[str, bytes, Limits] = (_file, _content, _limits)) -> None:
        uploaded(folder, *case)

    _upload.__name__ = _name
    REFUSALS.by(DataError, *_words)(_upload)


@REFUSALS.by(DataError, 'passwd: is no uploaded file')
def a_file_of_the_server(folder: Path) -> None:
    check_upload(Path('/etc/passwd'), folder, Limits())


@REFUSALS.by(DataError, 'a.png: is no uploaded file', 'upload it')
def a_path_that_climbs_out_of_the_uploads(folder: Path) -> None:
    (folder / 'uploads').mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / 'a.png')
    check_upload(folder / 'uploads' / '..' / 'a.png', folder / 'uploads', Limits())


@REFUSALS.by(DataError, 'a.png: is no uploaded file')
def a_folder_by_the_name_of_an_image(folder: Path) -> None:
    (folder / 'a.png').mkdir()
    check_upload(folder / 'a.png', folder, Limits())


@REFUSALS.by(OptionError, 'megabytes', 'above 0', '-1')
def a_negative_limit(folder: Path) -> None:
    Limits(-1)


@REFUSALS.by(OptionError, 'megapixels', 'nan')
def a_limit_that_is_no_number(folder: Path) -> None:
    Limits(megapixels=float('nan'))


@REFUSALS.by(OptionError, 'least score', '1.5')
def a_score_above_one(folder: Path) -> None:
    Choices(least_score=1.5)


@REFUSALS.by(OptionError, "'everything'", 'classes or segments')
def another_way_to_show(folder: Path) -> None:
    Choices('everything')  # type: ignore[arg-type]


@REFUSALS.by(DataError, 'photos', 'no image in it')
def examples_from_a_folder_without_images(folder: Path) -> None:
    list_examples(folder / 'photos')


@REFUSALS.by(DataError, 'there is no result')
def a_download_of_nothing(folder: Path) -> None:
    save_coco([], folder / 'a.json')


@REFUSALS.by(DataError, 'there is no image -1')
def an_image_by_a_negative_place(folder: Path) -> None:
    Workspace().with_images([folder / 'a.png']).showing(-1)


@REFUSALS.by(DataError, 'audit.json', 'tools/audit.py writes')
def an_audit_that_is_json(folder: Path) -> None:
    (folder / 'audit.json').write_text('{}')
    audit_frame(folder / 'audit.json')


@REFUSALS.by(DataError, 'away.html', 'cannot be read')
def an_audit_that_is_away(folder: Path) -> None:
    audit_frame(folder / 'away.html')


@REFUSALS.by(DataError, 'away.json: no such file', 'tools/cross_space.py')
def cross_space_scores_that_are_away(folder: Path) -> None:
    cross_space_tables(folder / 'away.json')


@REFUSALS.by(DataError, 'a.json: holds no scores')
def scores_of_another_kind(folder: Path) -> None:
    (folder / 'a.json').write_text(json.dumps(dict(results=[dict(dataset='a')], trained=[])))
    cross_space_tables(folder / 'a.json')
