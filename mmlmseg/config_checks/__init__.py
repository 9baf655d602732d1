"""What can be known of a config before anything is built from it, said before data and weights are read.

:func:`check_config` refuses what would stop the run later or be ignored without a word, :func:`cautions` tells what is
done as written, but seldom meant. Both read the config only, so they also serve where no script of ``tools/`` starts
the run: :class:`mmlmseg.engine.CheckLabelSpacesHook` calls them.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config
from mmengine.registry import DefaultScope

from .imbalance import check_imbalance
from .loaders import check_loaders, loads_labels, without_workers
from .results import check_save_best, check_truth
from .schedule import check_schedule, schedule_cautions
from .text import check_text_towers
from .top_level import check_overrides, check_top_level, require, top_level_cautions
from .types import check_types
from .weights import check_weights_files

__all__ = ['cautions', 'check_config', 'check_overrides', 'loads_labels', 'require', 'without_workers']


def check_config(cfg: Config, splits: Sequence[str] = ('train', 'val')) -> None:
    """Refuses a config that cannot be run as it is written; what it does not say is not looked at.

    Args:
        cfg: The config.
        splits: What shall be run of it: ``train`` and ``val``, or ``test``.

    Raises:
        CheckpointError: Where a file of weights is missing, or a model of open_clip is unknown.
        DataError: Where weights of datasets are unusable, or a file of counted classes is missing.
        OptionError: Naming entry, value and way out.
        TextBankError: Where a text tower cannot be read.
    """
    check_top_level(cfg, splits)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmseg'):
        check_types(cfg, splits)
        if 'train' in splits:
            check_schedule(cfg)
        check_loaders(cfg, splits)
        if 'train' in splits:
            check_imbalance(cfg)
        if 'val' in splits:
            check_save_best(cfg)
        for split in ('val', 'test'):
            if split in splits:
                check_truth(cfg, split)
        check_weights_files(cfg)
        if 'train' in splits:
            check_text_towers(cfg)


def cautions(cfg: Config) -> list[str]:
    """What is done as a config of a training says, but looks like a slip: one sentence each."""
    return [*top_level_cautions(cfg), *schedule_cautions(cfg)]
