"""What is shown, as files in the formats that the tools write."""

from __future__ import annotations

import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image as PILImage

from ..apis.coco_results import CocoResults
from ..apis.geotiff import write_class_ids
from ..apis.inferencer import LMSegInferencer
from ..apis.results import MaskSegmentation, Stems
from ..errors import DataError
from ..segments import class_map, ignore_index_of
from ..visualization.drawing import Picture
from .choices import Choices, found
from .workspace import Workspace

KINDS = ('PNG', 'COCO json', 'Label maps', 'GeoTIFF')
"""What :func:`make_file` makes."""


def make_file(kind: str, workspace: Workspace, choices: Choices, inferencer: LMSegInferencer, root: Path) -> Path:
    """Makes a file of what is shown, at the full size of the image; ``COCO json`` of all images that are there.

    Args:
        kind: Of :data:`KINDS`.
        workspace: Images and answers.
        choices: What of them is shown.
        inferencer: The model, which images without an answer need.
        root: Where the file goes, in a folder of its own.

    Raises:
        DataError: Where nothing is shown.
    """
    if (answer := workspace.shown) is None:
        raise DataError('There is nothing to download yet: segment an image.')
    folder = root / uuid.uuid4().hex
    folder.mkdir(parents=True)
    if kind == 'COCO json':
        save_coco(_all_results(workspace, choices, inferencer), folder / 'masks.json')
        return folder / 'masks.json'
    result = found(replace(answer), choices)  # a copy, so that no maps of full size are kept
    if kind == 'GeoTIFF':
        return save_geotiff(result, folder)
    out = folder / f'{answer.path.stem}_{"picture.png" if kind == "PNG" else "maps.zip"}'
    if kind == 'PNG':
        save_picture(result, answer.picture, out)
    else:
        save_maps(result, out)
    return out


def _all_results(workspace: Workspace, choices: Choices, inferencer: LMSegInferencer) -> Iterator[MaskSegmentation]:
    for place in range(len(workspace.images)):
        workspace = workspace.showing(place).answered(inferencer)
        assert workspace.shown is not None
        yield found(replace(workspace.shown), choices)


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
