"""Georeferenced rasters of any size: read by windows, segmented in tiles, written with their georeference.

Needs the extra ``mmlmseg[geo]`` (rasterio).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import Compose
from mmseg.structures import SegDataSample
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from ..arguments import options_of
from ..datasets.image_files import rasterio_module
from ..datasets.load_image import LoadImage
from ..errors import DataError, OptionError, errors_of
from ..image_format import Scaling
from ..label_space import LabelSpace
from ..models.postprocess.lazy_maps import best
from ..models.segmentors.results import add_tiled_results
from ..models.segmentors.tiled_image import TiledImage
from ..models.segmentors.tiles import Tiles, whole_tiles
from ..segments import IGNORE_INDEX, ignore_index_of
from ..visualization.label_panel import MIN_SCORE
from .inferencer import LMSegInferencer, Question
from .inputs import ImagePipeline, as_loaded
from .results import MaskSegmentation, result_of

CACHE_MB = 128
"""What GDAL may keep of blocks that it reads and writes; by default it is a twentieth of the machine's memory."""

_COPY = 1000
"""The longer side, in pixels, of the copy that percentiles and means of a raster are taken of."""

_TIFF = 'GTiff'
"""What files of strangers are read as: other formats of GDAL may name files, or addresses, that it then opens."""

_RESIZING = ('Resize', 'RandomResize', 'ResizeShortestEdge', 'Pad')
"""Steps of test pipelines that a raster goes without: its resolution says what an object measures."""


def segment_geotiff(
    inferencer: LMSegInferencer,
    path: str | Path,
    out: str | Path,
    label_space: str | None = None,
    classes: str | Sequence[str] | None = None,
    *,
    task: str = 'semantic',
    tiles: Mapping[str, Any] | None = None,
    bands: Sequence[int] | None = None,
    read_as: str | None = None,
    min_score: float = MIN_SCORE,
    show_progress: bool = True,
) -> Path:
    """Segments a GeoTIFF at its own resolution.

    A semantic result needs memory for two rows of tiles; segments need 8 bytes a pixel besides.

    Args:
        inferencer: The model.
        path: The raster.
        out: The GeoTIFF to write: of one band, with the reference system and transform of the raster. Semantic
            results are class ids (uint8 with 255 where there is no data; uint16 with 65535 for more than 255 classes)
            with their colours and names; segments are their numbers (uint32 with 0 for void), and a json beside tells
            class, score and pixels of each.
        label_space: Name of one of the model's label spaces; not needed if it has only one.
        classes: A free class list instead.
        task: ``semantic``, ``panoptic`` or ``instance``, where the best is on top.
        tiles: How to cut, see :class:`Tiles`; by default 1024 pixels and an overlap of 128, or what of it is made of
            whole cells of the model.
        bands: Those that the model sees, counted from 1, in its order. By default as the dataset of the label space
            declares its images, or else 1, 2 and 3, for red, green and blue.
        read_as: A label space of the model, as whose images the raster is read; by default the one that is asked for.
        min_score: The least score of instances.
        show_progress: Whether to show a progress bar.

    Returns:
        ``out``.

    Raises:
        OptionError: Where rasterio is not installed, or on what :meth:`LMSegInferencer.iter` refuses.
        DataError: Where the raster cannot be read, lacks a band, or is not of the type that the model was trained on.
    """
    rasterio = rasterio_module('rasters')
    cut = whole_tiles(inferencer.model.size_divisor) if tiles is None else options_of(Tiles, tiles, 'tiles')
    question = inferencer.question(label_space, classes, task=task, tiles=asdict(cut))
    pipeline = _without_resizing(inferencer.pipeline(question, read_as))
    path, out = Path(path), Path(out)
    if path.resolve() == out.resolve():
        raise OptionError(f'{out}: is the raster itself; write to another file')
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB), _opened(rasterio, path) as raster:
        reader = RasterReader(
            rasterio,
            raster,
            path,
            _bands(raster, path, bands, pipeline.loader),
            pipeline,
            inferencer.model.data_preprocessor,
        )
        size = (raster.height, raster.width)
        sample = SegDataSample(metainfo=dict(img_path=str(path), img_shape=size, ori_shape=size, **question.metainfo))
        with inferencer.asked(question), inferencer.model.answering():
            image = TiledImage(inferencer.model, reader, sample.metainfo, cut)
            out.parent.mkdir(parents=True, exist_ok=True)
            unfinished = out.with_name(f'{out.name}.part')
            if question.task == 'semantic':
                _write_classes(reader, image, question.spaces[0], unfinished, show_progress)
            else:
                add_tiled_results(sample, image, inferencer.model.options)
                segments = _write_segments(reader, sample, question, unfinished, min_score)
                out.with_suffix('.json').write_text(json.dumps(segments), encoding='utf-8')
            unfinished.replace(out)
    return out


def is_georeferenced(path: str | Path) -> bool:
    """Whether a file is a raster that says where on Earth it lies; never without rasterio."""
    try:
        rasterio = rasterio_module('rasters')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', rasterio.errors.NotGeoreferencedWarning)
            with _opened(rasterio, Path(path), _TIFF) as raster:
                return raster.crs is not None
    except (DataError, OptionError):
        return False


def write_class_ids(source: str | Path, out: str | Path, ids: NDArray[np.integer], space: LabelSpace) -> None:
    """Writes class ids that are there already as :func:`segment_geotiff` writes semantic results.

    Args:
        source: The raster that they are of; where it has no data, there is no class.
        out: The GeoTIFF to write.
        ids: ``[H, W]``, with :func:`~mmlmseg.segments.ignore_index_of` where there is no class.
        space: What they mean.

    Raises:
        DataError: Where the image has no georeference (without rasterio none has), or has another size.
    """
    if not is_georeferenced(source):
        raise DataError(f'{source}: has no place on Earth, so its classes have none; take PNG instead')
    rasterio = rasterio_module('rasters')
    void = ignore_index_of(space.num_classes)
    with _opened(rasterio, Path(source), _TIFF) as raster:
        if ids.shape != (raster.height, raster.width):
            raise DataError(f'{source}: is of {raster.height}x{raster.width} pixels, the class ids are of {ids.shape}')
        labels = np.where(raster.dataset_mask() > 0, ids, void)
        dtype = 'uint8' if void == IGNORE_INDEX else 'uint16'
        with rasterio.open(out, 'w', **_profile(raster, dtype, void)) as written:
            _describe(written, space)
            written.write(labels.astype(dtype), 1)


@dataclass(frozen=True)
class RasterReader:
    """Tiles of a raster as a model takes them."""

    rasterio: Any  # the module
    raster: Any  # an open dataset of it
    path: Path
    bands: tuple[int, ...]
    pipeline: ImagePipeline
    preprocessor: Any

    def __call__(self, rows: range, columns: range) -> Tensor:
        """A tile ``[bands, h, w]``, normalised; beyond the raster lies padding."""
        pixels = self.raster.read(self.bands, window=self.window(rows, columns)).transpose(1, 2, 0)  # [h, w, bands]
        loader = self.pipeline.loader
        if isinstance(loader, LoadImage):
            image = loader.scaled(pixels, self.scaling)
        else:
            image = as_loaded(np.ascontiguousarray(pixels[..., ::-1]), loader)
        item = self.pipeline.prepare(
            dict(img=image, img_path=str(self.path), img_shape=image.shape[:2], ori_shape=image.shape[:2])
        )
        if item['inputs'].shape[-2:] != image.shape[:2]:
            raise OptionError(
                f'the test pipeline makes {tuple(item["inputs"].shape[-2:])} of a tile of {image.shape[:2]}; of a '
                'raster it must keep the size'
            )
        batch = self.preprocessor(dict(inputs=[item['inputs']], data_samples=[item['data_samples']]), False)
        tile = batch['inputs'][0][0]
        whole = tile.new_zeros(len(tile), len(rows), len(columns))
        whole[:, : image.shape[0], : image.shape[1]] = tile[:, : image.shape[0], : image.shape[1]]
        return whole

    @cached_property
    def scaling(self) -> Scaling:
        """What is done to the values, by what the dataset declares and by a small copy of the whole raster."""
        step = max(1, *(side / _COPY for side in (self.raster.height, self.raster.width)))
        height, width = (max(1, round(side / step)) for side in (self.raster.height, self.raster.width))
        sample = self.raster.read(self.bands, out_shape=(len(self.bands), height, width)).transpose(1, 2, 0)
        with errors_of(self.path):
            return self.pipeline.loader.format.fit(sample, self.raster.nodata)

    def window(self, rows: range, columns: range) -> Any:
        """The part of a window that the raster has, as rasterio writes it."""
        return self.rasterio.windows.Window.from_slices(
            (rows.start, min(rows.stop, self.raster.height)), (columns.start, min(columns.stop, self.raster.width))
        )

    def valid(self, rows: range, columns: range) -> NDArray[np.bool_]:
        """Where the raster has data."""
        window = self.window(rows, columns)
        mask: NDArray[np.bool_] = self.raster.dataset_mask(window=window) > 0
        if isinstance(self.pipeline.loader, LoadImage) and self.scaling.nodata is not None:
            empty = self.scaling.without_data(self.raster.read(self.bands, window=window).transpose(1, 2, 0))
            return mask if empty is None else mask & ~empty
        return mask


def _bands(raster: Any, path: Path, asked: Sequence[int] | None, loader: Any) -> tuple[int, ...]:
    """The bands of a raster that are read."""
    declared = loader.format if isinstance(loader, LoadImage) else None
    if asked is None and declared is not None:
        with errors_of(path):
            declared.check_count(raster.count)
        return declared.chosen
    chosen = tuple(asked or (1, 2, 3))
    wanted = 3 if declared is None else declared.count
    if len(chosen) != wanted:
        raise OptionError(
            f'{len(chosen)} bands are asked for, but the model sees {wanted} in such images; name {wanted}'
        )
    if missing := [band for band in chosen if not 1 <= band <= raster.count]:
        raise DataError(f'{path}: has {raster.count} bands, and band {missing[0]} is asked for')
    return chosen


def _write_classes(
    reader: RasterReader,
    image: TiledImage,
    space: LabelSpace,
    out: Path,
    show_progress: bool,
) -> None:
    void = ignore_index_of(space.num_classes)
    dtype = 'uint8' if void == IGNORE_INDEX else 'uint16'
    scores = image.class_scores().restore(image.meta)
    with (
        reader.rasterio.open(out, 'w', **_profile(reader.raster, dtype, void)) as written,
        Progress(disable=not show_progress) as bar,
    ):
        _describe(written, space)
        task = bar.add_task('Segmenting', total=reader.raster.height)
        for rows, strip in scores.strips():
            own, columns = range(rows.start, rows.stop), range(reader.raster.width)
            labels = best(strip).cpu().numpy().astype(dtype)
            labels[~reader.valid(own, columns)] = void
            written.write(labels, 1, window=reader.window(own, columns))
            bar.advance(task, len(own))


def _describe(written: Any, space: LabelSpace) -> None:
    """Writes the colours and names of classes into a raster of their ids."""
    if space.num_classes <= IGNORE_INDEX:  # a palette is of bytes
        written.write_colormap(1, {i: (*colour, 255) for i, colour in enumerate(space.palette)})
    written.update_tags(classes=json.dumps(list(space.classes)))


def _write_segments(
    reader: RasterReader, sample: SegDataSample, question: Question, out: Path, least: float
) -> list[dict[str, Any]]:
    """Writes numbers; returns what each is."""
    result = result_of(reader.path, sample, question.spaces, least)
    assert isinstance(result, MaskSegmentation)
    best_last = result.found.take(result.found.scores.argsort().tolist())
    ids = best_last.runs.painted().numpy().astype('uint32')
    for start in range(0, reader.raster.height, 1024):
        rows = range(start, min(start + 1024, reader.raster.height))
        ids[start : rows.stop][~reader.valid(rows, range(reader.raster.width))] = 0
    pixels = np.bincount(ids.ravel(), minlength=len(best_last.labels) + 1)[1:].tolist()
    named = zip(best_last.labels.tolist(), best_last.scores.tolist(), pixels, strict=True)
    segments = [
        dict(id=number, category=result.classes[label], score=round(score, 5), pixels=count)
        for number, (label, score, count) in enumerate(named, 1)
    ]
    with reader.rasterio.open(out, 'w', **_profile(reader.raster, 'uint32', 0)) as written:
        written.write(ids, 1)
    return segments


def _profile(raster: Any, dtype: str, nodata: int) -> dict[str, Any]:
    """How to write a band over the same ground."""
    return dict(
        driver='GTiff',
        height=raster.height,
        width=raster.width,
        count=1,
        dtype=dtype,
        nodata=nodata,
        crs=raster.crs,
        transform=raster.transform,
        compress='deflate',
        tiled=True,
        blockxsize=256,
        blockysize=256,
        bigtiff='if_safer',
    )


def _without_resizing(pipeline: ImagePipeline) -> ImagePipeline:
    kept = [step for step in pipeline.rest.transforms if type(step).__name__ not in _RESIZING]
    return ImagePipeline(pipeline.loader, pipeline.loading, Compose(kept))


def _opened(rasterio: Any, path: Path, driver: str | None = None) -> Any:
    try:
        return rasterio.open(path, driver=driver)
    except rasterio.errors.RasterioError as error:
        raise DataError(f'{path}: cannot be read as a raster: {error}') from None
