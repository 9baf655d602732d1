"""Which results an evaluation gives, and what each of them means; as a file, too."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric, Evaluator

from ..registry import METRICS
from .definitions import Definition
from .evaluator import MultiDatasetEvaluator
from .keys import is_class_key
from .metrics.common import ClassMetric


def result_keys(evaluator: Evaluator) -> list[str] | None:
    """All results that an evaluator may give; None where a metric of another package does not tell its own."""
    metrics = _all_metrics(evaluator)
    if not all(isinstance(metric, ClassMetric) for metric in metrics):
        return None
    keys = [key for metric in metrics for key in metric.all_keys()]
    names = [f'{name}/' for name in _datasets(evaluator)]
    shared = dict.fromkeys(key.removeprefix(name) for name in names for key in keys if key.startswith(name))
    means = [key for key in shared if not is_class_key(key) and all(f'{name}{key}' in keys for name in names)]
    return [*keys, *(f'mean/{key}' for key in means)]


def is_own_result(key: str) -> bool:
    """Whether a result is called as those of our metrics, of all of which the greater is the better one."""
    own = [kind for kind in METRICS.module_dict.values() if issubclass(kind, ClassMetric)]
    return is_class_key(key) or any(key.rpartition('/')[2] in kind.result_keys() for kind in own)


def write_report(path: str | Path, results: Mapping[str, Any], evaluator: Evaluator) -> None:
    """Writes what an evaluation gave: ``{KEY: {value, kind, definition}, ..., 'notes': [...]}``.

    ``kind`` is ``comparable`` with the literature, ``ours`` or, of metrics of other packages, ``undeclared``; a value
    that is no number is null. The notes say what the numbers leave out: classes without truth, datasets without a
    number, objects that no prediction could find.

    Args:
        path: File to write; its folder is made.
        results: What ``evaluator.evaluate`` gave last.
        evaluator: The one that gave it.
    """
    content: dict[str, Any] = {}
    for key, value in results.items():
        definition = definition_of(key, evaluator)
        content[key] = dict(value=_plain(value), kind=definition.kind, definition=definition.text)
    content['notes'] = notes_of(evaluator)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')


def _plain(value: Any) -> Any:
    """A result as JSON can hold it: numbers of arrays as Python's, those that are none as null, all else as text."""
    value = value.item() if getattr(value, 'shape', None) == () else value
    if isinstance(value, (bool, int, float)):
        return value if math.isfinite(value) else None
    return str(value)


def definition_of(key: str, evaluator: Evaluator) -> Definition:
    """What a result of an evaluator is."""
    datasets = _datasets(evaluator)
    if datasets and key.startswith('mean/'):
        parts = {name: f'{name}/{key.removeprefix("mean/")}' for name in datasets}
        return Definition.mean({name: _told(own, datasets[name]) for name, own in parts.items()})
    return _told(key, _all_metrics(evaluator))


def notes_of(evaluator: Evaluator) -> list[str]:
    """What the last evaluation has to say of its numbers."""
    own = evaluator.notes if isinstance(evaluator, MultiDatasetEvaluator) else []
    told = (metric.notes for metric in _all_metrics(evaluator) if isinstance(metric, ClassMetric))
    return [*own, *(note for notes in told for note in notes)]


def _datasets(evaluator: Evaluator) -> Mapping[str, list[BaseMetric]]:
    """The metrics of each dataset, where the evaluator tells datasets apart."""
    return evaluator.dataset_metrics if isinstance(evaluator, MultiDatasetEvaluator) else {}


def _all_metrics(evaluator: Evaluator) -> list[Any]:
    return [*(metric for metrics in _datasets(evaluator).values() for metric in metrics), *evaluator.metrics]


def _told(key: str, metrics: Sequence[BaseMetric]) -> Definition:
    for metric in metrics:
        if isinstance(metric, ClassMetric) and (found := metric.definition(key)):
            return found
    return Definition('undeclared', 'of a metric that does not say what it means')
