"""What the metrics per class share, and among them those that match segments."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from prettytable import PrettyTable
from torch import Tensor

from ...errors import DataError, errors_of
from ...segments import BACKGROUND, EncodedMaskSet, SegmentMap, Segments, ignore_index_of
from ..definitions import Definition, Kind
from ..functional import PanopticCounts, class_segments, mean_scores, panoptic_scores
from ..keys import class_keys

_WAYS_OUT = {
    'gt_segments': 'load them with mmlmseg.LoadSegments and mmlmseg.PackSegments in the test pipeline; for qualities '
    'of segments in one label space gt_sem_seg alone will do where no class is a thing.',
    'pred_segments': "set model.test_cfg.tasks=['panoptic'], or ask the model for several label spaces.",
    'pred_instances': "set model.test_cfg.tasks=['instance'].",
}


class ClassMetric(BaseMetric):
    """A metric with scores per class: means over them, and for each class one result, as ``IoU.tree``.

    Attributes:
        headline_key: The result that stands for all, which :meth:`headline` gives; empty where there is none.
        class_score: The score that is a result of each class, one of :data:`~mmlmseg.evaluation.keys.CLASS_SCORES`;
            empty where there is none.
        counted: What the truth of a class is counted in.
        per_image: What the last evaluation added up, one entry per image: [n, ..., K]; None before the first one. With
            :meth:`headline` it tells how far the score depends on the images drawn.
        notes: What the results of the last evaluation leave out, a sentence each; on the main process.

    Args:
        collect_device: How ranks exchange their results: ``'gpu'`` goes through the process group (any backend, no
            shared folder needed), ``'cpu'`` through files.
        prefix: Put before the keys; :class:`~mmlmseg.evaluation.MultiDatasetEvaluator` adds the dataset's name itself.
    """

    default_prefix = ''  # mmengine warns about a metric whose prefix is None
    headline_key: ClassVar[str] = ''
    class_score: ClassVar[str] = ''
    counted: ClassVar[str] = 'pixels'

    def __init__(self, collect_device: str = 'gpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.per_image: Tensor | None = None
        self.notes: list[str] = []
        self._said: set[str] = set()

    @classmethod
    def result_keys(cls) -> tuple[str, ...]:
        """The results that an evaluation may give, without prefix and those of single classes."""
        raise NotImplementedError

    def headline(self, total: Tensor) -> float:
        """The score in percent that stands for all: from a sum over images, [..., K]."""
        raise NotImplementedError

    def define(self, score: str) -> tuple[Kind, str]:
        """What one of :meth:`result_keys`, or :attr:`class_score`, is."""
        raise NotImplementedError

    @property
    def scored(self) -> list[bool]:
        """Which of the K classes have scores at all."""
        return [True] * len(self.meta('classes'))

    def class_results(self) -> dict[str, str]:
        """The keys of the results of single classes, without prefix, and the classes."""
        if not self.class_score:
            return {}
        classes = self.meta('classes')
        keys = class_keys(self.class_score, classes)
        return {key: name for key, name, scored in zip(keys, classes, self.scored, strict=True) if scored}

    def all_keys(self) -> list[str]:
        """The results that an evaluation may give, with prefix."""
        return [f'{self.prefix}/{key}' if self.prefix else key for key in (*self.result_keys(), *self.class_results())]

    def definition(self, key: str) -> Definition | None:
        """What a result is, with prefix; None where it is none of this metric's."""
        before = f'{self.prefix}/' if self.prefix else ''
        if not key.startswith(before):
            return None
        own = key.removeprefix(before)
        if own in self.result_keys():
            return Definition(*self.define(own))
        if (name := self.class_results().get(own)) is None:
            return None
        kind, text = self.define(self.class_score)
        return Definition(kind, f'{name!r} alone: {text}')

    def evaluate(self, size: int) -> dict[str, float]:
        """See mmengine's metric."""
        self.notes = []
        results: dict[str, float] = super().evaluate(size)
        return results

    def note(self, what: str, text: str) -> None:
        """Adds to the notes and says it in the log: as a warning the first time in a run, then as an aside.

        Args:
            what: The kind of what is said, by which the first time is told.
            text: A sentence.
        """
        text = f'{self.prefix or type(self).__name__}: {text}'
        self.notes.append(text)
        print_log(text, 'current', logging.INFO if what in self._said else logging.WARNING)
        self._said.add(what)

    def meta(self, key: str) -> Sequence[Any]:
        """An entry of ``dataset_meta`` that lists something of each class."""
        if not self.dataset_meta or key not in self.dataset_meta:
            raise DataError(f'{type(self).__name__} does not know the {key}: set dataset_meta=dict({key}=[...]).')
        values: Sequence[Any] = self.dataset_meta[key]
        if key != 'classes' and len(values) != len(self.meta('classes')):
            raise DataError(f'{key} of dataset_meta has {len(values)} entries, not one for each class.')
        return values

    @property
    def groups(self) -> list[int]:
        """The index of the label space of each class; where ``dataset_meta`` does not tell, all are of one."""
        told = 'groups' in (self.dataset_meta or {})
        return list(self.meta('groups')) if told else [0] * len(self.meta('classes'))

    @property
    def num_spaces(self) -> int:
        """How many label spaces the classes are of."""
        return len(set(self.groups))

    def segments(self, sample: Mapping[str, Any], field: str) -> Segments:
        """A field of a sample that holds segments, in the label spaces of the dataset."""
        if field not in sample:
            raise DataError(f'has no {field}; {_WAYS_OUT[field]}')
        found: Segments = sample[field]
        if isinstance(found, SegmentMap) and len(found.ids) != self.num_spaces:
            raise DataError(
                f'{field} is a map of {len(found.ids)} label spaces, but by groups of dataset_meta the classes are of '
                f'{self.num_spaces}; load the truth and ask the model in the spaces of the dataset.'
            )
        return found

    def report_classes(self, columns: Mapping[str, Tensor], truth: Tensor) -> dict[str, float]:
        """Logs the table per class, notes what the truth lacks, and gives the results of single classes.

        A class that the truth does not hold may have a score all the same, 0, where it is predicted; else it has none
        (nan) and counts in no mean.

        Args:
            columns: Fractions [K] by the name of the column, :attr:`class_score` among them.
            truth: Numbers [K], how much of each class the truth holds.
        """
        table = PrettyTable(['class', *columns, f'true {self.counted}'])
        table.align['class'] = 'l'
        scored = self.scored
        rows = zip(self.meta('classes'), *columns.values(), truth.tolist(), scored, strict=True)
        for name, *scores, count, own in rows:
            if own:
                table.add_row([name, *('-' if score.isnan() else percent(score) for score in scores), int(count)])
        found = columns[self.class_score]
        heading = f'{self.prefix or self.class_score} per class (percent):'
        print_log(f'{heading}\n{table.get_string()}', logger=MMLogger.get_current_instance())
        untrue = (truth == 0) & torch.tensor(scored)
        if untrue.any():
            self.note('classes without truth', self._without_truth(untrue, ~found.isnan()))
        values = dict(zip(class_keys(self.class_score, self.meta('classes')), map(percent, found), strict=True))
        return {key: values[key] for key in self.class_results()}

    def _without_truth(self, untrue: Tensor, has_score: Tensor) -> str:
        """Names classes, bool [K], of which nothing is in the truth, and says what becomes of them."""
        classes = self.meta('classes')
        none, zero = (
            [classes[i] for i in which.nonzero()[:, 0]] for which in (untrue & ~has_score, untrue & has_score)
        )
        parts = []
        if none:
            parts.append(f'{", ".join(none)} ({len(none)}) without a score, in no mean')
        if zero:
            parts.append(f'{", ".join(zero)} ({len(zero)}) predicted all the same, so 0, which counts in the mean')
        return (
            f'{int(untrue.sum())} of {sum(self.scored)} classes have no {self.counted} in the truth: {"; ".join(parts)}'
        )


class SegmentMetric(ClassMetric):
    """A quality of segments and its factors in percent, over all classes, things (``_th``) and stuff (``_st``).

    Things and stuff are told apart by ``dataset_meta['is_thing']``; a group without classes has no keys.
    """

    keys: ClassVar[tuple[str, str, str]]  # what the quality and its factors, SQ and RQ, are called
    counted = 'segments'

    @classmethod
    def result_keys(cls) -> tuple[str, ...]:
        """The quality and its factors over all classes, things and stuff."""
        return tuple(f'{key}{group}' for group in ('', '_th', '_st') for key in cls.keys)

    def counts(self, sample: dict) -> PanopticCounts:
        """Compare the prediction of a sample with its truth."""
        raise NotImplementedError

    def record(self, sample: dict) -> dict[str, Any]:
        """What to keep of a sample until the end: its ``counts``, double [4, K] in host memory."""
        return dict(counts=torch.stack([count.double() for count in self.counts(sample)]).cpu())

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the counts of each sample; what is wrong with one is a DataError that names its file."""
        for sample in data_samples:
            with errors_of(source(sample)):
                self.results.append(self.record(sample))

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Sum the counts of all samples, print the table per class, return the means and the quality of each class."""
        self.per_image = torch.stack([result['counts'] for result in results])  # [n, 4, K]
        counts = PanopticCounts(*self.per_image.sum(0))
        scores = panoptic_scores(counts)
        columns = dict(zip(self.keys, scores))
        of_classes = self.report_classes(columns, truth=counts.true_positive + counts.false_negative)
        things = torch.tensor(self.meta('is_thing'))
        groups = {'': torch.ones_like(things), '_th': things, '_st': ~things}
        means = {
            f'{key}{suffix}': percent(score)
            for suffix, classes in groups.items()
            if classes.any()
            for key, score in zip(self.keys, mean_scores(scores, classes))
        }
        return {**means, **of_classes}

    def headline(self, total: Tensor) -> float:
        """The quality over all classes of summed counts [4, K]."""
        return percent(panoptic_scores(PanopticCounts(*total)).pq.nanmean())

    def truth(self, sample: Mapping[str, Any]) -> SegmentMap:
        """``gt_segments``, or the classes of ``gt_sem_seg`` where no class is a thing."""
        stuff = 'gt_sem_seg' in sample and self.num_spaces == 1 and not any(self.meta('is_thing'))
        if stuff and 'gt_segments' not in sample:
            labels = torch.arange(len(self.meta('classes')))
            void = ignore_index_of(len(labels))
            return SegmentMap(class_segments(sample['gt_sem_seg']['data'], len(labels), void), labels)
        found = self.segments(sample, 'gt_segments')
        if not isinstance(found, SegmentMap):
            raise DataError('gt_segments must be a SegmentMap, which tells where each label space has no truth.')
        if (found.ids == BACKGROUND).any():
            raise DataError(
                'gt_segments are objects alone (mmlmseg.InstanceDataset), which mmlmseg.InstanceAP scores; qualities '
                "of panoptic results need truth of whole images: say what is outside of objects, rest='ignore' or "
                'the name of a class, in the dataset.'
            )
        return found


def predicted_masks(found: Segments) -> tuple[Tensor, Tensor, Tensor]:
    """Masks [P, H, W], their classes [P] and scores [P], on one device; a mask of several origins once for each."""
    with errors_of('predicted segments'):
        said = found.to_masks().claims()
        if said.scores is None:
            raise DataError('have no scores, which tell what to match first.')
    device = said.masks.device
    return said.masks, said.labels.to(device), said.scores.to(device)


def true_masks(truth: Segments, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Masks [T, H, W], their classes [T], and whether each is a crowd [T], on one device."""
    with errors_of('true segments'):
        masks = truth.to(device).to_masks().masks
    return masks, truth.labels.to(device), crowd_flags(truth).to(device)


def crowd_flags(truth: Segments) -> Tensor:
    """Whether each segment is a crowd, bool [T]; none is where the truth does not say."""
    crowd = None if isinstance(truth, EncodedMaskSet) else truth.crowd
    return torch.zeros(len(truth.labels), dtype=torch.bool) if crowd is None else crowd


def percent(fraction: Tensor) -> float:
    """A fraction [] in percent, rounded to two decimals as papers print it."""
    return round(float(fraction) * 100, 2)


def source(sample: Mapping[str, Any]) -> str:
    """The file to name where the truth of a sample is wrong."""
    return str(sample.get('seg_map_path') or sample.get('img_path') or 'a sample without a path')
