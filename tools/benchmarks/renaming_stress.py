"""What does a model lose when its classes are asked by other names: five kinds of renaming, each alone.

Synonyms, hypernyms, plurals and paraphrases are of a fixed list; a misspelling swaps two letters in the middle of the
longest word. A class whose new name the text encoder cannot read, as a bank holds only some names, keeps its own; the
table says how many could be renamed.

Example:
    python tools/benchmarks/renaming_stress.py configs/lmseg/lmseg_r18_clash5.py best.pth --images 10 --out stress.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RENAMINGS = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'synonyms' / 'renamings.yml'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--renamings', default=RENAMINGS, metavar='FILE', help='YAML: kind, class, name')
    parser.add_argument('--images', type=int, metavar='N', help='of each dataset, evenly spaced (default: all)')
    parser.add_argument('--out', required=True, metavar='FILE', help='write the scores here, as JSON')
    parser.add_argument('--device', help='e.g. cpu or cuda:0; by default an accelerator if there is one')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import json
import statistics
from functools import partial

import yaml
from renamed_classes import rename
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmlmseg import cli
from mmlmseg.apis.cross_space import CrossSpace
from mmlmseg.config import read_config
from mmlmseg.errors import OptionError
from mmlmseg.evaluation.transfer import Transfer
from mmlmseg.label_space import LabelSpace
from mmlmseg.names import name_key

KINDS = ('synonym', 'hypernym', 'plural', 'paraphrase', 'misspelling')


def read_renamings(path: str | Path) -> dict[str, dict[str, str]]:
    """By kind and class, the new name.

    Raises:
        OptionError: Where the file is missing, or of another form.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise OptionError(f'{path}: cannot be read ({" ".join(str(error).split())})') from None
    listed = KINDS[:-1]
    if not isinstance(content, dict) or set(content) != set(listed):
        raise OptionError(f'{path}: needs the kinds {", ".join(listed)}, each {{class: name}}')
    for kind, names in content.items():
        if not isinstance(names, dict) or not all(isinstance(n, str) for pair in names.items() for n in pair):
            raise OptionError(f'{path}: {kind} must be {{class: name}}, all of them text')
    return content


def misspelt(name: str) -> str:
    """Swaps two letters in the middle of the longest word.

    Example:
        >>> misspelt('traffic light')
        'trfafic light'
    """
    words = name.split()
    longest = max(words, key=len)
    for middle in sorted(range(1, len(longest) - 1), key=lambda i: abs(i - len(longest) // 2 + 1)):
        if longest[middle] != longest[middle + 1]:
            turned = longest[:middle] + longest[middle + 1] + longest[middle] + longest[middle + 2 :]
            return ' '.join(turned if word == longest else word for word in words)
    return f'{name}{longest[-1]}'


def new_names(space: LabelSpace, names: Mapping[str, str]) -> dict[str, str]:
    """The new names of the classes of a space, without those that would be of two classes."""
    taken = {name_key(name) for name in space.names}
    found: dict[str, str] = {}
    for c, main in zip(space.classes, space.names, strict=True):
        if main in names and name_key(names[main]) not in taken:
            found[c] = names[main]
            taken.add(name_key(names[main]))
    return found


def kinds_of(space: LabelSpace, listed: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The new names of a label space by kind."""
    every = {**listed, 'misspelling': {name: misspelt(name) for name in space.names}}
    return {kind: new_names(space, every[kind]) for kind in KINDS}


def readable(names: Mapping[str, str], can_read: Callable[[str], bool]) -> dict[str, str]:
    """The new names that a text encoder can read."""
    return {c: name for c, name in names.items() if can_read(name)}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """By kind and dataset: classes with a new name, those renamed, and their IoU before and after."""
    if args.images is not None and args.images < 1:
        raise OptionError(f'--images {args.images}: at least one image of each dataset is asked')
    listed = read_renamings(args.renamings)
    model = CrossSpace(read_config(args.config), args.checkpoint, args.device)
    text = getattr(model.inferencer.model.decode_head, 'text', None)
    if text is None:
        raise OptionError(f'{args.config}: the model reads no class names; by any names it predicts the same')
    found: dict[str, Any] = {kind: {} for kind in KINDS}
    for dataset in model.datasets:
        space = model.inferencer.label_spaces.get(model.space(dataset).name)
        named = kinds_of(space, listed)
        given = {kind: readable(names, text.encoder.can_read) for kind, names in named.items()}
        asked = {kind: rename(space, names) for kind, names in given.items() if names}
        shown = partial(track, description=dataset, disable=None)
        confusions = model.confusions(dataset, [space, *asked.values()], args.images, shown)
        itself = tuple(range(space.num_classes))
        before, *after = (Transfer(dataset, confusion, itself) for confusion in confusions)
        scores = dict(zip(asked, after, strict=True))
        for kind in KINDS:
            found[kind][dataset] = dict(names=len(named[kind]), **_change(space, given[kind], before, scores.get(kind)))
    return found


def _change(space: LabelSpace, names: Mapping[str, str], before: Transfer, after: Transfer | None) -> dict[str, Any]:
    """IoU of the renamed classes, and of all, in percent; None where nothing was renamed or has a score."""
    places = [i for i, c in enumerate(space.classes) if c in names]
    result: dict[str, Any] = dict(renamed=len(places), before=None, after=None, all_before=before.mean_iou)
    result['all_after'] = None if after is None else after.mean_iou
    if after is not None:
        for key, one in (('before', before), ('after', after)):
            mean = float(one.ious[places].nanmean())
            result[key] = None if mean != mean else round(100 * mean, 2)
    return result


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print the means over the datasets in which something was renamed."""
    table = Table('kind', 'new names', 'could be read', 'IoU before', 'after', 'all: before', 'after')
    for kind, datasets in found.items():
        told = [own for own in datasets.values() if own['before'] is not None and own['after'] is not None]
        keys = ('before', 'after', 'all_before', 'all_after')
        means = [f'{statistics.fmean(own[key] for own in told):.1f}' if told else 'cannot be read' for key in keys]
        counts = [str(sum(own[key] for own in datasets.values())) for key in ('names', 'renamed')]
        table.add_row(kind, *counts, *means)
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        found = measure(args)
    report = dict(config=args.config, checkpoint=args.checkpoint, images=args.images, kinds=found)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(report, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    show(found, Console())
    return 0


if __name__ == '__main__':
    sys.exit(main())
