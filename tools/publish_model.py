"""Make a training checkpoint small and give it a name that tells its content."""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path
from typing import Any


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', type=Path, help='checkpoint written by training')
    parser.add_argument('prefix', type=Path, nargs='?', help='path of the new file without hash; by default beside it')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch

from mmlmseg import cli
from mmlmseg.checkpoint import CheckpointRecord
from mmlmseg.checkpoint_files import read_checkpoint
from mmlmseg.errors import CheckpointError
from mmlmseg.version import __version__

# Where training averaged weights, `state_dict` holds the averaged ones already; `ema_state_dict` is not needed either.
# The config is left out: it holds paths of the machine it was trained on, and label spaces are among the weights.
_META = ('dataset_meta', 'epoch', 'iter', 'seed', 'mmengine_version')


def origin(checkpoint: dict[str, Any]) -> str:
    """What a reader wants to know of a checkpoint: its label spaces and the source of its text rows."""
    record = CheckpointRecord.of(checkpoint['state_dict'])
    text = 'no text' if record.text is None else f'{record.text.encoder}, {record.text.prompt!r}'
    return f'label spaces {", ".join(record.label_spaces.names)}; text rows from {text}'


def published(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Keep what inference and a reader need: weights, with the record and the text table among them, and origin.

    Args:
        checkpoint: As written by training.

    Returns:
        A checkpoint without optimiser, schedules and logs.
    """
    meta = checkpoint.get('meta', {})
    kept = {key: meta[key] for key in _META if key in meta}
    return {'state_dict': checkpoint['state_dict'], 'meta': {**kept, 'mmlmseg_version': __version__}}


def publish(source: Path, prefix: Path) -> Path:
    """Write the published form of a checkpoint to `<prefix>-<first 8 digits of its SHA-256>.pth`.

    Args:
        source: Checkpoint written by training.
        prefix: Path of the new file without hash; a suffix .pth makes no difference.

    Returns:
        The file written.

    Raises:
        CheckpointError: If the source cannot be read or is of no mmlmseg model, or the file exists already.
    """
    checkpoint = read_checkpoint(source)
    try:
        origin(checkpoint)  # before anything is written
    except CheckpointError as error:
        raise CheckpointError(f'{source}: {error}') from None
    buffer = io.BytesIO()
    torch.save(published(checkpoint), buffer)
    content = buffer.getvalue()
    # The digits are those PyTorch compares with when it downloads a file of such a name.
    prefix = prefix.with_suffix('') if prefix.suffix == '.pth' else prefix
    target = prefix.with_name(f'{prefix.name}-{hashlib.sha256(content).hexdigest()[:8]}.pth')
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open('xb') as file:
            file.write(content)
    except FileExistsError:
        raise CheckpointError(f'{target}: exists already and is not overwritten; it holds the same weights') from None
    return target


def main() -> None:
    args = parse_args()
    with cli.one_line_errors():
        target = publish(args.checkpoint, args.prefix or args.checkpoint)
    print(origin(read_checkpoint(target)))
    print(f'{target} ({target.stat().st_size / 2**20:.1f} MB, was {args.checkpoint.stat().st_size / 2**20:.1f} MB)')


if __name__ == '__main__':
    main()
