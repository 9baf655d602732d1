"""Put trained models of different label spaces together as one, with one frozen encoder where they have it in common.

    python tools/join_models.py OUT CONFIG WEIGHTS CONFIG WEIGHTS ...

writes OUT/config.py and OUT/joined.pth, which are used as of any other model. Each model goes on answering as it did,
to the bit; to rounding, where it has to pad more than alone, as patches of 14 and 16 together do. A label space that
comes later is trained as a model of its own on the same frozen encoder, and joined. A CONFIG may be one that was joined
before. See docs/adding_a_label_space.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Put trained models of different label spaces together as one.')
    parser.add_argument('out', type=Path, help='folder for config.py and joined.pth')
    parser.add_argument('models', nargs='+', metavar='CONFIG WEIGHTS', help='of each model, at least two in all')
    parser.add_argument('--apart', action='store_true', help='let each model keep an encoder of its own')
    args = parser.parse_args(argv)
    if len(args.models) % 2:
        parser.error('give a config and its weights for each model, in turns')
    args.models = list(zip(args.models[::2], args.models[1::2]))
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor

from mmlmseg import cli
from mmlmseg.checkpoint_files import read_checkpoint
from mmlmseg.config import complete_label_spaces, parts_of, read_config
from mmlmseg.errors import CheckpointError, OptionError
from mmlmseg.registry import MODELS
from mmlmseg.version import __version__

UNION = 'mmlmseg.SegmentorUnion'


def members_of(config: Config, state: dict[str, Tensor]) -> list[tuple[Config, dict[str, Tensor]]]:
    """The models of a config with their weights: those of one that was joined before, or the only one."""
    if config.model.type != UNION:
        complete_label_spaces(config, state)
        return [(config.model, state)]
    found = []
    for i, member in enumerate(config.model.members):
        first = f'members.{i}.'
        found.append((member, {k.removeprefix(first): v for k, v in state.items() if k.startswith(first)}))
    return found


def join(models: Sequence[tuple[str, str]], apart: bool = False) -> tuple[Config, dict[str, Tensor]]:
    """Joins models.

    Args:
        models: A config and the weights of each.
        apart: Whether each keeps its encoder.

    Returns:
        A config, whose test data are those of all, and the weights.

    Raises:
        CheckpointError: Where weights do not fit, or encoders that shall be shared differ.
        LabelSpaceError: Where two models have a label space of one name.
        OptionError: Where there is only one, or encoders are not frozen.
    """
    configs = [read_config(config) for config, _ in models]
    states = [read_checkpoint(weights)['state_dict'] for _, weights in models]
    members = [pair for config, state in zip(configs, states) for pair in members_of(config, state)]
    if len(members) < 2:
        raise OptionError('there is only one model; name at least two, each a config and its weights')
    joined = configs[0]
    joined.model = dict(
        type=UNION,
        members=[model for model, _ in members],
        shared_encoder=not apart,
        test_cfg=members[0][0].get('test_cfg') or {},
        data_preprocessor=members[0][0].data_preprocessor,
    )
    for split in ('val', 'test'):
        _join_data(joined, configs, f'{split}_dataloader')
    for key in ('train_dataloader', 'load_from', 'resume'):
        joined.pop(key, None)
    state = {f'members.{i}.{key}': value for i, (_, own) in enumerate(members) for key, value in own.items()}
    with DefaultScope.overwrite_default_scope(joined.get('default_scope', 'mmseg')):
        MODELS.build(joined.model).load_state_dict(state)  # says what does not fit
    return joined, state


def _join_data(joined: Config, configs: Sequence[Config], loader: str) -> None:
    parts: dict[str, dict] = {}
    for config in [own for own in configs if own.get(loader)]:
        for name, part in parts_of(config[loader].dataset).items():
            if name in parts and parts[name] != part:
                raise OptionError(f'{config.filename}: {loader} names {name!r} other data than an earlier config')
            parts[name] = part
    if parts:
        joined[loader].dataset = dict(type='mmlmseg.MultiDataset', datasets=list(parts.values()), names=list(parts))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        for name in ('config.py', 'joined.pth'):
            if (args.out / name).exists():
                raise CheckpointError(f'{args.out / name}: exists already and is not overwritten')
        config, state = join(args.models, args.apart)
        args.out.mkdir(parents=True, exist_ok=True)
        config.dump(args.out / 'config.py')
        _share(state)
        torch.save(dict(state_dict=state, meta=dict(mmlmseg_version=__version__)), args.out / 'joined.pth')
    print(f'wrote {args.out / "config.py"} and joined.pth: {len(config.model.members)} models')
    return 0


def _share(state: dict[str, Tensor]) -> None:
    """Lets equal weights of encoders be one, so that a file holds them once."""
    for key, value in state.items():
        member, _, rest = key.partition('.backbone.')
        first = state.get(f'members.0.backbone.{rest}')
        if rest and first is not None and member != 'members.0' and torch.equal(first, value):
            state[key] = first


if __name__ == '__main__':
    sys.exit(main())
