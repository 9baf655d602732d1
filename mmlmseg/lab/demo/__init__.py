"""What ``make demo`` does: train one model on folders whose label spaces clash, score it, and show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image
from rich.console import Console
from rich.table import Table

from ...apis.inferencer import LMSegInferencer
from ...apis.results import MaskSegmentation
from ...datasets.folder import read_split
from ...label_space import LabelSpace
from .data import DemoData, draw_data, read_data
from .picture import draw_picture
from .training import Score, demo_config, prior_score, quiet, score, train

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

    def ask(number: int, **how: Any) -> list[Any]:
        return [*inferencer(images[:number], batch_size=4, show_progress=False, **how)]

    ways: dict[str, dict[str, Any]] = {space.name: dict(label_space=space.name) for space in data.spaces}
    ways[data.free.name] = dict(classes=data.free.classes)
    label_maps = {name: [result.label_map for result in ask(len(images), **how)] for name, how in ways.items()}
    return label_maps, ask(1, label_spaces=data.at_once)[0] if data.at_once else None


def _table(data: DemoData, measured: dict[str, float], predictions: dict[str, list[np.ndarray]]) -> Table:
    """Scores of each folder's validation images, and of the free class list where its truth is known."""
    title = 'One model, asked in each label space, in percent (prior: the usual class of each place)'
    table = Table('label space', title=title, title_justify='left')
    for column in ('classes', 'images', 'mIoU', 'pixel accuracy', 'prior: mIoU', 'prior: accuracy'):
        table.add_column(column, justify='right')
    for folder, space in zip(data.folders, data.spaces, strict=True):
        model = Score(measured[f'{space.name}/mIoU'], measured[f'{space.name}/aAcc'])
        prior = prior_score(folder, space.num_classes)
        table.add_row(*_cells(space, len(read_split(folder / 'val.txt')), [*model, *prior]))
    if all(data.free.name in image.truth for image in data.held_out):
        truths = [image.truth[data.free.name] for image in data.held_out]
        pairs = zip(predictions[data.free.name], truths, strict=True)
        table.add_row(*_cells(data.free, len(data.held_out), score(pairs, data.free.num_classes)))
    return table


def _cells(space: LabelSpace, images: int, numbers: Sequence[float]) -> Sequence[str]:
    return [space.name, str(space.num_classes), str(images), *(f'{number:.1f}' for number in numbers)]
