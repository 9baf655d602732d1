"""Times what an evaluation does: batches of each dataset, by its own loader and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import cycle

from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Subset

from ..errors import OptionError
from . import device, memory
from .figures import EvaluationFigures
from .prediction import middle_mean
from .samples import drawn_places, named_sizes

REPEATS, SECONDS = 3, 15.0
"""Batches of each dataset; fewer, but at least one, where all take longer than that."""

_OF_WHOLE_LOADER = ('dataset', 'batch_sampler', 'num_batch_per_epoch')


def measure_evaluation(runner: Runner, cfg: Config) -> EvaluationFigures | None:
    """Times batches of each dataset of the validation, by its own loader; None where nothing is evaluated."""
    if (loop := runner.val_loop) is None:
        return None
    whole: DataLoader = loop.dataloader
    batch_size = whole.batch_size
    if batch_size is None:
        raise OptionError('val_dataloader draws its batches itself (batch_sampler); give it a batch_size to plan')
    sizes = {name: size for name, size in named_sizes(whole.dataset).items() if size}
    order = list(_rounds(sizes, batch_size))
    settings = {key: value for key, value in cfg.val_dataloader.items() if key not in _OF_WHOLE_LOADER}
    settings['sampler'] = dict(type='DefaultSampler', shuffle=False, round_up=False)
    part = Subset(whole.dataset, [place for _, places in order for place in places])
    loader = Runner.build_dataloader({**settings, 'dataset': part})
    times: dict[str, list[float]] = {name: [] for name in sizes}
    runner.call_hook('before_val')
    runner.call_hook('before_val_epoch')
    runner.model.eval()
    memory.start_peak()
    first, started = 0.0, time.perf_counter()
    last = started
    for number, (batch, (name, _)) in enumerate(zip(loader, order, strict=True)):
        loop.run_iter(number, batch)
        now = device.now()
        if number == 0:
            first = now - last  # starts the processes that load
        else:
            times[name].append(now - last)
        last = now
        if number >= len(sizes) and now - started > SECONDS:
            break
    seconds = {name: middle_mean(own) for name, own in times.items()}
    start = max(0.0, first - seconds[order[0][0]])
    return EvaluationFigures(batch_size, sizes, seconds, start, memory.peak())


def _rounds(sizes: Mapping[str, int], batch_size: int) -> Iterator[tuple[str, list[int]]]:
    """Batches of single datasets, in turn, spread over each of them; before them one that warms up."""
    counts = [*sizes.values()]
    places = [cycle(map(int, drawn_places(counts, which, size))) for which, size in enumerate(counts)]
    turns = [0, *(which for _ in range(REPEATS) for which in range(len(counts)))]
    for which in turns:
        yield [*sizes][which], [next(places[which]) for _ in range(batch_size)]
