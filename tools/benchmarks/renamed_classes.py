"""Ask a model for its classes by names it was not trained on, and score it as usual.

Four passes over the test data: with the original names; with a synonym for every class that has one; and twice with
synonyms for every other class, which shows what a class loses whose own name stays while its neighbours are renamed.

Example:
    python tools/benchmarks/renamed_classes.py configs/lmseg/lmseg_r18_clash5.py best.pth \
        --synonyms configs/_base_/synonyms/clash5.json --out renamed.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--synonyms', required=True, metavar='FILE', help='JSON with the key test_synonyms')
    parser.add_argument('--out', required=True, metavar='FILE', help='write the scores here, as JSON')
    parser.add_argument('--device', help='e.g. cpu or cuda:0; by default an accelerator if there is one')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader

from mmlmseg import cli
from mmlmseg.apis import LMSegInferencer
from mmlmseg.engine.hooks import check_same_label_spaces
from mmlmseg.errors import LabelSpaceError, OptionError, did_you_mean
from mmlmseg.evaluation import MultiDatasetEvaluator
from mmlmseg.evaluation.functional import ClassAreas, iou_scores
from mmlmseg.evaluation.keys import is_class_key
from mmlmseg.evaluation.metrics.common import percent
from mmlmseg.lab.benchmark.run import text_of
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.text import TextTable
from mmlmseg.names import name_key

Names = Mapping[str, Mapping[str, str]]
"""By label space and class, the name to ask by."""


def read_names(path: str | Path, spaces: LabelSpaces) -> Names:
    """Reads the key ``test_synonyms`` of a JSON file: by label space and class, the name to ask by.

    Args:
        path: The file; label spaces that the model lacks are left out.
        spaces: The label spaces of the model; each must be there, empty where nothing shall be renamed.

    Raises:
        OptionError: Where the file is missing or ill-formed.
        LabelSpaceError: Where a label space is missing.
    """
    try:
        found = json.loads(Path(path).read_text(encoding='utf-8'))['test_synonyms']
        names = {space: {str(c): str(name) for c, name in own.items()} for space, own in found.items()}
    except FileNotFoundError:
        raise OptionError(f'{path}: no such file of synonyms') from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(
            f'{path}: needs {{"test_synonyms": {{LABEL SPACE: {{CLASS: NAME}}}}}} ({type(error).__name__}: {error})'
        ) from None
    for space in spaces.names:
        if space not in names:
            raise LabelSpaceError(
                f'{path}: test_synonyms has no label space {space!r}.{did_you_mean(space, names)} Give it {{}} if its '
                'names shall stay'
            )
    return {space: names[space] for space in spaces.names}


def rename(space: LabelSpace, names: Mapping[str, str]) -> LabelSpace:
    """The same classes, ids and colours under other names.

    Args:
        space: The space.
        names: The new name by class; the others keep theirs.

    Raises:
        LabelSpaceError: On an unknown class, or a name that another class has.
    """
    for c in names:
        if c not in space.classes:
            raise LabelSpaceError(
                f'label space {space.name!r} has no class {c!r} to rename.{did_you_mean(c, space.classes)}'
            )
    renamed = LabelSpace.create(space.name, [names.get(c, c) for c in space.classes])
    return dataclasses.replace(renamed, is_thing=space.is_thing, palette=space.palette)


def every_other(names: Mapping[str, str], first: int) -> dict[str, str]:
    """Half of the classes that have a new name: the first, third, ... (``first=0``) or the second, fourth, ..."""
    return dict(list(names.items())[first::2])


def check_unseen(text: TextTable | None, names: Names) -> None:
    """Refuses names that the model was trained on, in any of its label spaces.

    Raises:
        LabelSpaceError: Where there are some, or where the model reads no names.
    """
    if text is None:
        raise LabelSpaceError(
            'this model reads no class names (it has no text table): by any names it predicts the same. Give a model '
            'with a text classifier'
        )
    trained: dict[str, str] = {}
    for space in text.label_spaces:
        every = text.sample_synonyms or text.reading.average_synonyms
        for c, (main, *synonyms) in zip(space.classes, text.choices(space), strict=True):
            for name in (main, *synonyms) if every else (main,):
                trained.setdefault(name_key(name), f'{space.name}/{c}')
    known = [
        f'{space}/{c} as {name!r} ({trained[name_key(name)]})'
        for space, own in names.items()
        for c, name in own.items()
        if name_key(name) in trained
    ]
    if known:
        raise LabelSpaceError(
            f'the model was trained on names that shall be new to it: {", ".join(known[:5])}; choose others'
        )


@torch.no_grad()
def evaluate(model: Any, loader: DataLoader, names: Names, title: str) -> tuple[dict[str, float], dict]:
    """One pass over the test data.

    Args:
        model: A segmentor with text.
        loader: Of a :class:`~mmlmseg.datasets.MultiDataset`.
        names: What to ask by; a label space that is left out is asked by its own names.
        title: Shown beside the progress.

    Returns:
        The evaluator's results, and the IoU of every class, double [K], by dataset.
    """
    spaces = {space: rename(model.decode_head.label_spaces.get(space), own) for space, own in names.items()}
    evaluator = MultiDatasetEvaluator(metrics=dict(type='mmlmseg.SemanticIoU'))
    evaluator.dataset_meta = loader.dataset.metainfo  # type: ignore[attr-defined]
    for batch in track(loader, title):
        for sample in batch['data_samples']:
            asked = tuple(spaces.get(name, name) for name in sample.label_spaces)
            sample.set_metainfo(dict(label_spaces=asked))
        evaluator.process(model.test_step(batch), batch)
    results = evaluator.evaluate(len(loader.dataset))  # type: ignore[arg-type]
    metrics: dict[str, Any] = {dataset: own[0] for dataset, own in evaluator.dataset_metrics.items()}
    return results, {
        dataset: iou_scores(ClassAreas(*metric.per_image.sum(0))).per_class['IoU']
        for dataset, metric in metrics.items()
    }


def summarise(classes: Sequence[str], names: Mapping[str, str], passes: Sequence[Tensor]) -> dict[str, Any]:
    """What renaming did to the classes of one dataset.

    Args:
        classes: Its classes.
        names: The new name by class.
        passes: IoU of every class, [K] each: with original names, all renamed, and the two halves of
            :func:`every_other` renamed.

    Returns:
        ``means`` over ``all`` classes, those that have a new name (``renamed``) and those that have none
        (``unchanged``), and ``classes``, each alone: IoU in percent, with original names, all renamed, and ``kept``,
        with half of the new names and the class's own as it was.
    """
    original, renamed, first, second = passes
    in_first = torch.tensor([c in every_other(names, 0) for c in classes])
    scores = {'original': original, 'renamed': renamed, 'kept': torch.where(in_first, second, first)}
    new = torch.tensor([c in names for c in classes])

    def means(which: Tensor) -> dict[str, float | None]:
        return {key: _percent(ious[which].nanmean()) for key, ious in scores.items()}

    return {
        'means': {
            part: {'count': int(which.sum()), **means(which)}
            for part, which in (('all', new | ~new), ('renamed', new), ('unchanged', ~new))
        },
        'classes': {c: {'name': names.get(c, c), **means(torch.tensor([i]))} for i, c in enumerate(classes)},
    }


def _percent(fraction: Tensor) -> float | None:
    """None where there is no score."""
    return None if fraction.isnan() else percent(fraction)


def of_all_classes(results: Mapping[str, float]) -> dict[str, float]:
    """Without those of single classes."""
    return {key: value for key, value in results.items() if not is_class_key(key)}


def show(datasets: Mapping[str, Any], console: Console) -> None:
    """Print the mean scores."""
    table = Table('dataset', 'classes', '', 'original', 'renamed', 'kept', title='mIoU (%)')
    for dataset, summary in datasets.items():
        for part, (count, *scores) in ((part, own.values()) for part, own in summary['means'].items()):
            table.add_row(dataset, part, str(count), *('' if score is None else f'{score:.2f}' for score in scores))
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    args = parse_args(argv)
    with cli.one_line_errors():
        inferencer = LMSegInferencer(args.config, args.checkpoint, args.device)
        names = read_names(args.synonyms, inferencer.label_spaces)
        check_unseen(inferencer.model.decode_head.text, names)
        init_default_scope(inferencer.config.get('default_scope', 'mmseg'))
        loader = Runner.build_dataloader(inferencer.config.test_dataloader)
        check_same_label_spaces(inferencer.label_spaces, loader.dataset)
        half, other_half = ({space: every_other(own, first) for space, own in names.items()} for first in (0, 1))
        results, ious = {}, {}
        for title, given in (('original', {}), ('renamed', names), ('half', half), ('other half', other_half)):
            results[title], ious[title] = evaluate(inferencer.model, loader, given, title)
    datasets = {}
    for dataset, (space,) in zip(loader.dataset.names, loader.dataset.spaces, strict=True):
        passes = [iou[dataset] for iou in ious.values()]
        datasets[dataset] = summarise(space.classes, names[space.name], passes)
    report = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        text=text_of(inferencer.config),
        synonyms=args.synonyms,
        results={title: of_all_classes(results[title]) for title in ('original', 'renamed')},
        datasets=datasets,
    )
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(report, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    show(datasets, Console())
    return 0


if __name__ == '__main__':
    sys.exit(main())
