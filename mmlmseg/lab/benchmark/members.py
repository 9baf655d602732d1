"""The models of one dataset each as one, for what none of them can be asked alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ...errors import CheckpointError, OptionError
from ...label_space import LabelSpace
from .. import union  # noqa: F401  (registers SegmentorUnion)
from .runs import Run
from .spec import Benchmark


def unite(cfg: Config, members: Sequence[Config]) -> None:
    """Puts the models of several configs in the place of a config's own.

    Args:
        cfg: Of the same method on all datasets; changed in place. What results are made, and how images are read, stays
            what it says.
        members: The configs of the models.

    Raises:
        OptionError: Where two models know one label space.
    """
    known = Counter(LabelSpace.from_config(spec).name for own in members for spec in own.model.decode_head.label_spaces)
    if twice := [name for name, count in known.items() if count > 1]:
        raise OptionError(
            f'{cfg.filename}: several datasets have the label space {", ".join(twice)}, so it is open which of the '
            'models trained on each alone is to answer for it; train on one of them, or leave out `alone`'
        )
    cfg.model = dict(
        type='mmlmseg.SegmentorUnion',
        members=[own.model for own in members],
        test_cfg=cfg.model.get('test_cfg'),
        data_preprocessor=cfg.model.data_preprocessor,
    )
    cfg.load_from = None


def weights_of_members(benchmark: Benchmark, run: Run, work_dir: Path) -> list[Path]:
    """The last checkpoints of the runs whose models a run puts together.

    Args:
        benchmark: The benchmark.
        run: One of its runs, with members.
        work_dir: Where all of them leave their folders.

    Raises:
        CheckpointError: Where one is missing.
    """
    files = []
    for member in run.members:
        files.append(work_dir / member.name / f'iter_{benchmark.length_of(member)}.pth')
        if not files[-1].is_file():
            raise CheckpointError(
                f'{files[-1]}: no such file, but {run.name} needs the last checkpoint of {member.name}; give the '
                f'--work-dir of that run, or delete its line from {benchmark.name}.jsonl to train it again'
            )
    return files
