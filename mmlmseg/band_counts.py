"""How many bands images have, as the datasets of a config declare it, and what a model needs for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from .config import all_innermost, parts_of
from .errors import OptionError
from .image_format import ImageFormat, declaration

_SPLITS = ('train', 'val', 'test')


def complete_bands(cfg: Config) -> None:
    """Writes down which stems a model has, and the means and deviations of their images, where datasets declare bands.

    Of numbers of bands that ``mean`` and ``std`` do not know, those of the others are taken in turn, as the weights of
    the first convolution are. Nothing is written where all images have three bands.

    Args:
        cfg: ``model.stems.bands`` and ``model.data_preprocessor`` are set, and ``image`` of folders that declare it, so
            that a dump of the config serves where they are away; changed in place.

    Raises:
        OptionError: Where a declaration is ill-formed, or the model has no stem for it.
    """
    declared = [_written_down(part) for split in _SPLITS for part in _parts(cfg, split)]
    if not any(declared):
        return
    preprocessor = cfg.model.get('data_preprocessor') or {}
    known = _by_count(preprocessor.get('mean'))
    usual = next(iter(known), 3)
    counts = sorted({usual if image is None else ImageFormat.from_config(image).count for image in declared})
    listed = (cfg.model.get('stems') or {}).get('bands')
    if listed is not None and (missing := [count for count in counts if count not in listed]):
        raise OptionError(
            f'model.stems.bands = {list(listed)}, but datasets declare images of {missing[0]} bands; leave bands out, '
            'or name all'
        )
    if counts != [3] or listed is not None:  # a backbone of as many bands stays as it is
        cfg.model.stems = {**(cfg.model.get('stems') or {}), 'bands': list(listed or counts)}
    wanted = cfg.model.stems['bands'] if 'stems' in cfg.model else counts
    if known and set(wanted) != set(known):
        for key in ('mean', 'std'):
            own = _by_count(preprocessor[key])
            preprocessor[key] = {count: own.get(count) or _in_turn(own[usual], count) for count in wanted}


def _parts(cfg: Config, split: str) -> Iterator[Any]:
    """The dataset configs of a split, below wrappers."""
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
    for part in parts_of(dataset).values() if dataset else ():
        yield from all_innermost(part)


def _written_down(part: Any) -> Mapping[str, Any] | None:
    """What the config of a dataset declares of its images, which a folder may say in its stead."""
    image = declaration(part)
    if image is not None and declaration({**part, 'data_root': None, 'folders': None}) is None:
        part['image'] = dict(image)
    return image


def _by_count(given: Any) -> dict[int, list[float]]:
    if given is None:
        return {}
    return {int(n): list(v) for n, v in given.items()} if isinstance(given, Mapping) else {len(given): list(given)}


def _in_turn(values: Sequence[float], count: int) -> list[float]:
    """Values of so many bands; with fewer than there are, the mean of those that fall together."""
    if count >= len(values):
        return [values[band % len(values)] for band in range(count)]
    return [sum(values[band::count]) / len(values[band::count]) for band in range(count)]
