"""A training loop that goes on, after a restart, exactly where the sample order stood."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ..errors import DataError
from ..randomness import STEP, seed_all
from ..registry import LOOPS
from .class_frequency import ClassFrequencyHook
from .divergence import DivergenceHook, save_batch
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


class EvaluateFirstHook(Hook):
    """Evaluates a resumed model where its checkpoint stands at an evaluation, which may have been interrupted."""

    priority = 'LOWEST'  # CheckpointHook has to know what was the best so far

    def before_train(self, runner: Runner) -> None:
        """Runs the validation, if it is due."""
        loop = runner.train_loop
        due = loop.iter % loop.val_interval == 0 or loop.iter == loop.max_iters
        if due and loop.iter >= max(loop.val_begin, 1) and runner.val_loop is not None:
            runner.val_loop.run()


@LOOPS.register_module()
class ResumableTrainLoop(IterBasedTrainLoop):
    """mmengine's iteration-based loop, whose resumed run sees the samples in the order of an uninterrupted one.

    Loads nothing to get there, on every mmengine; takes over the seed of the checkpoint, which mmengine draws anew for
    the sampler where the config gives none; lets optimiser and schedule follow the config (:class:`ResumeHook`); and
    checks that samplers that know a batch size know that of the loader. Random numbers of a step (dropout, points) are
    a function of the seed, the process and the number of the step, so an interrupted run ends with the weights of an
    undisturbed one. Where the model diverges, the samples of the step are written down. Arguments are those of
    :class:`mmengine.runner.IterBasedTrainLoop`.
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
        self.runner.register_hook(DivergenceHook())
        self.runner.register_hook(EvaluateFirstHook())
        self.runner.register_hook(ClassFrequencyHook())

    def run_iter(self, data_batch: Any) -> None:
        """One step.

        Raises:
            FloatingPointError: Where loss or model outputs are not finite; with the file that names the samples.
        """
        seed_all(self.runner.seed or 0, STEP, get_rank(), self._iter)
        try:
            super().run_iter(data_batch)
        except FloatingPointError as error:
            file = save_batch(self.runner, data_batch)
            raise FloatingPointError(
                f'iteration {self._iter}: {error} The samples of this step are listed in {file}; an earlier checkpoint '
                'leads to it again with --resume'
            ) from error

    def run(self) -> Any:
        """Trains, from where the checkpoint stands if there is one.

        Raises:
            DataError: Where a process that loads samples is killed, mostly for want of memory.
        """
        sampler = self.dataloader.sampler
        if self._iter > 0 and hasattr(sampler, 'skip') and not getattr(self, 'fast_forward_on_resume', False):
            if hasattr(sampler, 'reseed') and self._follows_seed:
                sampler.reseed(self.runner.seed)
            self.dataloader_iterator = SkippedLoader(self.dataloader, self._iter)
        try:
            return super().run()
        except RuntimeError as error:
            if 'DataLoader worker' not in str(error):
                raise
            raise DataError(
                f'a process that loads samples has died ({error}): where the machine ran out of memory, lower '
                'train_dataloader.num_workers or prefetch_factor, then go on with --resume'
            ) from error
