"""Make a published MaskFormer or Mask2Former a checkpoint of a model of ours.

python tools/convert_checkpoint.py PUBLISHED.pth NEW.pth --config CONFIG

reads the weights of mmsegmentation, mmdetection, detectron2 or LMSeg's official code; a training does the same by
itself with ``load_from``. See docs/recipes.md.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Make a published model a checkpoint of a model of ours.')
    parser.add_argument('published', type=Path, help="its checkpoint, or a .pkl of detectron2's model zoo")
    parser.add_argument('new', type=Path, help='checkpoint to write')
    parser.add_argument('--config', required=True, help='config of the model that the weights are for')
    parser.add_argument('--seed', type=int, default=0, help='of what starts at random (default: %(default)s)')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmlmseg import cli
from mmlmseg.config import complete_label_spaces, read_config
from mmlmseg.conversion import Conversion, converted, layout_of, read_published
from mmlmseg.errors import CheckpointError
from mmlmseg.registry import MODELS
from mmlmseg.version import __version__


def convert(published: Path, new: Path, cfg: Config, seed: int = 0) -> Conversion:
    """Write the checkpoint of a model that starts from published weights.

    Args:
        published: Checkpoint of a model of other code.
        new: The file to write.
        cfg: Config of the model; changed in place.
        seed: Of what starts at random.

    Returns:
        What came along, and what did not.

    Raises:
        CheckpointError: If the published file cannot be read or does not fit, or the new file exists already.
    """
    if new.exists():
        raise CheckpointError(f'{new}: exists already and is not overwritten')
    weights, classes = read_published(published)
    if layout_of(weights) is None:
        raise CheckpointError(
            f'{published}: is no MaskFormer or Mask2Former of mmsegmentation, mmdetection or detectron2, nor of '
            f"LMSeg's official code: it holds {', '.join(list(weights)[:3])}, ..."
        )
    complete_label_spaces(cfg)
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
        model = MODELS.build(cfg.model)
        logging.disable(logging.INFO)  # mmengine has a line on each parameter
        model.decode_head.init_weights()
        try:
            conversion = converted(weights, model, classes)
            if any(name.startswith('backbone.') for name in conversion.new):
                model.backbone.init_weights()  # else it comes from the published weights alone
                conversion = converted(weights, model, classes)
        except CheckpointError as error:
            raise CheckpointError(f'{published}: {error}') from None
        finally:
            logging.disable(logging.NOTSET)
    new.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=conversion.state_dict, meta=dict(mmlmseg_version=__version__)), new)
    return conversion


def main() -> None:
    args = parse_args()
    with cli.one_line_errors():
        conversion = convert(args.published, args.new, read_config(args.config), args.seed)
    print(f'{args.new}: {conversion.report()}')
    if conversion.new:
        print(f'train it before it predicts: load_from = {str(args.new)!r}')


if __name__ == '__main__':
    main()
