"""What datasets in COCO's formats share: an annotation file, a label space, and files that must be there."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from mmseg.datasets import BaseSegDataset

from ..errors import DataError, OptionError, errors_of
from ..label_space import LabelSpace
from ..names import default_space_name
from .checks import check_class_count
from .load_image import read_as_declared
from .steps import reads_labels

_SAID_BY_THE_FILE = dict(
    reduce_zero_label='its classes are matched by name, not by id',
    img_suffix='its file names the images in full',
    seg_map_suffix='its file names the maps in full',
)
"""What datasets of mmseg take and these would pass over, and why."""


class AnnotationFileDataset(BaseSegDataset):
    """A dataset that one annotation file describes.

    The label space is what METAINFO or ``metainfo`` declare (``classes``, ``thing_classes``, ``palette``,
    ``synonyms``); categories are matched with it by name. Without ``classes``, it is the ``categories`` of
    the file in their order, with their ``synonyms``. Samples are read by ``mmlmseg.LoadSegments``. Every file is looked
    for at the start.

    Args:
        ann_file: The JSON file.
        data_root: What the other paths start from.
        data_prefix: The folders that the names in the file start from, one for each key of ``prefixes``.
        metainfo: The label space, and what else is to be known; ``label_space`` names it.
        image: What its images hold, where they are not of 8 bits and three channels: the ``bands``, ``scale``,
            ``percentiles`` and ``nodata`` of an :class:`~mmlmseg.image_format.ImageFormat`. Its ``LoadImageFromFile``
            becomes an :class:`mmlmseg.LoadImage <mmlmseg.datasets.LoadImage>`.
        lazy_init: Whether to read the list of samples later, with :meth:`full_init`.
        **kwargs: Everything else that mmseg's datasets take, e.g. ``pipeline``, ``indices``.

    Raises:
        LabelSpaceError: Where categories and label space differ.
        DataError: Where a file is missing or contradicts itself.

    Attributes:
        on_missing: Called with the file of each sample that is not there, and with what is missing; the sample is left
            out then. None: such a sample is an error.
    """

    on_missing: Callable[[str, str], None] | None = None

    prefixes: ClassVar[Mapping[str, str]]  # what the files of a sample are, by their key in ``data_prefix``
    all_things: ClassVar[bool]  # whether a category is a thing unless it says otherwise

    def __init__(
        self,
        ann_file: str = '',
        data_root: str | None = None,
        data_prefix: Mapping[str, str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        image: Mapping[str, Any] | None = None,
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        for option, reason in _SAID_BY_THE_FILE.items():
            if kwargs.pop(option, None):
                raise OptionError(f'{type(self).__name__}: {option} is set, but {reason}; leave it out')
        given = copy.deepcopy(dict(metainfo or {}))
        described = {**self.METAINFO, **given}
        name = described.setdefault('label_space', default_space_name(type(self).__name__))
        self._content: dict[str, Any] | None = None
        if 'classes' not in described:
            file = os.path.join(data_root or '', ann_file)
            self._content = self.read_file(file)
            with errors_of(file):
                listed = LabelSpace.from_categories(name, self._content['categories'], self.all_things)
                synonyms = dict(zip(listed.classes, map(list, listed.synonyms), strict=True))
                described = {**listed.to_metainfo(), 'synonyms': synonyms, **described}
        elif self.all_things:
            described.setdefault('thing_classes', described['classes'])
        self.space = LabelSpace.from_metainfo(name, described, given)
        check_class_count(self.space)
        known = self.space.to_metainfo()
        prefix = dict(data_prefix or dict.fromkeys(self.prefixes, ''))
        for key in prefix:
            if key not in self.prefixes:
                keys = ', '.join(self.prefixes)
                raise DataError(f'{type(self).__name__}: data_prefix has {key!r}, but its keys are {keys}')
        super().__init__(ann_file, data_root=data_root, data_prefix=prefix, metainfo=known, lazy_init=True, **kwargs)
        # Set here and not above: mmengine reads strings in `metainfo` as names of files wherever such a file exists.
        self._metainfo.update({key: value for key, value in described.items() if key not in known})
        if image is not None:
            read_as_declared(self.pipeline, image)
        if not lazy_init:
            self.full_init()

    def read_file(self, path: str) -> dict[str, Any]:
        """Reads an annotation file of the format."""
        raise NotImplementedError

    def read_samples(self, content: dict[str, Any]) -> tuple[dict[Any, int], list[dict[str, Any]]]:
        """Labels by category id; and of each sample its ``image_id``, its truth, and its files by ``prefixes``.

        Of images without labels there is no truth, and no other file.
        """
        raise NotImplementedError

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> None:
        """None: labels come from names, so there is nothing to be mapped."""

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with ``spaces``, its label space."""
        return {**super().get_data_info(idx), 'spaces': (self.space,)}

    def change_content(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Lets a function change what the annotation file holds, before the list of samples is read."""
        self._content = change(self._content or self.read_file(self.ann_file))

    def load_data_list(self) -> list[dict[str, Any]]:
        """One dict per sample, as mmseg's transforms want it, with ``image_id`` and its truth."""
        content, self._content = self._content or self.read_file(self.ann_file), None
        with errors_of(self.ann_file):
            if not content['images']:
                raise DataError('lists no images')
            if content.get('unlabelled') and reads_labels(self.pipeline):
                raise DataError("has no list 'annotations', and the pipeline loads labels; take the file that has them")
            label_of, samples = self.read_samples(content)
        self._metainfo['category_ids'] = sorted(label_of, key=label_of.__getitem__)
        listed = cache(lambda folder: set(os.listdir(folder)) if os.path.isdir(folder) else set())
        for key, what in self.prefixes.items():
            if key not in next(iter(samples), {}):  # images without labels have no map
                continue
            for sample in samples:
                sample[key] = os.path.join(self.data_prefix.get(key, ''), sample[key])
            paths = [sample[key] for sample in samples]
            missing = [path for path in paths if os.path.basename(path) not in listed(os.path.dirname(path))]
            if missing and self.on_missing is not None:
                for path in missing:
                    self.on_missing(path, f'its {what} is missing')
                lost = set(missing)
                samples = [sample for sample in samples if sample[key] not in lost]
            elif missing:
                raise DataError(
                    f'{self.ann_file}: its {what} {missing[0]} is missing ({len(missing)} of {len(samples)} are); '
                    f'complete the download, or correct data_prefix[{key!r}]'
                )
        return [dict(sample, label_map=None, reduce_zero_label=False, seg_fields=[]) for sample in samples]
