"""What is put between the steps of every pipeline, in training, test and inference alike.

A step of a pipeline may change a sample so that no later step can tell: a decoder halves the bits, a crop forgets how
large the image was, padding becomes part of the image. Checks and notes right beside such steps keep what is needed to
undo it, or to say that it cannot be undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, LoadAnnotations, LoadImageFromFile, Pad
from mmseg.datasets import transforms as mmseg
from mmseg.datasets.transforms import PackSegInputs

from ..errors import DataError, OptionError
from ..federated import FEDERATED
from ..registry import TRANSFORMS
from ..segments import IGNORE_INDEX, ignore_index_of
from ..traces import TRACES
from .checks import CheckImage, CheckLabels, ignored_by
from .load_image import CheckDepth
from .load_image import Pad as OwnPad
from .steps import is_foreign, loads_labels
from .transforms import LoadAnnotations as OwnLoading
from .transforms import LoadSegments

_MOVES = re.compile('Resiz|Crop|Rot|Mosaic|Affine|Shear|Shift|Translate|Expand|MixUp')
"""What the names of transforms hold that move pixels to other places; flips are noted by themselves."""


@TRANSFORMS.register_module()
class Trace(BaseTransform):
    """Notes what the step behind it does to places in the image, see :mod:`mmlmseg.traces`.

    Args:
        step: The name of the step behind; ``labels`` where it loads labels.

    Raises:
        DataError: Where the step would hide that image and labels do not fit each other.
    """

    def __init__(self, step: str) -> None:
        self.step = step

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds notes to a sample."""
        size = results['img'].shape[:2] if 'img' in results else None
        if self.step == 'labels':
            if 'moved_by' in results:
                raise DataError(
                    f'labels are loaded after {results["moved_by"]}, which moved the image from under them; load them '
                    'before it'
                )
            results['labels_after_flip'] = bool(results.get('flip'))
            return results
        if 'Resiz' in self.step:
            if 'content_shape' in results:
                results['moved_by'] = f'{self.step} after Pad'
            return results
        labels = [results[key] for key in results.get('seg_fields', ()) if key.startswith('gt_seg_map')]
        if other := [label.shape[:2] for label in labels if label.shape[:2] != size]:
            raise DataError(
                f'before {self.step} the image is {_text(size)} and the label {_text(other[0])} (height x width): '
                'labels were loaded after the image was resized; load them before'
            )
        if self.step == 'Pad':
            results.setdefault('content_shape', size)
            if results.get('flip'):
                results.setdefault('flip_shape', size)
            results['padded_labels'] = bool(labels)
        else:
            results['moved_by'] = self.step
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(step={self.step!r})'


def add_guards(owner: Any, num_classes: int | None = None, ignore_index: int | None = None) -> None:
    """Puts checks and notes beside the steps of a pipeline, however deep they are nested.

    Args:
        owner: Where steps are: a dataset, a wrapper such as mmengine's RepeatDataset, a pipeline, a list of transforms,
            or a transform that has transforms: RandomApply, RandomChoice, TestTimeAug. Changed in place.
        num_classes: K of the label space; None for a pipeline that loads no labels.
        ignore_index: An id that stands for no class beside the usual one, where the dataset does not say.

    Raises:
        OptionError: Where another id than 255 stands for no class and segments are loaded.
    """
    if isinstance(owner, list):
        owner[:] = _guarded(owner, num_classes, ignore_index)
        inner: list[Any] = owner
    else:
        ignore_index = ignored_by(owner) if hasattr(owner, 'ignore_index') else ignore_index
        # MultiImageMixDataset pairs its own steps with their names, and nothing fits between.
        own = () if hasattr(owner, 'pipeline_types') else ('pipeline', 'transforms', 'subroutines')
        inner = [getattr(owner, key, None) for key in ('datasets', 'dataset', *own)]
    for one in inner:
        if one is not None:
            add_guards(one, num_classes, ignore_index)


def _guarded(steps: list[Any], num_classes: int | None, ignore_index: int | None) -> Iterator[Any]:
    before: Any = None
    void = ignore_index_of(num_classes or 0)
    for given, after in zip_longest(steps, steps[1:]):
        step = _of_any_bands(given) if type(given) is Pad else given
        # The branches of test-time augmentation share their transforms: what nests in these comes by twice.
        traced = isinstance(step, (LoadAnnotations, Pad)) or _MOVES.search(type(step).__name__)
        if traced and not isinstance(before, Trace):
            kinds = (('labels', LoadAnnotations), ('Pad', Pad), (type(step).__name__, object))
            yield Trace(next(name for name, kind in kinds if isinstance(step, kind)))
        if isinstance(step, PackSegInputs):
            step.meta_keys = tuple(dict.fromkeys((*step.meta_keys, *TRACES, FEDERATED)))
            if not isinstance(before, CheckDepth) and not any(is_foreign(type(one)) for one in steps):
                yield CheckDepth()
        if void != IGNORE_INDEX:
            _fill_with(step, void)
        yield step
        if isinstance(step, LoadImageFromFile) and not isinstance(after, CheckImage):
            yield CheckImage(step.color_type, step.imdecode_backend)
        if isinstance(step, LoadSegments) and ignore_index is not None:
            raise OptionError(
                f'ignore_index={ignore_index}: segments know {void} only; take it off the dataset, and have those '
                'pixels void in the files (of a mmlmseg.FolderDataset, name the id in classes.json: "ignore")'
            )
        unchecked = isinstance(step, LoadAnnotations) and not isinstance(step, LoadSegments)
        if unchecked and num_classes is not None and not isinstance(after, CheckLabels):
            yield CheckLabels(num_classes, ignore_index)
        before = step


def _of_any_bands(step: Pad) -> OwnPad:
    return OwnPad(step.size, step.size_divisor, step.pad_to_square, step.pad_val, step.padding_mode)


def _fill_with(step: Any, void: int) -> None:
    """Has a step fill label maps with ``void`` where it would with 255, which is a class of a large label space."""
    for key in ('ignore_index', 'seg_pad_val', 'seg_fill_in'):
        if getattr(step, key, None) == IGNORE_INDEX:
            setattr(step, key, void)
    padding = getattr(step, 'pad_val', None)
    if isinstance(padding, dict) and padding.get('seg', IGNORE_INDEX) == IGNORE_INDEX:
        step.pad_val = {**padding, 'seg': void}


def use_own_loading(owner: Any) -> None:
    """Puts ``mmlmseg.LoadAnnotations`` in the place of mmseg's, which knows 8-bit ids only.

    Args:
        owner: A pipeline, a list of transforms, or a transform that has transforms. Changed in place.

    Raises:
        OptionError: Where another step loads labels.
    """
    if isinstance(owner, list):
        owner[:] = map(_own_loading, owner)
    inner = owner if isinstance(owner, list) else [getattr(owner, key, None) for key in ('transforms', 'subroutines')]
    for one in inner:
        if one is not None:
            use_own_loading(one)


def _own_loading(step: Any) -> Any:
    if type(step) is mmseg.LoadAnnotations:
        return OwnLoading(
            reduce_zero_label=step.reduce_zero_label,
            backend_args=step.backend_args,
            imdecode_backend=step.imdecode_backend,
        )
    if loads_labels(type(step)) and not isinstance(step, OwnLoading):
        raise OptionError(
            f'{type(step).__name__} loads labels, but knows nothing of "ids" and "colours" in classes.json, nor of '
            'more than 255 classes; take mmlmseg.LoadAnnotations or mmlmseg.LoadSegments, or inherit from one of them'
        )
    return step


def _text(size: Any) -> str:
    return 'x'.join(map(str, np.asarray(size).tolist()))
