"""Several datasets as one, each sample stamped with where it comes from and what its labels mean."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from torch.utils.data import Dataset, get_worker_info

from ..errors import DataError, LabelSpaceError, OptionError
from ..federated import FEDERATED
from ..label_space import LabelSpace, joint_classes
from ..names import check_name
from ..randomness import seed_all
from ..registry import DATASETS
from ..segments import IGNORE_INDEX, ignore_index_of
from .files import fault_of_data, warn_of_binary_masks
from .guards import add_guards
from .multi_parts import (
    below_wrappers,
    is_empty,
    label_spaces_of,
    lazy,
    looked_for,
    refuse_detection,
    refuse_mixed_lists,
)
from .presence import Presence, count_presence, innermost_sample
from .presence_file import read_presence
from .streams import Draw

_OF_ANNOTATION_FILES = ('category_ids', 'frequency', FEDERATED)


@DATASETS.register_module()
class MultiDataset(Dataset):
    """Joins datasets of different label spaces; each keeps its own pipeline and metainfo.

    A sample's ``data_samples`` carries ``dataset``, its name, and ``label_spaces``, the names of its label spaces: one,
    or those of a ``mmlmseg.MultiSpaceFolderDataset``. Labels are checked as soon as they are loaded. What is wrong with
    the data of a sample is raised as a :class:`DataError` that names it; any other error stays what it is, with a note
    that names the sample.

    Args:
        datasets: Configs of registered datasets (mmseg, mmdet, this package).
        names: A name per dataset, by default that of its label space: ``metainfo['label_space']``, else made from the
            type. Two datasets may share a label space under two names.
        lazy_init: Whether to read the lists of samples later, with :meth:`full_init`.
        skip_damaged: How many samples with unusable files a training passes over, in each loading process, before it
            stops; the next usable one of the dataset takes the place of each, and the log names it. A test stops at the
            first in any case, since its score would be of other images.
        class_presence: A file of ``tools/analysis/class_frequencies.py``, where counting classes, for ``repeat`` of the
            samplers and for class weights by frequency, takes too long at every start.

    Attributes:
        spaces: The label spaces of each dataset.
        sizes: The number of samples of each dataset; empty before their lists are read.

    Raises:
        DataError: Where there is no dataset, or two of one name.
        LabelSpaceError: Where one label-space name stands for different classes, or classes are unusable.
    """

    def __init__(
        self,
        datasets: Sequence[Mapping[str, Any]],
        names: Sequence[str] | None = None,
        lazy_init: bool = False,
        skip_damaged: int = 0,
        class_presence: str | Path | None = None,
    ) -> None:
        if skip_damaged < 0:
            raise OptionError(f'MultiDataset: skip_damaged = {skip_damaged}; give the number of samples, at least 0')
        if not datasets:
            raise DataError('MultiDataset: `datasets` is empty; list at least one dataset config')
        self.datasets = [DATASETS.build(lazy(config)) for config in datasets]
        self.spaces = [label_spaces_of(*pair) for pair in zip(self.datasets, datasets, strict=True)]
        self.names = list(names) if names is not None else ['+'.join(s.name for s in own) for own in self.spaces]
        self._check_names()
        for name, dataset in zip(self.names, self.datasets, strict=True):
            refuse_detection(name, dataset)
        for dataset, own in zip(self.datasets, self.spaces, strict=True):
            add_guards(dataset, own[0].num_classes)
        self.sizes: list[int] = []
        self.skip_damaged = skip_damaged
        self.class_presence = class_presence
        self._damaged: set[tuple[int, int]] = set()  # dataset and sample of each that was passed over
        if not lazy_init:
            self.full_init()

    def _check_names(self) -> None:
        if len(self.names) != len(self.datasets):
            raise DataError(f'MultiDataset: {len(self.names)} names for {len(self.datasets)} datasets; give one each')
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise DataError(f'MultiDataset: two datasets are named {", ".join(twice)}; tell them apart with `names`')
        for name in self.names:
            check_name(name)
        if 'mean' in self.names:
            raise DataError(
                "MultiDataset: a dataset is named 'mean', as the means over all datasets are; give it another name "
                'with `names`, or its label space one ("name" in classes.json, or label_space in its metainfo)'
            )
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
        if self.sizes:
            return
        for name, dataset in zip(self.names, self.datasets, strict=True):
            for one in (*below_wrappers(dataset), dataset):
                if is_empty(name, one):
                    raise DataError(f'dataset {name!r} has no sample{looked_for(one)}; check its paths and split')
            refuse_mixed_lists(name, dataset)
        self.sizes = [len(dataset) for dataset in self.datasets]
        for dataset, own in zip(self.datasets, self.spaces, strict=True):
            if len(own) == 1 and own[0].num_classes == 2:
                some = map(dataset.get_data_info, range(0, len(dataset), max(1, len(dataset) // 16)))
                paths = [info.get('seg_map_path') for info in some if not info.keys() & {'segments', 'label_values'}]
                warn_of_binary_masks([path for path in paths if path], own[0].classes[1])

    @cached_property
    def presence(self) -> list[Presence]:
        """Which classes the images of each dataset hold; counted when it is first asked for, by all processes together.

        Raises:
            DataError: Where labels cannot be read, or ``class_presence`` was counted on other data.
        """
        self.full_init()
        return read_presence(self, self.class_presence) if self.class_presence else count_presence(self)

    @property
    def metainfo(self) -> dict[str, Any]:
        """``datasets``: what is known of each dataset by name, for evaluator, visualizer and checkpoints: plain Python.

        ``spaces``, its label spaces as :meth:`LabelSpace.to_dict` gives them; of all their classes in turn ``classes``
        (with several spaces written ``SPACE:CLASS``), ``palette``, ``is_thing`` and ``groups``, the place of each one's
        space; of an annotation file ``category_ids``, the ids of the classes in it, their ``frequency``, and whether it
        is ``federated``, as far as it tells; and ``size``, once it is known.
        """
        described: dict[str, dict[str, Any]] = {}
        for i, (name, own) in enumerate(zip(self.names, self.spaces, strict=True)):
            described[name] = dict(
                spaces=[space.to_dict() for space in own],
                classes=list(joint_classes(own)),
                palette=[list(colour) for space in own for colour in space.palette],
                is_thing=[thing for space in own for thing in space.is_thing],
                groups=[group for group, space in enumerate(own) for _ in space.classes],
            )
            known = innermost_sample(self.datasets[i], 0)[0].metainfo if self.sizes else self.datasets[i].metainfo
            described[name].update({key: known[key] for key in _OF_ANNOTATION_FILES if known.get(key)})
            if self.sizes:
                described[name]['size'] = self.sizes[i]
        return dict(datasets=described)

    def locate(self, index: int) -> tuple[int, int]:
        """Which dataset a sample is of, and which of its samples it is; negative indices count from the end."""
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f'sample {index} of {len(self)}')
        which = 0
        while place >= self.sizes[which]:
            place -= self.sizes[which]
            which += 1
        return which, place

    def get_data_info(self, index: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with the names that samples carry."""
        which, inner = self.locate(index)
        info = dict(self.datasets[which].get_data_info(inner))
        info.update(sample_idx=index % len(self), **self._stamp(which))
        return info

    def __len__(self) -> int:
        self.full_init()
        return sum(self.sizes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample after its pipeline. Of an index that is a :class:`Draw`, the draw decides on random transforms."""
        which, inner = self.locate(index)
        while True:
            if isinstance(index, Draw):
                seed_all(*index.key)
                _leave_the_end_to_the_main_process()
            try:
                return self._load(which, inner)
            except DataError as error:
                if not isinstance(index, Draw) or not self.skip_damaged:
                    raise
                self._pass_over(which, inner, error)
            inner = (inner + 1) % self.sizes[which]

    def _pass_over(self, which: int, inner: int, error: DataError) -> None:
        if (which, inner) in self._damaged:
            return
        self._damaged.add((which, inner))
        said = f'{len(self._damaged)} of at most {self.skip_damaged} (skip_damaged)'
        if len(self._damaged) > min(self.skip_damaged, self.sizes[which] - 1):
            raise DataError(f'{error}; there are more damaged samples than may be passed over: {said}') from error
        print_log(f'passed over a damaged sample, {said}: {error}', 'current', logging.WARNING)

    @contextmanager
    def naming_sample(self, which: int, inner: int) -> Iterator[None]:
        """Puts a sample's dataset and files before what is wrong with its data, and beside any other error."""
        try:
            yield
        except Exception as error:
            info = self.datasets[which].get_data_info(inner)
            image = info.get('img_path')
            labels = [truth.get('seg_map_path') for truth in info.get('truths', [info])]
            files = f'image {image}, label {", ".join(map(str, labels))}'
            where = f'dataset {self.names[which]!r}, sample {inner}: {files}'
            if (cause := fault_of_data(error, [image, *labels])) is not None:
                raise DataError(f'{where}: {cause}') from error
            if hasattr(error, 'add_note'):
                error.add_note(where)
            else:  # Python 3.10
                print_log(f'{type(error).__name__} in {where}', 'current', logging.ERROR)
            raise

    def _load(self, which: int, inner: int) -> dict[str, Any]:
        with self.naming_sample(which, inner):
            sample = self.datasets[which][inner]
        packed = sample.get('data_samples')
        if packed is None:  # a pipeline without a pack transform, e.g. to browse a dataset
            sample.update(self._stamp(which))
            return sample
        for view in packed if isinstance(packed, list) else [packed]:  # several in test-time augmentation
            view.set_metainfo(self._stamp(which))
        return sample

    def _stamp(self, which: int) -> dict[str, Any]:
        own = self.spaces[which]
        void = ignore_index_of(own[0].num_classes)
        noted = {} if void == IGNORE_INDEX else dict(ignore_index=void)
        return dict(dataset=self.names[which], label_spaces=tuple(space.name for space in own), **noted)


def _leave_the_end_to_the_main_process() -> None:
    """Lets a loading process stay when all are sent SIGUSR1, as by Slurm: its death would tear a step apart.

    SIGTERM it has to obey: by that the main process ends it.
    """
    if get_worker_info() is not None and signal.getsignal(signal.SIGUSR1) is not signal.SIG_IGN:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
