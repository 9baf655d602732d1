"""Runs that were stopped go on from their last checkpoint."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mmengine.config import Config

from ...checkpoint import check_checkpoint_file
from ...errors import CheckpointError, OptionError

_DECIDES_RESULTS = (
    'model',
    'train_dataloader',
    'val_dataloader',
    'val_evaluator',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'randomness',
)


def go_on(cfg: Config) -> None:
    """Lets a run go on from the newest whole checkpoint in its work directory, if there is one.

    Args:
        cfg: Of :func:`run_config`; changed in place.

    Raises:
        OptionError: Where the checkpoint is of a run with another config.
    """
    checkpoint = _newest_checkpoint(Path(cfg.work_dir))
    if checkpoint is None:
        return
    written = Path(cfg.work_dir, Path(cfg.filename).name)  # by mmengine, when the run began
    before = Config.fromfile(written) if written.is_file() else Config()
    if others := [key for key in _DECIDES_RESULTS if before.get(key) != cfg.get(key)]:
        raise OptionError(
            f'{checkpoint}: is of a run with another {", ".join(others)}; remove its folder, or choose another '
            '--work-dir'
        )
    cfg.resume, cfg.load_from = True, str(checkpoint)


def _newest_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end."""
    for file in sorted(folder.glob('iter_*.pth'), key=lambda file: int(file.stem.removeprefix('iter_')), reverse=True):
        with contextlib.suppress(CheckpointError):
            check_checkpoint_file(file, resume=True)
            return file
    return None
