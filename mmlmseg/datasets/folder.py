"""A dataset that is a folder: images, label maps, class names and lists of samples."""

from __future__ import annotations

import copy
import dataclasses
import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset

from ..errors import DataError, LabelSpaceError, OptionError, did_you_mean, errors_of, read_json
from ..image_format import ImageFormat
from ..label_space import LabelSpace
from ..names import leads_outside
from ..registry import DATASETS
from ..segments import IGNORE_INDEX
from .checks import check_class_count
from .guards import use_own_loading
from .image_files import ARRAY_SUFFIX
from .label_values import LabelValues, read_ignore, read_values
from .load_image import read_as_declared
from .steps import reads_labels

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
"""How the names of images end, in lower case."""

LABEL_SUFFIXES = ('.png', '.tif', '.tiff')
"""Likewise those of label maps."""


def files_by_name(folder: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Finds files below a folder by their name without suffix, sub-folders included (``town/scene1``).

    Paths stay text: a million objects of pathlib take tens of seconds.
    """
    if not os.path.isdir(folder):
        raise DataError(f'{folder}: no such folder; a folder dataset needs images/ and labels/ below its data_root')
    found: dict[str, str] = {}
    for name, path in named_files(folder, suffixes):
        if name in found:
            first, second = os.path.basename(found[name]), os.path.basename(path)
            raise DataError(f'{folder}: {first} and {second} are both the sample {name!r}; keep one')
        found[name] = path
    return found


def named_files(folder: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Names without suffix and paths of the files below a folder; none where it is missing."""
    seen: set[str] = set()
    for parent, below_it, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:  # a link back: its files were found by their first name
            below_it.clear()
            continue
        seen.add(real)
        below = Path(parent).relative_to(folder).as_posix()
        prefix = '' if below == '.' else f'{below}/'
        for file in files:
            stem, suffix = os.path.splitext(file)
            if suffix.lower() in suffixes:
                yield prefix + stem, os.path.join(parent, file)


def read_split(path: Path) -> list[str]:
    """Reads the sample names of a split, one per line, empty lines skipped; each must be there once, one at least."""
    if not path.is_file():
        splits = ', '.join(sorted(p.stem for p in path.parent.glob('*.txt'))) or 'none'
        raise DataError(f'{path}: no such split file; splits found there: {splits}')
    try:
        names = [line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: is not written in UTF-8 ({error}); save it so (PowerShell writes UTF-16)') from None
    if not names:
        raise DataError(f'{path}: names no sample; write one name per line, without folder and suffix')
    if outside := next(filter(leads_outside, names), None):
        raise DataError(f'{path}: {outside!r} leads out of the folder; name samples by their path below images/')
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f'{path}: lists {twice[0]!r} more than once ({len(twice)} such names); list every sample once')
    return names


@DATASETS.register_module()
class FolderDataset(BaseSegDataset):
    """Semantic or panoptic segmentation data in one folder; nothing but its path is needed in a config.

    The folder holds ``classes.json``, ``SPLIT.txt`` with one sample name per line, ``images/NAME.jpg`` (or another of
    :data:`IMAGE_SUFFIXES`, or ``.npy`` where ``image`` is declared) and ``labels/NAME.png`` (or another of
    :data:`LABEL_SUFFIXES`) with 8-bit ids, 255 for no class, or 16-bit ids and 65535 for more than 255 classes.
    ``instances/NAME.png`` with 8-bit or 16-bit ids of segments (0 = none) tells the things of an image apart, for
    ``mmlmseg.LoadSegments``. Every listed sample is looked for at the start; its labels are where the pipeline loads
    some.

    ``classes.json`` describes the label space, see :meth:`LabelSpace.from_json`, and what the values of the label maps
    mean where they are not the places in ``classes``: ``ids`` or ``colours``, the class of each value or null where it
    counts nowhere; without these, ``ignore`` names one or several ids more that count nowhere.

    Args:
        data_root: The folder.
        split: Which list to read.
        things: The countable classes, where ``classes.json`` does not name them.
        metainfo: More to know of the dataset; ``label_space`` renames its label space.
        reduce_zero_label: Whether the ids in the label maps start at 1, and 0 is ignored.
        ignore_index: An id that counts nowhere, too, among those that are left after ``reduce_zero_label``.
        image: What its images hold, where they are not of 8 bits and three channels: the ``bands``, ``scale``,
            ``percentiles`` and ``nodata`` of an :class:`~mmlmseg.image_format.ImageFormat`. Its ``LoadImageFromFile``
            becomes an :class:`mmlmseg.LoadImage <mmlmseg.datasets.LoadImage>`. ``classes.json`` may hold it instead.
        lazy_init: Whether to read the list of samples later, with :meth:`full_init`.
        **kwargs: Everything else that mmseg's datasets take, e.g. ``pipeline``, ``indices``.

    Raises:
        LabelSpaceError: Where ``classes.json`` is missing or ill-formed, or ``things`` or ``metainfo`` say something
            else, or ``ids`` or ``colours`` are ill-formed.
        OptionError: Where ``ids`` or ``colours`` say what ``reduce_zero_label`` or ``ignore_index`` would change.
        DataError: Where the split, an image, a label map or, with a folder of them, a map of segments is missing.

    Attributes:
        on_missing: Called with the name of each sample that lacks a file, and with which; the sample is left out then.
            None: such a sample is an error.
    """

    on_missing: Callable[[str, str], None] | None = None

    def __init__(
        self,
        data_root: str | Path,
        split: str = 'train',
        things: Sequence[str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        reduce_zero_label: bool = False,
        ignore_index: int = IGNORE_INDEX,
        image: Mapping[str, Any] | None = None,
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        if foreign := sorted(kwargs.keys() & {'ann_file', 'data_prefix', 'img_suffix', 'seg_map_suffix'}):
            raise OptionError(
                f'FolderDataset: {foreign[0]}={kwargs[foreign[0]]!r} is of other datasets; a folder has SPLIT.txt, '
                'images/ and labels/, and finds files of any suffix it knows'
            )
        root = Path(data_root).expanduser()
        if not root.is_dir():
            raise DataError(f'{root}: no such folder; data_root must be the folder that holds classes.json')
        self.split = split
        self.space = LabelSpace.from_json(root, things=things)
        check_class_count(self.space)
        content = read_json(root / 'classes.json', DataError, 'it describes the folder')
        with errors_of(root / 'classes.json'):
            self.label_values = read_values(content, self.space, reduce_zero_label, ignore_index)
            first = self.space.num_classes + reduce_zero_label
            # Without a table these become 255, by mmseg's own loading too, which lowers ids before.
            ignored = [] if self.label_values else read_ignore(content, first, IGNORE_INDEX)
        self.image = _declared(content.get('image'), image, root)
        known = self.space.to_metainfo()
        more = copy.deepcopy(dict(metainfo or {}))
        if twice := sorted(known.keys() & more.keys()):
            raise LabelSpaceError(
                f'{root / "classes.json"}: metainfo={{{twice[0]!r}: ...}} would contradict it; change it in the file'
            )
        self.space = dataclasses.replace(self.space, name=more.setdefault('label_space', self.space.name))
        super().__init__(
            data_root=str(root),
            ann_file=f'{split}.txt',
            data_prefix=dict(img_path='images', seg_map_path='labels', panoptic_path='instances'),
            metainfo=known,
            reduce_zero_label=reduce_zero_label,
            lazy_init=True,
            **kwargs,
        )
        # Set here and not above: mmengine reads strings in `metainfo` as names of files wherever such a file exists.
        self._metainfo.update(more)
        if self.image is not None:
            read_as_declared(self.pipeline, self.image)
        if self.label_values:
            use_own_loading(self.pipeline)
        ignored = [one - reduce_zero_label for one in ignored if one != IGNORE_INDEX]
        if not self.label_values and ignore_index != IGNORE_INDEX:
            ignored.append(ignore_index)
        if ignored:
            self.label_map = dict.fromkeys(ignored, IGNORE_INDEX)
        if not lazy_init:
            self.full_init()

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The description of a sample before its pipeline, with ``spaces``, its label space."""
        return {**super().get_data_info(idx), 'spaces': (self.space,), **self.meaning_of_values()}

    def meaning_of_values(self) -> dict[str, LabelValues]:
        """What a sample says of the values in its label map: ``label_values``; nothing where they are its labels."""
        return dict(label_values=self.label_values) if self.label_values else {}

    def load_data_list(self) -> list[dict[str, Any]]:
        """One dict per sample, as mmseg's transforms want it; with ``panoptic_path`` where there are instances."""
        split_file = Path(self.ann_file)
        names = read_split(split_file)
        suffixes: tuple[str, ...] = IMAGE_SUFFIXES if self.image is None else (*IMAGE_SUFFIXES, ARRAY_SUFFIX)
        kinds: dict[str, tuple[str, tuple[str, ...]]] = dict(img_path=('image', suffixes))
        if reads_labels(self.pipeline):
            kinds['seg_map_path'] = ('label', LABEL_SUFFIXES)
            if Path(self.data_prefix['panoptic_path']).is_dir():
                kinds['panoptic_path'] = ('instance map', ('.png',))
        files: dict[str, dict[str, str]] = {}
        for key, (what, suffixes) in kinds.items():
            folder = self.data_prefix[key]
            files[key] = files_by_name(folder, suffixes)
            missing = [name for name in names if name not in files[key]]
            if missing and self.on_missing is not None:
                for name in missing:
                    self.on_missing(name, f'no {what} in {folder}.{_hint(name, files[key], folder, suffixes)}')
                names = [name for name in names if name in files[key]]
            elif missing:
                raise DataError(
                    f'{split_file}: no {what} for {missing[0]!r} in {folder} ({len(missing)} of {len(names)} missing); '
                    f'add the file or take the name off the list.{_hint(missing[0], files[key], folder, suffixes)}'
                )
        return [
            dict(
                {key: found[name] for key, found in files.items()},
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            for name in names
        ]


def _declared(of_file: Any, given: Mapping[str, Any] | None, root: Path) -> Mapping[str, Any] | None:
    """What ``classes.json`` or the config declares of images."""
    with errors_of(root / 'classes.json'):
        if of_file is not None and ImageFormat.from_config(given or of_file) != ImageFormat.from_config(of_file):
            raise OptionError(f'its "image" is {of_file}, but the config says image={dict(given or {})}; say it once')
    if given is not None:
        ImageFormat.from_config(given)
    return of_file if given is None else given


def _hint(name: str, known: dict[str, str], folder: str, suffixes: Sequence[str]) -> str:
    """What may be meant where a file is missing: one of another kind, a name with its suffix, a name like it."""
    if others := sorted(path.name for path in Path(folder, name).parent.glob(f'{glob.escape(Path(name).name)}.*')):
        what = ', which smears ids where classes meet' if others[0].lower().endswith(('.jpg', '.jpeg')) else ''
        return f' There is {others[0]}{what}; files here end in {", ".join(suffixes)}.'
    plain = name.replace('\\', '/')  # as Windows writes paths
    meant = next((one for one in (plain, str(Path(plain).with_suffix(''))) if one in known), None)
    if meant is None:
        return did_you_mean(name, known)
    return f" Names are written with '/' and without suffix: {meant!r}."
