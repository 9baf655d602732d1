"""Several datasets as one, each sample stamped with where it comes from and what its labels mean."""

from __future__ import annotations

import bisect
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import LoadAnnotations
from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset

from ..errors import DataError, LabelSpaceError
from ..label_space import LabelSpace
from ..names import default_space_name
from ..registry import DATASETS
from .checks import CheckLabels
from .mixed import MixedFolderDataset


@DATASETS.register_module()
class MultiDataset(Dataset):
    """Joins datasets of different label spaces; each keeps its own pipeline and metainfo.

    A sample's ``data_samples`` carries ``dataset``, ``label_space`` (names), ``classes`` and ``is_thing`` in its
    metainfo; one of ``mmlmseg.MixedFolderDataset`` has ``label_spaces`` in place of ``label_space``, with ``classes``
    and ``is_thing`` of each. Labels are checked as soon as they are loaded, and whatever goes wrong with a sample is
    raised as a :class:`DataError` that names it.

    Args:
        datasets: Configs of registered datasets (mmseg, mmdet, this package).
        names: A name per dataset, by default that of its label space: ``metainfo['label_space']``, else made from the
            type. Two datasets may share a label space under two names.
        lazy_init: Whether to read the lists of samples later, with :meth:`full_init`.

    Raises:
        DataError: Where there is no dataset, or two of one name.
        LabelSpaceError: Where one label-space name stands for different classes, or classes are unusable.
    """

    def __init__(
        self,
        datasets: Sequence[Mapping[str, Any]],
        names: Sequence[str] | None = None,
        lazy_init: bool = False,
    ) -> None:
        if not datasets:
            raise DataError('MultiDataset: `datasets` is empty; list at least one dataset config')
        self.datasets = [DATASETS.build({'lazy_init': True, **copy.deepcopy(dict(config))}) for config in datasets]
        self.spaces = [_label_spaces(dataset, config) for dataset, config in zip(self.datasets, datasets, strict=True)]
        self.names = list(names) if names is not None else ['+'.join(s.name for s in own) for own in self.spaces]
        self._check_names()
        for dataset, own in zip(self.datasets, self.spaces, strict=True):
            if len(own) == 1:  # a mixed dataset checks the labels of each space where it loads them
                _insert_check(dataset, own[0])
        self._fully_initialized = False
        self.sizes: list[int] = []
        self._ends: list[int] = []
        if not lazy_init:
            self.full_init()

    def _check_names(self) -> None:
        if len(self.names) != len(self.datasets):
            raise DataError(f'MultiDataset: {len(self.names)} names for {len(self.datasets)} datasets; give one each')
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise DataError(f'MultiDataset: two datasets are named {", ".join(twice)}; tell them apart with `names`')
        known: dict[str, LabelSpace] = {}
        for name, space in ((name, space) for name, own in zip(self.names, self.spaces) for space in own):
            first = known.setdefault(space.name, space)
            if first.classes != space.classes:
                differing = sorted(set(first.classes) ^ set(space.classes)) or ['their order']
                raise LabelSpaceError(
                    f'dataset {name!r}: the label space {space.name!r} has other classes than in the dataset before it '
                    f'({", ".join(differing[:5])}); give one of them another name (key "name" of classes.json, or '
                    "metainfo=dict(label_space='...'))"
                )

    def full_init(self) -> None:
        """Reads the lists of samples. The datasets keep them serialised, so that workers share them."""
        if self._fully_initialized:
            return
        for dataset in self.datasets:
            dataset.full_init()
        self.sizes = [len(dataset) for dataset in self.datasets]
        for name, size in zip(self.names, self.sizes, strict=True):
            if not size:
                raise DataError(f'dataset {name!r} has no sample; check its paths and split')
        self._ends = np.cumsum(self.sizes).tolist()
        self._fully_initialized = True

    @property
    def metainfo(self) -> dict[str, Any]:
        """``datasets``: what is known of each dataset by name, as plain Python.

        ``size`` once it is known, and ``category_ids``, the ids of the classes in the annotation file, where there is
        one. Of a dataset with several label spaces, classes are written ``SPACE:CLASS``, and ``groups`` tells the
        number of each one's space.
        """
        described: dict[str, dict[str, Any]] = {}
        for i, (name, own) in enumerate(zip(self.names, self.spaces, strict=True)):
            described[name] = dict(
                label_space='+'.join(space.name for space in own),
                classes=[c if len(own) == 1 else f'{space.name}:{c}' for space in own for c in space.classes],
                palette=[list(colour) for space in own for colour in space.palette],
                is_thing=[thing for space in own for thing in space.is_thing],
            )
            if len(own) > 1:
                described[name]['groups'] = [group for group, space in enumerate(own) for _ in space.classes]
            if category_ids := self.datasets[i].metainfo.get('category_ids'):
                described[name]['category_ids'] = list(category_ids)
            if self._fully_initialized:
                described[name]['size'] = self.sizes[i]
        return dict(datasets=described)

    def locate(self, index: int) -> tuple[int, int]:
        """Finds the dataset of a sample.

        Args:
            index: Of the sample; negative ones count from the end.

        Returns:
            Which dataset, and which of its samples.

        Raises:
            IndexError: Where there is no such sample.
        """
        self.full_init()
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f'sample {index} of {len(self)}')
        which = bisect.bisect_right(self._ends, position)
        return which, position - self._ends[which] + self.sizes[which]

    def get_data_info(self, index: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with the names that samples carry."""
        which, inner = self.locate(index)
        info = dict(self.datasets[which].get_data_info(inner))
        info.update(sample_idx=index % len(self), **self._stamp(which))
        return info

    def __len__(self) -> int:
        self.full_init()
        return self._ends[-1]

    def __getitem__(self, index: int) -> dict[str, Any]:
        which, inner = self.locate(index)
        try:
            sample = self.datasets[which][inner]
        except Exception as error:
            raise DataError(self._describe(which, inner, error)) from error
        packed = sample.get('data_samples')
        if packed is None:  # a pipeline without a pack transform, e.g. to browse a dataset
            sample.update(self._stamp(which))
        for data_sample in (
            packed if isinstance(packed, list) else [packed]
        ):  # a list of views in test-time augmentation
            if data_sample is not None:
                data_sample.set_metainfo(self._stamp(which))
        return sample

    def _stamp(self, which: int) -> dict[str, Any]:
        own = self.spaces[which]
        # Classes and things let the model see that it means the same by the name of the space.
        if len(own) == 1:
            named = dict(label_space=own[0].name, classes=own[0].classes, is_thing=own[0].is_thing)
        else:
            named = dict(
                label_spaces=tuple(space.name for space in own),
                classes=tuple(space.classes for space in own),
                is_thing=tuple(space.is_thing for space in own),
            )
        return dict(dataset=self.names[which], **named)

    def _describe(self, which: int, inner: int, error: Exception) -> str:
        info = self.datasets[which].get_data_info(inner)
        image, truths = info.get('img_path'), info.get('truths', [info])
        labels = [truth.get('seg_map_path') for truth in truths]
        cause = str(error) if isinstance(error, DataError) else f'{type(error).__name__}: {error}'
        if isinstance(error, FileNotFoundError):
            cause = f'missing file: {error.filename or error}; restore it or take the sample off the list'
        elif not isinstance(error, DataError) and (unreadable := _first_unreadable(image, *labels)):
            cause = f'cannot be read as an image: {unreadable} ({cause}); replace the file'
        files = f'image {image}, label {", ".join(map(str, labels))}'
        return f'dataset {self.names[which]!r}, sample {inner}: {files}: {cause}'


def _label_spaces(dataset: Any, config: Mapping[str, Any]) -> tuple[LabelSpace, ...]:
    """The label spaces of a built dataset: one, or several of a mixed dataset."""
    if isinstance(dataset, MixedFolderDataset):
        return dataset.spaces
    if isinstance(space := getattr(dataset, 'space', None), LabelSpace):
        return (space,)
    metainfo = dataset.metainfo
    if not metainfo.get('classes'):
        raise LabelSpaceError(f'dataset {config["type"]!r} declares no classes; set metainfo=dict(classes=[...])')
    name = metainfo.get('label_space') or default_space_name(str(config['type']))
    return (LabelSpace.from_metainfo(name, metainfo),)


def _leaves(dataset: Any) -> Iterator[BaseDataset]:
    """The datasets with a pipeline of their own, below wrappers such as mmengine's RepeatDataset."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if isinstance(dataset, BaseDataset) and hasattr(dataset, 'pipeline') and inner == [None]:
        yield dataset
    for child in inner:
        if child is not None:
            yield from _leaves(child)


def _transform_lists(owner: Any) -> Iterator[list[Any]]:
    """The list of transforms of a pipeline, and those nested in it: RandomApply, RandomChoice, TestTimeAug."""
    if isinstance(owner, list):
        yield owner
        for transform in owner:
            yield from _transform_lists(transform)
    else:
        for inner in (getattr(owner, 'transforms', None), getattr(owner, 'subroutines', None)):
            if inner is not None:
                yield from _transform_lists(inner)


def _insert_check(dataset: Any, space: LabelSpace) -> None:
    for leaf in _leaves(dataset):
        check = CheckLabels(space.num_classes, getattr(leaf, 'ignore_index', 255))
        for transforms in list(_transform_lists(leaf.pipeline)):
            for i in reversed(range(len(transforms))):
                # The branches of test-time augmentation share their transforms: what nests in these comes by twice.
                checked = i + 1 < len(transforms) and isinstance(transforms[i + 1], CheckLabels)
                if isinstance(transforms[i], LoadAnnotations) and not checked:
                    transforms.insert(i + 1, check)


def _first_unreadable(*paths: str | None) -> str | None:
    """The first of some files that does not open as an image."""
    from PIL import Image

    for path in paths:
        if path:
            try:
                with Image.open(path) as image:
                    image.load()
            except Exception:  # whatever the decoder says, the file is the culprit
                return path
    return None
