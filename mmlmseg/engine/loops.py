"""A training loop that goes on, after a restart, exactly where the sample order stood."""

from __future__ import annotations

from typing import Any

from mmengine.runner import IterBasedTrainLoop
from torch.utils.data import DataLoader

from ..errors import DataError
from ..registry import LOOPS
from .resuming import ResumeHook


class SkippedLoader:
    """Stands in for mmengine's loader iterator in a resumed run.

    mmengine up to 0.10.7 wants to load every batch of the finished steps and throw it away, the maintained fork wants
    its iterator to skip them. Here the loader's sampler, which has ``skip``, skips the ``steps`` that are done before
    the first worker starts, and both requests are granted without loading.
    """

    def __init__(self, loader: DataLoader, steps: int) -> None:
        loader.sampler.skip(steps * (loader.batch_size or 1))  # type: ignore[attr-defined]
        self._iterator = iter(loader)
        self._to_discard = steps

    def skip_iter(self, num_iters: int) -> None:
        """What the fork's loop calls once."""
        self._to_discard -= num_iters

    def __iter__(self) -> SkippedLoader:
        return self

    def __next__(self) -> Any:
        if self._to_discard > 0:
            self._to_discard -= 1
            return None
        return next(self._iterator)


@LOOPS.register_module()
class ResumableTrainLoop(IterBasedTrainLoop):
    """mmengine's iteration-based loop, whose resumed run sees the samples in the order of an uninterrupted one.

    Loads nothing to get there, on every mmengine; takes over the seed of the checkpoint, which mmengine draws anew for
    the sampler where the config gives none; lets optimiser and schedule follow the config (:class:`ResumeHook`); and
    checks that samplers that know a batch size know that of the loader.
    Arguments are those of :class:`mmengine.runner.IterBasedTrainLoop`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A seed of the sampler's own, given in the config, stays; one that follows the run has to go on doing so.
        self._follows_seed = getattr(self.dataloader.sampler, 'seed', None) == self.runner.seed
        wanted = getattr(self.dataloader.sampler, 'batch_size', None)
        if wanted is not None and wanted != self.dataloader.batch_size:
            raise DataError(
                f'{type(self.dataloader.sampler).__name__} has batch_size={wanted}, the data loader batch_size='
                f'{self.dataloader.batch_size}; the sampler must know where a step ends, so give both the same'
            )
        self.runner.register_hook(ResumeHook())

    def run(self) -> Any:
        """Trains, from where the checkpoint stands if there is one."""
        sampler = self.dataloader.sampler
        if self._iter > 0 and hasattr(sampler, 'skip') and not getattr(self, 'fast_forward_on_resume', False):
            if hasattr(sampler, 'reseed') and self._follows_seed:
                sampler.reseed(self.runner.seed)
            self.dataloader_iterator = SkippedLoader(self.dataloader, self._iter)
        return super().run()
