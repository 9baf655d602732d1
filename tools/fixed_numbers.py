"""Losses, weights and scores of short trainings at a fixed seed: what a change that shall change no number is held to.

python tools/fixed_numbers.py record before.json   # before the change
python tools/fixed_numbers.py record after.json    # after it, on the same machine
python tools/fixed_numbers.py compare before.json after.json
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import hashlib
import io
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    commands.add_parser('record').add_argument('file', type=Path)
    comparing = commands.add_parser('compare')
    comparing.add_argument('before', type=Path)
    comparing.add_argument('after', type=Path)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

import mmlmseg  # noqa: F401  (first: it lets the libraries below import)
from mmlmseg.checkpoint_files import read_checkpoint
from mmlmseg.engine.add_label_space import add_label_spaces
from mmlmseg.errors import OptionError
from mmlmseg.evaluation.keys import is_class_key
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / '_base_'
STEPS, BATCH, SIZE = 20, 4, (96, 128)
SPACES = ('street', 'facade', 'wardrobe')
LINEAR = dict(type='mmlmseg.UnifiedClassifier', taxonomy='same-names')
CLIP = dict(_delete_=True, type='mmlmseg.OpenClipText', model='RN50-quickgelu', pretrained=None)
# After so few steps a model would find next to nothing, so that its scores would tell nothing.
EAGER = dict(no_object_weight=0.0)
PANOPTIC = dict(tasks=['semantic', 'panoptic'], panoptic=dict(object=0.0, overlap=0.0))
ADAPTERS = dict(wardrobe=dict(type='mmlmseg.SpaceAdapter', width=16))

# Of each run: the model, what it changes about it, and the kind of its data.
RUNS: dict[str, tuple[str, dict[str, Any], str]] = {
    'lmseg bank': ('lmseg_r18', {}, 'semantic'),
    'lmseg clip': ('lmseg_r18', {'decode_head': dict(text=dict(encoder=CLIP))}, 'semantic'),
    'multi-head': ('maskformer_r18', {}, 'semantic'),
    'manual taxonomy': ('maskformer_r18', {'decode_head': dict(classifier=LINEAR)}, 'semantic'),
    'resi': ('resi_r18', {'decode_head': dict(criterion=EAGER), 'test_cfg': PANOPTIC}, 'mixed'),
    'panoptic': ('lmseg_r18', {'decode_head': dict(criterion=EAGER), 'test_cfg': PANOPTIC}, 'panoptic'),
    'instance': (
        'resi_r18',
        {'decode_head': dict(things_only=True, criterion=EAGER), 'test_cfg': dict(tasks=['instance'])},
        'instance',
    ),
}


class Recorder(Hook):
    """Keeps the losses of each step and the scores of the last evaluation, as they are to the bit."""

    def __init__(self) -> None:
        self.losses: list[dict[str, str]] = []
        self.scores: dict[str, str] = {}
        self.samples: list[str] = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Takes the losses."""
        self.losses.append({name: value.item().hex() for name, value in outputs.items()})

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Takes truth and results of each sample."""
        self.samples += [digest(*parts(sample)) for sample in outputs]

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Takes the scores of all classes together."""
        scores = {name: float(value) for name, value in (metrics or {}).items() if not is_class_key(name)}
        self.scores = {name: value.hex() for name, value in scores.items() if not math.isnan(value)}


def digest(*values: Any) -> str:
    """A hash of tensors and plain values."""
    found = hashlib.sha256()
    for value in values:
        found.update(value.contiguous().numpy().tobytes() if isinstance(value, torch.Tensor) else repr(value).encode())
    return found.hexdigest()


def parts(sample: Any) -> Iterator[Any]:
    """What a sample holds of truth and results, in one form: masks, their classes, crowd flags, scores."""
    for maps in ('gt_sem_seg', 'pred_sem_seg'):
        if maps in sample:
            yield sample.get(maps).data.long()
    for name in ('gt_segments', 'pred_segments', 'pred_instances'):
        if name in sample:
            found = sample.get(name).to_masks()
            yield found.masks
            yield found.labels.tolist()
            yield found.crowd.tolist() if found.scores is None else [score.hex() for score in found.scores.tolist()]
            if name == 'pred_instances' or len(sample.label_spaces) > 1:
                yield [tuple(own) for own in found.origins or []]


def loaders(folders: list[str], kind: str) -> dict[str, Any]:
    """Loaders and evaluator; all folders show the same scenes, each in its own label space."""
    panoptic = kind != 'semantic'
    load = [
        dict(type='LoadImageFromFile'),
        dict(type='mmlmseg.LoadSegments' if panoptic else 'LoadAnnotations'),
    ]
    pack = dict(type='mmlmseg.PackSegments' if panoptic else 'PackSegInputs')
    train = [
        *load,
        dict(type='RandomResize', scale=SIZE[::-1], ratio_range=(0.8, 1.4), keep_ratio=True),
        dict(type='RandomCrop', crop_size=SIZE),
        dict(type='RandomFlip', prob=0.5),
        dict(type='Pad', size=SIZE[::-1], pad_val=dict(img=128, seg=255)),
        pack,
    ]
    own = [dict(type='mmlmseg.FolderDataset', data_root=folder) for folder in folders]
    scored = [dict(dataset, split='val', pipeline=[*load, pack]) for dataset in own]
    metrics: list[Any] = [dict(type='mmlmseg.InstanceAP')] if kind == 'instance' else [dict(type='mmlmseg.SemanticIoU')]
    metrics += [dict(type='mmlmseg.PanopticQuality')] if panoptic and kind != 'instance' else []
    evaluator = dict(type='mmlmseg.MultiDatasetEvaluator', metrics=metrics)
    if kind == 'mixed':
        scored.append(
            dict(
                type='mmlmseg.MultiSpaceFolderDataset',
                folders=[dict(data_root=folder) for folder in folders],
                split='val',
                pipeline=[*load, pack],
            )
        )
        names = '+'.join(Path(folder).name for folder in folders)
        evaluator['per_dataset'] = {
            names: [dict(type='mmlmseg.PanopticInstanceQuality'), dict(type='mmlmseg.InstanceAP')]
        }
    return dict(
        train_dataloader=dict(
            batch_size=BATCH,
            num_workers=0,
            sampler=dict(type='mmlmseg.PerImageSampler', seed=0),
            dataset=dict(type='mmlmseg.MultiDataset', datasets=[dict(d, split='train', pipeline=train) for d in own]),
        ),
        val_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
            dataset=dict(type='mmlmseg.MultiDataset', datasets=scored),
        ),
        val_evaluator=evaluator,
    )


def run_config(work_dir: Path, model: str, changes: dict[str, Any], data: dict[str, Any], folders: list[str]) -> Config:
    """A config of one short training."""
    cfg = Config.fromfile(CONFIGS / 'models' / f'{model}.py')
    cfg.merge_from_dict(dict(model=copy.deepcopy(changes)))
    cfg.model.decode_head.label_spaces = folders
    cfg.merge_from_dict(
        dict(
            copy.deepcopy(data),
            default_scope='mmseg',
            log_level='ERROR',
            work_dir=str(work_dir),
            optim_wrapper=dict(
                optimizer=dict(type='AdamW', lr=3e-4, weight_decay=1e-4), clip_grad=dict(max_norm=1.0, norm_type=2)
            ),
            param_scheduler=dict(type='PolyLR', power=0.9, eta_min=0.0, end=STEPS, by_epoch=False),
            train_cfg=dict(type='mmlmseg.ResumableTrainLoop', max_iters=STEPS, val_interval=STEPS),
            val_cfg=dict(type='ValLoop'),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=STEPS)),
            visualizer=dict(type='mmlmseg.MultiSpaceVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
            log_processor=dict(by_epoch=False),
            randomness=dict(seed=0),
        )
    )
    return cfg


def train(cfg: Config) -> dict[str, Any]:
    """Trains and scores, without a word."""
    recorder = Recorder()
    with contextlib.redirect_stdout(io.StringIO()):
        runner = Runner.from_cfg(cfg)
        runner.register_hook(recorder, priority='LOWEST')
        runner.train()
    weights = digest(*sorted(digest(parameter.detach()) for parameter in runner.model.parameters()))
    return dict(losses=recorder.losses, weights=weights, scores=recorder.scores, samples=recorder.samples)


def add_space(work_dir: Path, folders: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A model of two label spaces, then the third one added to it."""
    changes: dict[str, Any] = {'decode_head': dict(criterion=EAGER), 'test_cfg': PANOPTIC}
    cfg = run_config(work_dir / 'two', 'resi_r18', changes, loaders(folders[:2], 'panoptic'), folders[:2])
    yield 'two spaces', train(cfg)
    changes['decode_head'].update(adapters=ADAPTERS)
    cfg = run_config(work_dir / 'three', 'resi_r18', changes, loaders(folders, 'panoptic'), folders)
    cfg.train_dataloader.dataset.datasets = cfg.train_dataloader.dataset.datasets[2:]
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg.model)
    trained = add_label_spaces(model, read_checkpoint(work_dir / 'two' / f'iter_{STEPS}.pth')['state_dict'])
    cfg.load_from = str(work_dir / 'start.pth')
    torch.save(dict(state_dict=model.state_dict()), cfg.load_from)
    cfg.custom_hooks = [dict(type='mmlmseg.FreezeHook', trained=trained)]
    yield 'a third one added', train(cfg)


def record(file: Path) -> None:
    """Trains everything and writes the numbers down."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        folders = [str(write_folder_dataset(root / name, name, range(12), range(12, 18), size=SIZE)) for name in SPACES]
        for name, (model, changes, kind) in RUNS.items():
            found[name] = train(run_config(root / 'runs' / name, model, changes, loaders(folders, kind), folders))
            print(name, found[name]['weights'][:12], flush=True)
        for name, numbers in add_space(root / 'runs', folders):
            found[name] = numbers
            print(name, numbers['weights'][:12], flush=True)
    file.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')


def compare(before: Path, after: Path) -> bool:
    """Prints what differs; whether nothing does.

    Raises:
        OptionError: Where the files hold other runs.
    """
    old, new = (json.loads(path.read_text(encoding='utf-8')) for path in (before, after))
    if old.keys() != new.keys():
        raise OptionError(f'{before} and {after} hold other runs: {sorted(old.keys() ^ new.keys())}')
    for name, numbers in old.items():
        differing = [key for key in ('losses', 'weights', 'samples', 'scores') if numbers[key] != new[name][key]]
        told = f'{len(numbers["losses"])} steps, {len(numbers["samples"])} samples, {len(numbers["scores"])} scores'
        print(f'{name}: {"equal to the bit, " + told if not differing else "other " + ", ".join(differing)}')
    return old == new


def main() -> None:
    args = parse_args()
    if args.command == 'record':
        record(args.file)
    else:
        sys.exit(0 if compare(args.before, args.after) else 1)


if __name__ == '__main__':
    main()
