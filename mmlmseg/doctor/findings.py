"""What can be found in datasets: kinds of findings, how bad each is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

SEVERITIES = ('error', 'warning', 'note')
"""An error stops a training or spoils its scores; a warning may; a note is good to know."""


class Kind(NamedTuple):
    """A kind of findings."""

    severity: str
    title: str
    advice: str


KINDS: dict[str, Kind] = {
    'dataset': Kind('error', 'dataset cannot be built', 'correct what the message names; nothing else of it was read'),
    'missing-file': Kind('error', 'missing files', 'restore them, or take the samples off the list'),
    'annotation': Kind('error', 'unusable annotations', 'correct or delete them in the file; a training stops there'),
    'class-list': Kind(
        'error',
        'lists of classes that contradict the annotations',
        'correct them in the file: what is annotated is not absent; a training stops there',
    ),
    'image': Kind('error', 'unreadable images', 'replace the files, or take them off the list'),
    'cut-off': Kind('error', 'truncated images', 'copy or download them again'),
    'pictures': Kind('error', 'several pictures in a file', 'save one picture a file'),
    'image-depth': Kind(
        'error',
        'more bits than are kept',
        "declare image=dict(bands=..., scale=...) of the dataset, or load them with color_type='unchanged'",
    ),
    'image-format': Kind(
        'error',
        'images that are not as declared',
        'correct image=dict(bands=..., scale=..., nodata=...) of the dataset, or the files',
    ),
    'labels': Kind('error', 'unreadable labels', 'replace the files, or take the samples off the list'),
    'label-file': Kind('error', 'label files that cannot hold the ids', 'save PNG files of ids'),
    'label-colours': Kind('error', 'colours in place of ids', 'save one class id a pixel (mode L or P)'),
    'size': Kind(
        'error',
        'image and labels differ in size',
        'export both at one size; a photo that is turned by its EXIF orientation needs labels of the turned picture',
    ),
    'ids': Kind('error', 'ids outside of the label space', 'correct the label maps, or the class list'),
    'segments': Kind('error', 'segments and labels contradict each other', 'export both anew, from one source'),
    'binary-mask': Kind(
        'error',
        'masks of 0 and 255 only',
        '255 is "not annotated"; where it is meant to be a class, save its id (1 for the second class)',
    ),
    'leak': Kind(
        'error', 'one image in training and in evaluation', 'take it off one of the lists; scores are too good'
    ),
    'label-space': Kind(
        'error',
        'one name of several label spaces',
        'give one of them another name: "name" in classes.json, or metainfo=dict(label_space=...)',
    ),
    'leak-between': Kind(
        'warning',
        'one image trained in a dataset and evaluated in another',
        'take it off one of the lists where scores of unseen images are wanted',
    ),
    'class-without-pixel': Kind(
        'warning', 'classes without a pixel', 'it is never learned: correct the ids, or take it off the class list'
    ),
    'not-annotated': Kind(
        'warning', 'images in which nothing is annotated', 'annotate them, or take them off the list'
    ),
    'ignored': Kind(
        'warning', 'most pixels are not annotated', 'see whether 255 is meant; where it is a class, save its id'
    ),
    'beyond-scale': Kind(
        'warning',
        'values that do not go with the declared scale',
        'what is beyond it becomes 0 or 255: correct scale of image=dict(...), or declare percentiles',
    ),
    'constant-band': Kind(
        'warning', 'bands of one value', 'nothing is seen in them: see whether the files are complete, or leave it out'
    ),
    'turned': Kind(
        'warning',
        'photos turned by their EXIF orientation',
        'labels must be of the picture as viewers show it; those of the picture as stored need '
        "color_type='color_ignore_orientation'",
    ),
    'annotation-id': Kind(
        'warning', 'ids of annotations that other tools stumble over', 'number the annotations from 1, each once'
    ),
    'empty-object': Kind('warning', 'objects without a pixel', 'delete or redraw them: nothing is trained of them'),
    'object-twice': Kind(
        'warning', 'objects that lie on each other', 'keep one: the other is never seen, or counts as missed'
    ),
    'box': Kind(
        'warning',
        'boxes beside their polygons',
        'export both anew: some tools scale the polygons of photos that are turned by EXIF by the wrong sides',
    ),
    'no-things': Kind(
        'warning',
        'several segments of a class that is no thing',
        'they become one segment; say "isthing": 1 in the file, or metainfo=dict(thing_classes=[...])',
    ),
    'crowds': Kind(
        'warning',
        'crowd flags that look wrong',
        'crowds are neither trained nor scored; set "iscrowd": 0 where an object is one object',
    ),
    'two-meanings': Kind('warning', 'names that mean two things', 'rename a class, or take the synonym away'),
    'contradicting-labels': Kind(
        'warning', 'one image twice, with other labels', 'keep the better one: a model cannot learn both'
    ),
    'duplicate': Kind('note', 'one image several times', 'keep one, unless it shall count more'),
    'shared-image': Kind('note', 'one image in several datasets', 'good to know when their scores are compared'),
    'class-not-here': Kind(
        'note', 'classes without a pixel in this split', 'nothing is learned of them, or scored of them, here'
    ),
    'tiny-class': Kind(
        'note', 'tiny classes', 'scores of them are noise; consider repeat factors or weights of classes'
    ),
    'huge-class': Kind('note', 'huge classes', 'accuracy says little here; look at the IoU of the others'),
    'no-objects': Kind('note', 'images without an object', 'they are trained as background; see whether that is meant'),
    'no-data': Kind(
        'note', 'images that are mostly without data', 'their labels count nowhere there; see if it is meant'
    ),
    'no-labels': Kind('note', 'a split without labels', 'its images can be predicted, not scored'),
    'no-val': Kind('note', 'no split to validate on', 'write val.txt before a training, which scores on it'),
    'unlisted': Kind('note', 'images on no list', 'put them on a list, if they shall count'),
}


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, 'image'), counted(2, 'class', 'classes')
        ('1 image', '2 classes')
    """
    return f'{number} {one if number == 1 else several or f"{one}s"}'


class Fault(NamedTuple):
    """What is wrong with one sample: the code of a kind, what is seen, and the file, if it is not that of the image."""

    code: str
    message: str
    file: str | None = None


@dataclass(frozen=True)
class Case:
    """One place where something was found.

    Attributes:
        what: What is seen there.
        files: The files that it is about.
        places: Of pictures: the source and the sample in it, by number.
    """

    what: str
    files: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Finding:
    """All cases of one kind in one dataset, or between two.

    Attributes:
        code: The kind, a key of :data:`KINDS`.
        dataset: Where: the label of one source, or of two.
        what: What was found, a sentence with numbers.
        cases: Where exactly, the worst first.
        severity: By default that of the kind.
    """

    code: str
    dataset: str
    what: str
    cases: tuple[Case, ...] = ()
    severity: str = ''

    def __post_init__(self) -> None:
        object.__setattr__(self, 'severity', self.severity or KINDS[self.code].severity)

    @property
    def title(self) -> str:
        """The kind in words."""
        return KINDS[self.code].title

    @property
    def advice(self) -> str:
        """What to do."""
        return KINDS[self.code].advice


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Errors before warnings before notes; within these as they came."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def at_least(findings: Iterable[Finding], severity: str) -> list[Finding]:
    """The findings that are as bad as a severity, or worse."""
    return [one for one in findings if SEVERITIES.index(one.severity) <= SEVERITIES.index(severity)]
