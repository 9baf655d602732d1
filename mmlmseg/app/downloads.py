"""What is shown, as files in the formats that the tools write."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image as PILImage

from ..apis.coco_results import CocoResults
from ..apis.geotiff import write_class_ids
from ..apis.results import MaskSegmentation, Stems
from ..segments import class_map, ignore_index_of
from ..visualization.drawing import Picture


def save_picture(result: MaskSegmentation, picture: Picture, out: Path) -> None:
    """Writes the picture (RGB) beside an overlay with a legend for each label space, as PNG."""
    PILImage.fromarray(result.draw(picture[..., ::-1])).save(out)


def save_coco(results: Iterable[MaskSegmentation], out: Path) -> None:
    """Writes the masks of images, all asked the same, as one file in COCO's instance format.

    Images go by their names; of two of one name the second is numbered.

    Raises:
        DataError: Where there is no result.
    """
    root, stems = Path('/'), Stems()
    coco = CocoResults(root)
    for result in results:
        assert result.path is not None
        coco.add(replace(result, path=root / f'{stems.next(result.path)}{result.path.suffix}'))
    coco.save(out)


def save_maps(result: MaskSegmentation, out: Path) -> None:
    """Writes the class ids of each label space as PNG, and the masks as JSON, into a zip."""
    assert result.path is not None
    with tempfile.TemporaryDirectory() as folder:
        result.write(Path(folder), result.path.stem)
        _zip(sorted(Path(folder).iterdir()), out)


def save_geotiff(result: MaskSegmentation, folder: Path) -> Path:
    """Writes class ids with the georeference of the image: a GeoTIFF, of several label spaces a zip of them.

    Returns:
        The file, in ``folder``.

    Raises:
        DataError: Where the image is no raster with a georeference, or of another size.
    """
    assert result.path is not None
    written: list[Path] = []
    for which, space in enumerate(result.spaces):
        ids = class_map(*result.layer(which), void=ignore_index_of(space.num_classes))
        written.append(folder / f'{result.path.stem}_{space.name}.tif')
        write_class_ids(result.path, written[-1], ids, space)
    if len(written) == 1:
        return written[0]
    packed = folder / f'{result.path.stem}_geotiff.zip'
    _zip(written, packed)
    return packed


def _zip(files: Sequence[Path], out: Path) -> None:
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as packed:
        for file in files:
            packed.write(file, file.name)
