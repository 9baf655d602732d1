"""What one visitor has before him: images, a question, and the answers that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..apis.inferencer import LMSegInferencer
from ..errors import DataError
from .session import Session, ask
from .uploads import Limits, check_upload

KEPT = 4
"""Of so many images the answers are kept: a few to go back and forth between, each of 10 to 100 MB."""

MOST_IMAGES = 50


@dataclass(frozen=True)
class Workspace:
    """Images and answers to one question about them."""

    images: tuple[Path, ...] = ()
    current: int = 0  # place of the image that is shown
    spaces: tuple[str, ...] = ()  # names of the label spaces asked for
    classes: str = ''  # the class list asked for besides
    answers: Mapping[Path, Session] = field(default_factory=dict)

    @property
    def shown(self) -> Session | None:
        """The answer about the image that is shown."""
        return self.answers.get(self.images[self.current]) if self.images else None

    def with_images(self, paths: Sequence[Path]) -> Workspace:
        """With more images, of which the first is shown; those that are there already come no second time.

        Raises:
            DataError: On too many.
        """
        images = tuple(dict.fromkeys([*self.images, *paths]))
        if len(images) > MOST_IMAGES:
            raise DataError(f'{len(images)} images are too many here ({MOST_IMAGES}); use mmlmseg predict on a folder')
        return replace(self, images=images, current=images.index(paths[0]) if paths else self.current)

    def showing(self, place: int) -> Workspace:
        """With another image shown.

        Raises:
            DataError: Where there is no such image.
        """
        if not 0 <= place < len(self.images):
            raise DataError(f'there is no image {place}; {len(self.images)} are there, counted from 0')
        return replace(self, current=place)

    def asking(self, spaces: Sequence[str], classes: str) -> Workspace:
        """With a question; answers to another one are dropped."""
        same = (tuple(spaces), classes) == (self.spaces, self.classes)
        return self if same else replace(self, spaces=tuple(spaces), classes=classes, answers={})

    def answered(self, inferencer: LMSegInferencer) -> Workspace:
        """With an answer about the image that is shown; the model runs if there is none.

        Raises:
            DataError: Where there is no image.
        """
        if not self.images:
            raise DataError('There is no image yet: upload one, or pick an example.')
        if self.shown is not None:
            return self
        path = self.images[self.current]
        answers = {**self.answers, path: ask(inferencer, path, self.spaces, self.classes)}
        return replace(self, answers=dict([*answers.items()][-KEPT:]))


def accepted(paths: Sequence[Path], folder: Path, limits: Limits) -> tuple[list[Path], list[str]]:
    """Of uploaded files those that are taken, and why the others are not, see :func:`check_upload`."""
    good, complaints = [], []
    for path in paths:
        try:
            check_upload(path, folder, limits)
            good.append(path)
        except DataError as error:
            complaints.append(str(error))
    return good, complaints
