"""What single models were asked: by other names, in longer lists, in other label spaces, after another training."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .markdown import number, signed, table


def stress(results: Path) -> dict[str, dict[str, Any]]:
    """Of each kind of other names: how many there are, how many the bank holds, and the mIoU of all classes."""
    kinds = {}
    for kind, datasets in load(results, 'renaming_stress.json')['kinds'].items():
        asked = [own for own in datasets.values() if own['after'] is not None]
        before, after = (mean_of([own[key] for own in asked]) for key in ('all_before', 'all_after'))
        names, read = (sum(own[key] for own in datasets.values()) for key in ('names', 'renamed'))
        drop = None if before is None or after is None else after - before
        kinds[kind] = dict(names=names, read=read, before=before, after=after, drop=drop)
    return kinds


def renaming(results: Path) -> str:
    """Kinds of other names, and what they cost."""
    rows = [
        [kind, str(own['names']), str(own['read']), *(number(own[key]) for key in ('before', 'after')), drop_of(own)]
        for kind, own in stress(results).items()
    ]
    return table(['kind', 'names', 'held by the bank', 'all classes', 'renamed', 'drop'], rows)


def drop_of(own: Mapping[str, Any]) -> str:
    """A drop, or that there is none as the names cannot be read."""
    return 'cannot be read' if own['drop'] is None else f'{own["drop"]:+.1f}'


def synonyms(results: Path) -> str:
    """What a model that was trained on fixed names, and one on random synonyms, lose under synonyms new to both."""
    rows = []
    for trained, file in (('the class names', 'lmseg'), ('random synonyms', 'random_synonyms')):
        found = load(results, f'renamed_classes_{file}.json')['results']
        original, renamed = (found[key]['mean/mIoU'] for key in ('original', 'renamed'))
        rows.append([trained, f'{original:.1f}', f'{renamed:.1f}', signed(renamed - original)])
    return table(['trained on', 'original names', 'renamed', 'change'], rows)


def list_means(found: Mapping[str, Any]) -> dict[str, float]:
    """The mean over datasets of each class list that a model was asked in."""
    datasets = found['datasets'].values()
    lists = next(iter(datasets))
    return {name: statistics.fmean(own[name]['mIoU'] for own in datasets) for name in lists}


def lists(results: Path) -> str:
    """What longer lists cost."""
    means = list_means(load(results, 'list_length_lmseg.json'))
    own = next(iter(means.values()))
    return table(['class list', 'mean mIoU', 'change'], [[n, f'{m:.1f}', signed(m - own)] for n, m in means.items()])


def list_trainings(results: Path) -> str:
    """What trainings for longer lists bring."""
    trained = dict(
        control='as before',
        strangers='strangers in its lists',
        presence='strangers, and presence of 16',
        presence_scratch='strangers and presence from the start',
    )
    rows = []
    for model, how in trained.items():
        found = load(results, f'list_length_{model}.json')
        own, others, names = list_means(found).values()
        scores = [f'{own:.1f}', *(f'{mean:.1f} ({signed(mean - own)})' for mean in (others, names))]
        rows.append([how, *scores, 'all' if found['images'] is None else f'{found["images"]} a dataset'])
    heads = ['trained', 'own classes', 'and all other label spaces', 'and names it never read, 1,000 in all', 'images']
    return table(heads, rows)


def cross_space(results: Path) -> str:
    """Every dataset asked in every label space; in brackets the classes that are scored, of those there are."""
    every = load(results, 'cross_space_lmseg_r18_clash5.json')['results']
    found = {(own['label_space'], own['dataset']): own for own in every}
    spaces = list(dict.fromkeys(own['label_space'] for own in every))
    rows = []
    for space in spaces:
        cells = (found[space, dataset] for dataset in spaces)
        rows.append(
            [space, *(f'{number(own["mIoU"])} ({own["classes_scored"]}/{own["classes_of_truth"]})' for own in cells)]
        )
    return table(['asked in', *spaces], rows)


def trainings(results: Path) -> str:
    """One model trained again: by seed, and by what else changed."""
    lines = [json.loads(line) for line in (results / 'precision_lmseg_r18_clash5.jsonl').open(encoding='utf-8')]
    rows = [[own['run'], f'{own["mIoU"]["mean"]:.1f}', own['commit'], own['machine']] for own in lines if 'mIoU' in own]
    return table(['run', 'mean mIoU', 'commit', 'machine'], rows)


def load(results: Path, name: str) -> Any:
    """A JSON file of the results."""
    return json.loads((results / name).read_text(encoding='utf-8'))


def mean_of(values: Sequence[float]) -> float | None:
    """The mean, of nothing None."""
    return statistics.fmean(values) if values else None
