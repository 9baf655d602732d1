"""What ``make demo`` does: train one model on folders whose label spaces clash, score it, and show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image
from rich.console import Console
from rich.table import Table

from ...apis.inferencer import LMSegInferencer
from ...apis.masks import MaskSegmentation
from ...datasets.folder import read_split
from ...label_space import LabelSpace
from .data import DemoData, draw_data, read_data
from .picture import draw_picture
from .scores import Score, prior_score, score
from .training import demo_config, quiet, train

__all__ = ['DemoData', 'draw_data', 'read_data', 'run_demo']

_SHOWN = 3  # pictures at least; where the folders are the user's, one of each


def run_demo(
    config: str | Path,
    data: DemoData,
    work_dir: str | Path,
    console: Console,
    iterations: int | None = None,
) -> Path:
    """Trains one model on the folders, scores it, asks it for every label space, and draws the result.

    Args:
        config: The demo's config; its folders are replaced by those of ``data``.
        data: Folders and held-out images.
        work_dir: Where checkpoint, log and picture go.
        console: Where progress and results are shown; give it a file of its own, as standard output goes to a log.
        iterations: Length of the training; by default the config's.

    Returns:
        The picture.
    """
    work_dir = Path(work_dir)
    settings = demo_config(config, data.folders, work_dir, iterations)
    for space in data.spaces:
        console.print(f'[bold]{space.name}[/bold]: {", ".join(space.classes)}', highlight=False)
    with quiet(work_dir / 'console.log'):
        runner, measured = train(settings, console)
        checkpoint = work_dir / f'iter_{runner.max_iters}.pth'
        predictions, at_once = _predict(settings, checkpoint, data)
    console.print(_table(data, measured, predictions))
    picture = work_dir / 'demo.png'
    shown = data.held_out[: max(_SHOWN, len(data.folders))]
    Image.fromarray(draw_picture(shown, predictions, data.spaces, data.free, at_once)).save(picture)
    log = _nearby(Path(runner.log_dir))
    console.print(f'picture     {picture}\ncheckpoint  {checkpoint}\nlog         {log}', highlight=False)
    return picture


def _nearby(path: Path) -> Path:
    """A path as seen from the current folder, if it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _predict(
    config: Config, checkpoint: Path, data: DemoData
) -> tuple[dict[str, list[np.ndarray]], MaskSegmentation | None]:
    """Label maps of the held-out images in every label space and for the free class list; and masks of the first image
    in two spaces at once."""
    inferencer = LMSegInferencer(config, checkpoint)
    images = [np.ascontiguousarray(image.image[..., ::-1]) for image in data.held_out]
    found = {
        space.name: inferencer(images, label_space=space.name, batch_size=4, show_progress=False)
        for space in data.spaces
    }
    found[data.free.name] = inferencer(images, classes=data.free.classes, batch_size=4, show_progress=False)
    label_maps = {name: [result.label_map for result in results] for name, results in found.items()}
    if not data.at_once:
        return label_maps, None
    mixed = inferencer(images[:1], label_spaces=data.at_once, show_progress=False)[0]
    assert isinstance(mixed, MaskSegmentation)
    return label_maps, mixed


def _table(data: DemoData, measured: dict[str, float], predictions: dict[str, list[np.ndarray]]) -> Table:
    """Scores of each folder's validation images, and of the free class list where its truth is known."""
    table = Table(
        title='One model, asked in each label space, in percent (prior: the usual class of each place)',
        title_justify='left',
    )
    table.add_column('label space')
    for column in ('classes', 'images', 'mIoU', 'pixel accuracy', 'prior: mIoU', 'prior: accuracy'):
        table.add_column(column, justify='right')
    for folder, space in zip(data.folders, data.spaces, strict=True):
        model = Score(measured[f'{space.name}/mIoU'], measured[f'{space.name}/aAcc'])
        size = len(read_split(folder / 'val.txt'))
        table.add_row(*_cells(space, size, model, prior_score(folder, space.num_classes)))
    if all(data.free.name in image.truth for image in data.held_out):
        truths = [image.truth[data.free.name] for image in data.held_out]
        pairs = zip(predictions[data.free.name], truths, strict=True)
        table.add_row(*_cells(data.free, len(data.held_out), score(pairs, data.free.num_classes), None))
    return table


def _cells(space: LabelSpace, images: int, model: Score, prior: Score | None) -> Sequence[str]:
    numbers = [model.mean_iou, model.accuracy, *((prior.mean_iou, prior.accuracy) if prior else ())]
    return [space.name, str(space.num_classes), str(images), *(f'{number:.1f}' for number in numbers)]
