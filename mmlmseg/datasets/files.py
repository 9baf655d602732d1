"""Files of images and label maps: what a decoder would change about them, or leave out, without a word."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log
from PIL import Image, ImageSequence, UnidentifiedImageError

from ..errors import DataError, LabelSpaceError

_PNG, _JPEG = b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'
_ENDS = {_PNG: b'IEND\xaeB`\x82', _JPEG: b'\xff\xd9'}
_EIGHT_BITS = (_JPEG, b'BM', b'GIF8', b'RIFF')
_TIFF = (b'II*\0', b'MM\0*')
_MANY_PICTURES = (b'GIF8', b'RIFF', *_TIFF)
_SUBFILE, _BITS, _ORIENTATION = 254, 258, 0x0112  # tags of TIFF and EXIF
# Of files that are no images; where OpenCV returns None, mmcv fails an assertion or asks None for its shape.
_DECODERS_RAISE = (AssertionError, AttributeError, SyntaxError, ValueError, cv2.error)
_NOT_FOR_PILLOW = (UnidentifiedImageError, Image.DecompressionBombError)  # of kinds it does not know, and too large
_turned_folders: set[str] = set()


def check_image_file(path: str, keeps_depth: bool = True) -> None:
    """Makes sure that a decoder gives the image that a file holds. Files that are not local are left to their backend.

    OpenCV fills what a cut-off file lacks with grey, keeps the upper 8 of 16 bits, and reads the first of several
    pictures.

    Args:
        path: The file.
        keeps_depth: Whether it is loaded with all its bits.

    Raises:
        DataError: Says what is wrong with it; does not name the file.
    """
    check_whole(path)
    check_one_picture(path)
    if not keeps_depth:
        check_depth(path)


def check_whole(path: str) -> None:
    """Makes sure that an image file is not cut off: first and last bytes tell of JPEG and PNG; a file with an unusual
    end is decoded once more, strictly."""
    if not os.path.isfile(path):
        return
    head, tail = _ends_of(path)
    if not head:
        raise DataError('the image is damaged or cut off: the file is empty; replace it')
    if any(head.startswith(start) and not tail.endswith(end) for start, end in _ENDS.items()):
        _decode_strictly(path)


def check_one_picture(path: str) -> None:
    """Makes sure that an image file holds one picture."""
    if not os.path.isfile(path):
        return
    head, _ = _ends_of(path)
    if b'acTL' in head or head.startswith(_MANY_PICTURES):
        _check_pictures(path)


def check_depth(path: str) -> None:
    """Makes sure that an image file has no more than 8 bits a channel."""
    if os.path.isfile(path) and (bits := bits_of(path)) > 8:
        raise DataError(
            f'the image has {bits} bits a channel, of which 8 would be kept (of 0..4095 in 16 bits only 0..15); '
            'declare image=dict(bands=..., scale=...) of its dataset (in inference, read_as may name another), or give '
            "its LoadImageFromFile color_type='unchanged' (or 3: any depth, grey as three channels) and the "
            'data_preprocessor mean and std to match, or save the image with 8 bits'
        )


def exif_orientation(path: str) -> int:
    """How a camera was held, 1 (upright) to 8, as the EXIF data of a local file say; 1 where they say
    nothing, and for WebP, which OpenCV does not turn."""
    if not os.path.isfile(path):
        return 1
    head, _ = _ends_of(path)
    if b'Exif\0\0' not in head and b'eXIf' not in head and not head.startswith(_TIFF):
        return 1
    try:
        with Image.open(path) as image:
            orientation = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # whatever is wrong with EXIF data, they turn nothing
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def warn_of_turned_image(path: str, orientation: int) -> None:
    """Says, once for a folder, that an image was turned as its EXIF data say, and that its labels were not."""
    folder = os.path.dirname(path)
    if folder in _turned_folders:
        return
    _turned_folders.add(folder)
    print_log(
        f'{path}: is turned as its EXIF orientation {orientation} says, its labels are not: they must be of the '
        'picture as viewers show it. Where they are of the picture as stored, load it with '
        "color_type='color_ignore_orientation'. "
        '(Said once for a folder.)',
        'current',
        logging.WARNING,
    )


def check_label_file(path: str) -> None:
    """Makes sure that a file of labels holds 8-bit ids: mmseg casts all it holds, 300 becomes 44 and 1.6 becomes 1.

    Raises:
        DataError: Says what is wrong with it; does not name the file.
    """
    if not os.path.isfile(path):
        return
    head, _ = _ends_of(path)
    if head.startswith(_PNG) and head[24] <= 8:  # the bit depth stands at byte 24 of every PNG
        return
    refuse_jpeg(head)
    decoded = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype == np.uint8:
        return
    bits = 8 * decoded.itemsize
    if decoded.dtype.kind == 'f':
        raise DataError(
            f'the label map holds {bits}-bit floating-point numbers (such as {decoded.flat[0]}); save ids of 8 bits'
        )
    for value in (int(decoded.min()), int(decoded.max())):
        if not 0 <= value <= 255:
            raise DataError(
                f'label id {value} in a {bits}-bit label map; ids must fit 8 bits: 0..254 and 255 = ignore, unless '
                '"ids" in the classes.json of a folder names them'
            )


def refuse_jpeg(content: bytes) -> None:
    """Stops at labels whose file begins as a JPEG."""
    if content.startswith(_JPEG):
        raise DataError('the label map is a JPEG, which smears ids where classes meet; save them anew, as PNG')


def warn_of_binary_masks(paths: Sequence[str], name: str) -> None:
    """Says where label maps of two classes hold 0 and 255 only, as masks often do: the second class has no pixel then.

    Args:
        paths: Some files of a dataset.
        name: The second class.
    """
    values: set[int] = set()
    for path in paths:
        try:
            with Image.open(path) as image:
                values.update(np.unique(np.asarray(image)).tolist())
        except (OSError, SyntaxError, ValueError):
            return  # told where it is loaded
        if not values <= {0, 255}:
            return
    if values == {0, 255}:
        print_log(
            f'{paths[0]}: this and all other label maps looked at ({len(paths)}) hold only 0 and 255, and 255 is "not '
            f'annotated", so class {name!r} has no pixel. If 255 is meant to be {name!r}, say so by "ids" in the '
            'classes.json of a folder, or save it as 1: '
            'Image.fromarray((numpy.asarray(Image.open(file)) > 0).astype("uint8")).save(file)',
            'current',
            logging.WARNING,
        )


def fault_of_data(error: Exception, files: Sequence[str | None]) -> str | None:
    """What an error says of the files of a sample; None where it tells of a mistake in the code that reads them."""
    if isinstance(error, (DataError, LabelSpaceError)):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"{error}; load it with imdecode_backend='cv2', or cut it into smaller ones"
    if isinstance(error, FileNotFoundError):
        return f'missing file: {error.filename or error}; restore it or take the sample off the list'
    said = f'{type(error).__name__}: {error}'
    if isinstance(error, (OSError, *_DECODERS_RAISE)) and (unreadable := _first_unreadable(files)):
        return f'cannot be read as an image: {unreadable} ({said}); replace the file'
    if 'failed to load image' in said or 'imdecode' in said:  # mmcv's words, OpenCV's words
        return 'the imdecode_backend of its LoadImageFromFile cannot read this kind of image; take another, or a PNG'
    if isinstance(error, cv2.error) and ('inv_scale' in said or 'dsize' in said):
        return 'the image is so narrow that resizing it leaves a side without a pixel; cut it, or take it off the list'
    return said if isinstance(error, OSError) else None


def _first_unreadable(files: Sequence[str | None]) -> str | None:
    """The first of some files that is here and does not open as an image."""
    for file in files:
        if file and Path(file).exists():
            try:
                with Image.open(file) as image:
                    image.load()
            except Exception:  # whatever the decoder says, the file is the culprit
                return file
    return None


def _ends_of(path: str) -> tuple[bytes, bytes]:
    """The first 4096 bytes of a file, and the last 8."""
    with open(path, 'rb') as file:
        head = file.read(4096)
        file.seek(-min(8, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return head, file.read()


def _decode_strictly(path: str) -> None:
    try:
        with Image.open(path) as image:
            image.load()
    except Image.DecompressionBombError:
        return
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f'the image is damaged or cut off ({error}); replace the file') from None


def _check_pictures(path: str) -> None:
    try:
        with Image.open(path) as image:
            pictures = [getattr(page, 'tag_v2', {}).get(_SUBFILE, 0) for page in ImageSequence.Iterator(image)]
    except _NOT_FOR_PILLOW:
        return
    number = sum(not kind & 0b101 for kind in pictures)  # of a TIFF, pages that are no smaller copy and no mask
    if number > 1:
        raise DataError(f'the file holds {number} pictures, of which only the first would be read; save one a file')


def bits_of(path: str) -> int:
    """How many bits a channel an image file has; 8 for one that is not local."""
    if not os.path.isfile(path):
        return 8
    head, _ = _ends_of(path)
    if head.startswith(_PNG):
        return head[24]
    if head.startswith(_EIGHT_BITS):
        return 8
    try:
        with Image.open(path) as image:
            if image.format == 'TIFF':
                return max(image.tag_v2.get(_BITS, (8,)))  # type: ignore[attr-defined]
    except _NOT_FOR_PILLOW:
        pass
    decoded = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return 8 if decoded is None else 8 * decoded.itemsize
