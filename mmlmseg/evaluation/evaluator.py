"""Evaluation of many datasets in one loop, each in its own label space."""

from __future__ import annotations

import copy
import logging
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from mmengine.dist import all_reduce
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from ..errors import DataError, did_you_mean
from ..registry import EVALUATOR, METRICS
from ..segments import EncodedMaskSet, MaskSet, SegmentMap
from .keys import is_class_key

MetricSpec: TypeAlias = dict | BaseMetric


@EVALUATOR.register_module()
class MultiDatasetEvaluator(Evaluator):
    """Send each sample to the metrics of the dataset it came from.

    Samples carry the name of their dataset in their metainfo (``dataset``, stamped by ``mmlmseg.MultiDataset``), whose
    metainfo tells classes, colours and size of each. Every dataset has metric objects of its own; their results are
    prefixed with its name (``'camvid11/mIoU'``, of a class ``'camvid11/IoU.tree'``), and ``'mean/<key>'`` is the mean
    over the datasets for each key that all of them have, so that ``save_best='mean/mIoU'`` works. Results of single
    classes have no mean: a class of one name is not the same in two datasets.

    Metrics appended to ``self.metrics`` later (as ``tools/test.py`` does with ``DumpResults``) see all samples.

    The dataloader should not repeat samples to make ranks even (``DefaultSampler(round_up=False)``); repeats are
    reported.

    Attributes:
        notes: What the means of the last evaluation leave out, a sentence each; those of the metrics are their own.

    Args:
        metrics: Config or object of the metrics that every dataset gets a copy of; one or a list. Required (mmengine
            takes a config without it for a metric); ``[]`` if all are in ``per_dataset``.
        per_dataset: Metrics of single datasets by name, in place of ``metrics``.

    Examples:
        >>> val_evaluator = dict(type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU'))
    """

    def __init__(
        self,
        metrics: MetricSpec | Sequence[MetricSpec],
        per_dataset: Mapping[str, MetricSpec | Sequence[MetricSpec]] | None = None,
    ) -> None:
        super().__init__(metrics=[])
        self._shared = _as_list(metrics)
        self._special = {name: _as_list(specs) for name, specs in (per_dataset or {}).items()}
        self.dataset_metrics: dict[str, list[BaseMetric]] = {}
        self.notes: list[str] = []
        self._seen: dict[str, int] = {}
        self._said: set[str] = set()

    @property
    def dataset_meta(self) -> dict | None:
        """``MultiDataset.metainfo``; setting it builds the metrics of each dataset."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        datasets = (dataset_meta or {}).get('datasets')
        if not datasets:
            raise DataError(
                'MultiDatasetEvaluator got the metainfo of a single dataset. Wrap it: '
                "dataset=dict(type='mmlmseg.MultiDataset', datasets=[...]), or use the metric as the evaluator."
            )
        for name in self._special:
            if name not in datasets:
                raise DataError(
                    f'per_dataset names {name!r}, which is not evaluated; datasets are {list(datasets)}.'
                    f'{did_you_mean(name, datasets)}'
                )
        self._dataset_meta = dataset_meta
        for metric in self.metrics:
            metric.dataset_meta = dataset_meta
        self.dataset_metrics = {name: self._build(name, meta) for name, meta in datasets.items()}
        self._seen = dict.fromkeys(datasets, 0)

    def _build(self, name: str, meta: dict) -> list[BaseMetric]:
        built = []
        for spec in self._special.get(name, self._shared):
            spec = copy.deepcopy(spec)  # datasets must share neither results nor configs (building pops their type)
            metric: BaseMetric = METRICS.build(spec) if isinstance(spec, dict) else spec
            metric.prefix = f'{name}/{metric.prefix}' if metric.prefix else name
            metric.dataset_meta = meta
            built.append(metric)
        return built

    def process(self, data_samples: Sequence[BaseDataElement | dict], data_batch: Any | None = None) -> None:
        """Route a batch: predictions with their truth, stamped with their ``dataset``, and what the dataloader gave.

        Metrics get of both the part that belongs to their samples.
        """
        samples = [item.to_dict() if isinstance(item, BaseDataElement) else item for item in data_samples]
        if self.metrics:  # mmengine's DumpResults moves tensors to the host, but knows no segments
            plain = [{key: _plain(value) for key, value in sample.items()} for sample in samples]
            for metric in self.metrics:
                metric.process(data_batch, plain)
        places: dict[str, list[int]] = {}
        for index, sample in enumerate(samples):
            places.setdefault(self._dataset_of(sample), []).append(index)
        for name, indices in places.items():
            part = _select(data_batch, indices, len(samples))
            for metric in self.dataset_metrics[name]:
                metric.process(part, [samples[index] for index in indices])
            self._seen[name] += len(indices)

    def _dataset_of(self, sample: Mapping[str, Any]) -> str:
        name = sample.get('dataset')
        if name in self.dataset_metrics:
            return str(name)
        where = sample.get('img_path', 'a sample without img_path')
        known = list(self.dataset_metrics)
        if name is None:
            raise DataError(
                f"{where}: the sample does not say which dataset it belongs to (metainfo 'dataset'); "
                f'mmlmseg.MultiDataset stamps it. Evaluated: {known}.'
            )
        raise DataError(f'{where}: unknown dataset {name!r}; evaluated are {known}.{did_you_mean(name, known)}')

    def evaluate(self, size: int) -> dict[str, float]:
        """Evaluate each dataset that was seen on any rank, then the means over them; ``size`` is that of all together.

        Returns:
            ``{'<dataset>/<key>': value, 'mean/<key>': mean}``, the same on all ranks.
        """
        results: dict[str, float] = super().evaluate(size)
        scores: dict[str, dict[str, float]] = {}
        self.notes = []
        for name, seen in self._seen_on_all_ranks().items():
            if seen == 0:  # metrics may fail on nothing; every rank agrees here, so that none waits for another
                self._note(name, f'No sample of dataset {name!r} was evaluated: it has no results.')
                continue
            scores[name] = self._evaluate_dataset(name, seen)
            results.update({f'{name}/{key}': value for key, value in scores[name].items()})
        means, lacking = _means(scores)
        for key, names in lacking.items():
            self._note(
                f'mean/{key}',
                f'mean/{key} is over {len(scores) - len(names)} of {len(scores)} datasets: {", ".join(names)} has no '
                'number (nan), as where no pixel of the truth counts.',
            )
        results.update({f'mean/{key}': value for key, value in means.items()})
        return results

    def _note(self, what: str, text: str) -> None:
        """Adds to the notes and says it in the log: as a warning the first time of this, then as an aside."""
        self.notes.append(text)
        print_log(text, 'current', logging.INFO if what in self._said else logging.WARNING)
        self._said.add(what)

    def _evaluate_dataset(self, name: str, seen: int) -> dict[str, float]:
        assert self._dataset_meta is not None
        size = int(self._dataset_meta['datasets'][name]['size'])
        if seen > size:
            self._note(
                name,
                f'Dataset {name!r} has {size} samples but {seen} were evaluated: the sampler repeats some. The surplus '
                'is dropped; use DefaultSampler(shuffle=False, round_up=False) to be sure which.',
            )
        results: dict[str, float] = {}
        for metric in self.dataset_metrics[name]:
            for key, value in metric.evaluate(size).items():
                key = key.removeprefix(f'{name}/')
                if key in results:
                    raise ValueError(f'Two metrics of dataset {name!r} give {key!r}: set the prefix of one of them.')
                results[key] = value
        return results

    def _seen_on_all_ranks(self) -> dict[str, int]:
        counts = torch.tensor(list(self._seen.values()), dtype=torch.long)
        all_reduce(counts)
        self._seen = dict.fromkeys(self._seen, 0)
        return dict(zip(self._seen, counts.tolist(), strict=True))


def _means(scores: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Means over datasets of the scores that all of them give, to two decimals more than metrics usually keep.

    Single classes have none.

    Returns:
        The means, each over the datasets where the score is a number (nan where it is one nowhere), and for each mean
        the names of those where it is not, if there are any.
    """
    means: dict[str, float] = {}
    lacking: dict[str, list[str]] = {}
    for key in next(iter(scores.values()), {}):
        if is_class_key(key) or not all(_is_number(score.get(key)) for score in scores.values()):
            continue
        values = {name: float(score[key]) for name, score in scores.items()}
        numbers = [value for value in values.values() if not math.isnan(value)]
        means[key] = round(statistics.fmean(numbers), 4) if numbers else math.nan
        if len(numbers) < len(values):
            lacking[key] = [name for name, value in values.items() if math.isnan(value)]
    return means, lacking


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _select(data_batch: Any, indices: list[int], size: int) -> Any:
    """The part of a pseudo-collated batch (a dict of lists) that belongs to some of its samples."""
    if not isinstance(data_batch, dict):
        return data_batch
    return {
        key: [value[index] for index in indices] if isinstance(value, (list, tuple)) and len(value) == size else value
        for key, value in data_batch.items()
    }


def _plain(value: Any) -> Any:
    """Segments as a dict of tensors on the host, masks that may overlap as COCO's run lengths; else as it is."""
    if isinstance(value, EncodedMaskSet):
        return dict(masks=value.runs.to_coco(), labels=value.labels, scores=value.scores, origins=value.origins)
    if not isinstance(value, (SegmentMap, MaskSet)):
        return value
    return {key: part for key, part in vars(value.to('cpu')).items() if part is not None}


def _as_list(specs: MetricSpec | Sequence[MetricSpec]) -> list[MetricSpec]:
    return [specs] if isinstance(specs, (dict, BaseMetric)) else list(specs)
