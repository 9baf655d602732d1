"""What is kept of a sample that was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .findings import Fault
from .leaks import Look


@dataclass(frozen=True)
class Truth:
    """What the labels of an image hold in one label space.

    Attributes:
        pixels: How many pixels each class has, by label; classes without a pixel are left out.
        ignored: How many pixels count nowhere.
        objects: How many objects or segments an annotation file lists; None where labels are pixels.
        crowds: How many of them are crowds.
        background: Whether pixels of no class are background, as outside of objects.
        searched: The labels that somebody looked for; None where these are all.
    """

    pixels: Mapping[int, int]
    ignored: int
    objects: int | None = None
    crowds: int = 0
    background: bool = False
    searched: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """All pixels that were counted, at least 1."""
        return max(1, self.ignored + sum(self.pixels.values()))

    @property
    def ignore_share(self) -> float:
        """The share of the pixels that count nowhere."""
        return self.ignored / self.size


@dataclass(frozen=True)
class Sample:
    """The record of a sample.

    Attributes:
        image: Its file.
        labels: Its label maps, as far as it has any.
        size: (height, width) as loaded; None where it cannot be.
        truths: One a label space; None where it cannot be read, or there is none.
        faults: What is wrong with it.
        orientation: The EXIF orientation by which it was turned, 1 for upright.
        look: What the image is recognised by.
    """

    image: str
    labels: tuple[str, ...]
    size: tuple[int, int] | None
    truths: tuple[Truth | None, ...]
    faults: tuple[Fault, ...]
    orientation: int
    look: Look | None


@dataclass(frozen=True)
class Pixels:
    """An image, BGR [H, W, C], and its classes [H, W], one map a label space, as far as they can be loaded."""

    image: np.ndarray | None
    labels: tuple[np.ndarray | None, ...]
