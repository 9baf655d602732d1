"""What the evaluation will give: whether its metrics can score the truth, and what the best checkpoint goes by."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from ..arguments import find_type
from ..config import all_innermost, parts_of
from ..datasets import InstanceDataset
from ..errors import OptionError, did_you_mean
from ..evaluation import MultiDatasetEvaluator
from ..evaluation.metrics import SemanticIoU
from ..registry import DATASETS, EVALUATOR, METRICS

_ANY_CLASS = '.CLASS'  # how a result of a single class ends, before the classes are known


def check_truth(cfg: Config, split: str) -> None:
    """Refuses an IoU of objects alone, of which a run would hear at its first evaluation.

    Args:
        cfg: The config.
        split: ``val`` or ``test``.
    """
    evaluator, loader = cfg.get(f'{split}_evaluator'), cfg.get(f'{split}_dataloader')
    if not isinstance(loader, Mapping) or not isinstance(evaluator, Mapping):
        return
    special = evaluator.get('per_dataset') or {}
    for name, part in parts_of(loader['dataset']).items():
        metrics = special.get(name, evaluator.get('metrics', evaluator))
        kinds = [find_type(one, METRICS, f'{split}_evaluator') for one in _listed(metrics) if isinstance(one, Mapping)]
        of_classes = any(inspect.isclass(kind) and issubclass(kind, SemanticIoU) for kind in kinds)
        if of_classes and any(_of_objects_alone(one, split) for one in all_innermost(part)):
            raise OptionError(
                f'{split}_dataloader: the truth of {name!r} is objects alone (mmlmseg.InstanceDataset), but an IoU '
                "needs to know what is outside of them: say rest='ignore' or the name of a class in the dataset, or "
                f'score it by {split}_evaluator.per_dataset = dict({name}=dict(type="mmlmseg.InstanceAP"))'
            )


def _of_objects_alone(dataset: Any, split: str) -> bool:
    if not isinstance(dataset, Mapping) or dataset.get('rest') is not None:
        return False
    kind = find_type(dataset, DATASETS, f'{split}_dataloader.dataset')
    return inspect.isclass(kind) and issubclass(kind, InstanceDataset)


def _listed(metrics: Any) -> list[Any]:
    return [metrics] if isinstance(metrics, Mapping) else list(metrics)


def check_save_best(cfg: Config) -> None:
    """Refuses a ``save_best`` that the evaluator of many datasets will not give, with those that it will."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    best, rules = hook.get('save_best'), hook.get('rule')
    for rule in [rules] if isinstance(rules, str) else rules or []:
        if rule not in ('greater', 'less'):
            raise OptionError(f"default_hooks.checkpoint.rule = {rule!r}: write 'greater' or 'less'")
    evaluator, loader = cfg.get('val_evaluator'), cfg.get('val_dataloader')
    if best in (None, 'auto') or not isinstance(loader, Mapping) or not isinstance(evaluator, Mapping):
        return
    kind = find_type({'type': 'Evaluator', **evaluator}, EVALUATOR, 'val_evaluator')
    if not (inspect.isclass(kind) and issubclass(kind, MultiDatasetEvaluator)):
        return
    special = evaluator.get('per_dataset') or {}
    told = {name: _result_keys(special.get(name, evaluator['metrics'])) for name in parts_of(loader['dataset'])}
    keys = {name: own for name, own in told.items() if own is not None}
    if keys.keys() != told.keys():  # a metric of the user's own may give anything
        return
    every = list(dict.fromkeys(key for own in keys.values() for key in own))
    known = [
        f'mean/{key}' for key in every if not key.endswith(_ANY_CLASS) and all(key in own for own in keys.values())
    ]
    known += [f'{name}/{key}' for name, own in keys.items() for key in own]
    for key in [best] if isinstance(best, str) else best:
        of_any_class = re.sub(r'\.[^/]*$', _ANY_CLASS, key)  # classes are known once the data are read
        if key not in known and of_any_class not in known:
            raise OptionError(
                f'default_hooks.checkpoint.save_best = {key!r}: the evaluation gives no such result.'
                f'{did_you_mean(key, known)} It gives: {", ".join(known) or "none"}'
            )


def _result_keys(metrics: Any) -> list[str] | None:
    """What the metrics of a dataset may give; None where one does not tell."""
    keys: list[str] = []
    for metric in _listed(metrics):
        kind = find_type(metric, METRICS, 'val_evaluator') if isinstance(metric, Mapping) else type(metric)
        if not hasattr(kind, 'result_keys'):
            return None
        prefix = metric.get('prefix') if isinstance(metric, Mapping) else metric.prefix
        of_classes = [f'{kind.class_score}{_ANY_CLASS}'] if getattr(kind, 'class_score', '') else []
        keys += [f'{prefix}/{key}' if prefix else key for key in (*kind.result_keys(), *of_classes)]
    return keys
