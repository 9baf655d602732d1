"""What the steps of a pipeline are there for, told by their names: mmcv, mmseg, mmdet and this package name alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_PACKAGES = ('mmcv', 'mmdet', 'mmengine', 'mmlmseg', 'mmseg')


def loads_labels(kind: Any) -> bool:
    """Whether transforms of a class load labels.

    Example:
        >>> from mmcv.transforms import LoadAnnotations, LoadImageFromFile
        >>> loads_labels(LoadAnnotations), loads_labels(LoadImageFromFile)
        (True, False)
    """
    names = [base.__name__ for base in getattr(kind, '__mro__', ())]
    return any(name.startswith('Load') and ('Annotation' in name or 'BiomedicalData' in name) for name in names)


def packs(kind: Any) -> bool:
    """Whether transforms of a class make samples of what the others loaded."""
    return any(base.__name__.startswith('Pack') for base in getattr(kind, '__mro__', ()))


def is_foreign(kind: Any) -> bool:
    """Whether transforms of a class are of no package that is known here: they may do anything."""
    return str(getattr(kind, '__module__', '')).partition('.')[0] not in _PACKAGES


def steps_of(owner: Any) -> Iterator[Any]:
    """The built transforms of a pipeline, also those inside of others: RandomApply, RandomChoice, TestTimeAug."""
    if isinstance(owner, (list, tuple)):
        for step in owner:
            yield from steps_of(step)
    elif owner is not None:
        yield owner
        for key in ('transforms', 'subroutines'):
            yield from steps_of(getattr(owner, key, None))


def reads_labels(pipeline: Any) -> bool:
    """Whether a built pipeline needs labels: not where it loads none, as for the images of a test server.

    A pipeline without steps is one of somebody who looks at the samples before any.
    """
    kinds = [type(step) for step in steps_of(pipeline.transforms)]
    return not kinds or any(loads_labels(kind) or is_foreign(kind) for kind in kinds)
