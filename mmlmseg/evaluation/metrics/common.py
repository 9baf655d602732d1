"""What the metrics per class share, and among them those that match segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from prettytable import PrettyTable
from torch import Tensor

from ...errors import DataError, errors_of
from ...segments import BACKGROUND, EncodedMaskSet, SegmentMap, Segments, ignore_index_of
from ..functional import PanopticCounts, class_segments, mean_scores, panoptic_scores

_WAYS_OUT = {
    'gt_segments': 'load them with mmlmseg.LoadSegments and mmlmseg.PackSegments in the test pipeline; for qualities '
    'of segments in one label space gt_sem_seg alone will do where no class is a thing.',
    'pred_segments': "set model.test_cfg.tasks=['panoptic'], or ask the model for several label spaces.",
    'pred_instances': "set model.test_cfg.tasks=['instance'].",
}


class ClassMetric(BaseMetric):
    """A metric with scores per class.

    Attributes:
        headline_key: The result that stands for all, which :meth:`headline` gives; empty where there is none.
        per_image: What the last evaluation added up, one entry per image: [n, ..., K]; None before the first one. With
            :meth:`headline` it tells how far the score depends on the images drawn.

    Args:
        collect_device: How ranks exchange their results: ``'gpu'`` goes through the process group (any backend, no
            shared folder needed), ``'cpu'`` through files.
        prefix: Put before the keys; :class:`~mmlmseg.evaluation.MultiDatasetEvaluator` adds the dataset's name itself.
    """

    default_prefix = ''  # mmengine warns about a metric whose prefix is None
    headline_key: ClassVar[str] = ''

    def __init__(self, collect_device: str = 'gpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.per_image: Tensor | None = None

    @classmethod
    def result_keys(cls) -> tuple[str, ...]:
        """The results that an evaluation may give, without prefix and those of single classes."""
        raise NotImplementedError

    def headline(self, total: Tensor) -> float:
        """The score in percent that stands for all: from a sum over images, [..., K]."""
        raise NotImplementedError

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

    def log_per_class(self, title: str, columns: Mapping[str, Tensor]) -> None:
        """Log a table in percent of fractions [K] by column; ``title`` heads it where the metric has no prefix."""
        table = PrettyTable(['class', *columns])
        table.align['class'] = 'l'
        for name, *scores in zip(self.meta('classes'), *columns.values(), strict=True):
            table.add_row([name, *map(percent, scores)])
        heading = f'{self.prefix or title} per class (percent):'
        print_log(f'{heading}\n{table.get_string()}', logger=MMLogger.get_current_instance())


class SegmentMetric(ClassMetric):
    """A quality of segments and its factors in percent, over all classes, things (``_th``) and stuff (``_st``).

    Things and stuff are told apart by ``dataset_meta['is_thing']``; a group without classes has no keys.
    """

    keys: ClassVar[tuple[str, str, str]]  # what the quality and its factors, SQ and RQ, are called

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
        """Sum the counts of all samples, print the table per class, return the means."""
        self.per_image = torch.stack([result['counts'] for result in results])  # [n, 4, K]
        scores = panoptic_scores(PanopticCounts(*self.per_image.sum(0)))
        self.log_per_class(self.keys[0], dict(zip(self.keys, scores)))
        things = torch.tensor(self.meta('is_thing'))
        groups = {'': torch.ones_like(things), '_th': things, '_st': ~things}
        return {
            f'{key}{suffix}': percent(score)
            for suffix, classes in groups.items()
            if classes.any()
            for key, score in zip(self.keys, mean_scores(scores, classes))
        }

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
