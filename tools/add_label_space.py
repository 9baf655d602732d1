"""Add label spaces to a trained model, whose predictions in its old ones stay the same, to the bit.

python tools/add_label_space.py OLD.pth CONFIG NEW.pth

writes the checkpoint that a training of what is new starts from; see docs/adding_a_label_space.md.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Add label spaces to a trained model; its old predictions stay.')
    parser.add_argument('old', type=Path, help='checkpoint of the trained model')
    parser.add_argument('config', help='config with all label spaces, old and new')
    parser.add_argument('new', type=Path, help='checkpoint to write, with all label spaces')
    parser.add_argument('--seed', type=int, default=0, help='of what starts at random (default: %(default)s)')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmlmseg import cli
from mmlmseg.checkpoint_files import read_checkpoint
from mmlmseg.config import complete_label_spaces, read_config
from mmlmseg.engine.add_label_space import add_label_spaces
from mmlmseg.errors import CheckpointError
from mmlmseg.registry import MODELS
from mmlmseg.version import __version__


def extend(old: Path, cfg: Config, new: Path, seed: int = 0) -> tuple[list[str], list[str]]:
    """Write the checkpoint of a model with more label spaces.

    Args:
        old: Checkpoint of the trained model.
        cfg: Config with all label spaces, old and new, in any order; changed in place.
        new: The file to write.
        seed: Of what starts at random.

    Returns:
        The prefixes of the new parameters' names, and the names.

    Raises:
        CheckpointError: If the checkpoint cannot be read or does not fit, or the new file exists already.
    """
    if new.exists():
        raise CheckpointError(f'{new}: exists already and is not overwritten')
    weights = read_checkpoint(old)['state_dict']
    complete_label_spaces(cfg)
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
        model = MODELS.build(cfg.model)
    logging.disable(logging.INFO)  # mmengine has a line on each parameter
    model.decode_head.init_weights()  # the backbone's come from the checkpoint alone
    logging.disable(logging.NOTSET)
    prefixes = add_label_spaces(model, weights)
    new.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(mmlmseg_version=__version__)), new)
    names = [name for name, _ in model.named_parameters() if f'{name}.'.startswith(tuple(f'{p}.' for p in prefixes))]
    return prefixes, names


def main() -> None:
    args = parse_args()
    with cli.one_line_errors():
        prefixes, names = extend(args.old, read_config(args.config), args.new, args.seed)
    print(f'{args.new}: new, and not trained yet, are', *names, sep='\n  ')
    print(f'train them, and nothing else, with\n  load_from = {str(args.new)!r}')
    print(f"  custom_hooks = [dict(type='mmlmseg.FreezeHook', trained={prefixes})]")
    print('  find_unused_parameters = True  # needed by several processes only')


if __name__ == '__main__':
    main()
