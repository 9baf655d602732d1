"""Builds the dataset of a config on its own; what is wrong with its files, lists and annotations becomes findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmengine.registry import DefaultScope

from ..arguments import mistake_of_config
from ..config import space_names
from ..datasets import MultiDataset
from ..datasets.annotation_file import AnnotationFileDataset
from ..datasets.coco_instances import InstanceDataset
from ..datasets.folder import FolderDataset
from ..datasets.multi_parts import below_wrappers
from ..datasets.presence import innermost_sample
from ..errors import USER_ERRORS
from ..label_space import LabelSpace
from .annotations import odd_ids, stray_boxes, usable_annotations, usable_lists
from .findings import Case, Finding, counted


@dataclass(frozen=True)
class Source:
    """One split of one dataset.

    Attributes:
        name: Of the dataset.
        split: ``train``, ``val``, ``test``, or what the list of a folder is called.
        spaces: Its label spaces; none where it cannot be built.
        samples: Each a built dataset, below wrappers, and a place in it; repeated ones once.
        findings: What was found while it was built.
    """

    name: str
    split: str
    spaces: tuple[LabelSpace, ...] = ()
    samples: tuple[tuple[Any, int], ...] = field(default=(), repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def label(self) -> str:
        """How it is called in reports."""
        return f'{self.name} ({self.split})'

    @property
    def trains(self) -> bool:
        """Whether a model learns from it."""
        return self.split.startswith('train') and 'val' not in self.split

    @property
    def scores(self) -> bool:
        """Whether a model is scored on it."""
        return self.split.startswith(('val', 'test', 'dev'))


def build_source(part: Any, split: str, name: str | None, scope: str, notes: Sequence[Finding] = ()) -> Source:
    """Builds the dataset of a config.

    Args:
        part: The config.
        split: ``train``, ``val``, ``test``, or what its list is called.
        name: What its loader calls it; None where it goes by its label space.
        scope: The default scope of its types.
        notes: What was found before.
    """
    called = name or '+'.join(_told_names(part))
    findings = list(notes)
    label = f'{called} ({split})'
    missing: list[Case] = []
    inner: Any = None
    try:
        with DefaultScope.overwrite_default_scope(scope):
            joined = MultiDataset([part], None if name is None else [name], lazy_init=True)
            called = joined.names[0]
            label = f'{called} ({split})'
            for inner in below_wrappers(joined.datasets[0]):
                if isinstance(inner, (FolderDataset, AnnotationFileDataset)):
                    inner.on_missing = lambda sample, what: missing.append(Case(f'{sample}: {what}', (sample,)))
                if isinstance(inner, InstanceDataset):
                    findings += _leave_out_unusable(inner, label)
            joined.full_init()
    except Exception as error:  # datasets may be of anybody, and the others shall still be looked at
        findings += _of_missing(missing, label)
        if not missing or getattr(inner, 'data_list', None):  # else that nothing is left says no more
            findings.append(Finding('dataset', label, _said(error)))
        return Source(called, split, findings=tuple(findings))
    findings += _of_missing(missing, label)
    places = (innermost_sample(joined.datasets[0], place) for place in range(joined.sizes[0]))
    unique = {(id(dataset), place): (dataset, place) for dataset, place in places}
    return Source(called, split, joined.spaces[0], tuple(unique.values()), tuple(findings))


def _leave_out_unusable(dataset: InstanceDataset, label: str) -> list[Finding]:
    """Leaves those annotations of a dataset that can be drawn, and tells of the others."""
    file, findings = str(dataset.ann_file), []

    def change(content: dict[str, Any]) -> dict[str, Any]:
        kept, faults = usable_annotations(content)
        images, lists = usable_lists(content['images'], kept, content['categories'])
        number = len(content['annotations'])
        for code, found, what in (
            ('annotation', faults, f'{len(faults)} of {counted(number, "annotation")} cannot be used'),
            ('class-list', lists, f'{counted(len(lists), "list")} of classes cannot be used'),
            ('box', strays := stray_boxes(kept), f'{counted(len(strays), "box", "boxes")} not around the polygons'),
            ('annotation-id', odd := odd_ids(kept), f'{counted(len(odd), "odd id")} of annotations'),
        ):
            if found:
                cases = tuple(Case(f'{file}: {one}', (file,)) for one in found)
                findings.append(Finding(code, label, what, cases))
        return {**content, 'images': images, 'annotations': kept}

    dataset.change_content(change)
    return findings


def _of_missing(missing: Sequence[Case], label: str) -> list[Finding]:
    return (
        [
            Finding(
                'missing-file', label, f'{counted(len(missing), "sample")} without a file that it needs', tuple(missing)
            )
        ]
        if missing
        else []
    )


def _said(error: Exception) -> str:
    if isinstance(error, USER_ERRORS):
        return ' '.join(str(error).split())
    mistake = mistake_of_config(error) if isinstance(error, (KeyError, TypeError)) else None
    return mistake or f'{type(error).__name__}: {error}'


def _told_names(part: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return space_names(part)
    except (*USER_ERRORS, KeyError, TypeError, AttributeError):
        return ('dataset',)
