"""Weights of classes in the classification loss: as a config lists them, or by how rare each class is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arguments import options_of
from .class_list import is_list
from .errors import OptionError, did_you_mean
from .label_space import LabelSpace, LabelSpaces

_FORMS = "a number a class, numbers by class name such as dict(car=5.0), or dict(by='frequency')"


@dataclass(frozen=True)
class ByFrequency:
    """Weights that grow as classes get rarer.

    With f the share of the training images that hold a class, as a query stands for a class or an object of an image
    and not for its pixels::

        weight = min((f_max / f) ** power, cap) / mean

    The mean is taken over the classes that images hold (each as often as it is held), so that all matched queries
    together keep their weight against no-object. With a power of 1 and no cap this is median frequency balancing (Eigen
    and Fergus, ICCV 2015) but for its constant factor and its unit, pixels; 0.5 is the usual milder form (Mahajan et
    al., ECCV 2018). A class that no image holds weighs 1.

    Args:
        by: ``'frequency'``.
        power: How much rareness counts, from 0 on.
        cap: How many times the weight of the commonest class any class has at most, from 1 on. As the mean is 1, it
            bounds the weights themselves as well.

    Raises:
        OptionError: Where one of them is out of its range.

    Example:
        >>> [round(weight, 3) for weight in ByFrequency('frequency', cap=3.0)([1.0, 0.25, 0.01])]
        [0.824, 1.647, 2.471]
    """

    by: str
    power: float = 0.5
    cap: float = 10.0

    def __post_init__(self) -> None:
        if self.by != 'frequency':
            raise OptionError(
                f"class weights by {self.by!r}: write by='frequency'.{did_you_mean(self.by, ['frequency'])}"
            )
        for key, value, least in ('power', self.power, 0), ('cap', self.cap, 1):
            if not _is_number(value) or value < least:
                raise OptionError(f'class weights by frequency: {key} = {value!r}; give a number from {least} on')

    def __call__(self, frequencies: Sequence[float]) -> list[float]:
        """The weight of each class, by the share of the images that hold it."""
        shares = np.asarray(frequencies, np.float64)
        held = shares > 0
        weights = np.ones_like(shares)
        if held.any():
            weights[held] = np.minimum((shares.max() / shares[held]) ** self.power, self.cap)
            weights[held] /= (shares[held] * weights[held]).sum() / shares.sum()
        return weights.tolist()


class ClassWeights:
    """What the classes of each label space weigh in the classification loss; 1 where nothing is said.

    Args:
        spec: By name of a label space, a number for each class, numbers by class name (the others weigh 1), or the
            arguments of :class:`ByFrequency`, ``dict(by='frequency', ...)``. The latter also stand for all spaces.
        spaces: The label spaces of the model.

    Raises:
        OptionError: On an unknown label space or class, and where weights are not one number for each class, finite and
            not negative.

    Examples:
        >>> street = LabelSpace.create('street', ['sky', 'car'])
        >>> ClassWeights(dict(street=dict(car=5.0)), LabelSpaces([street])).of('street')
        [1.0, 5.0]
    """

    def __init__(self, spec: Mapping[str, Any] | None, spaces: LabelSpaces) -> None:
        given = by_space({} if spec is None else spec, spaces.names)
        self._given = {name: _read(own, spaces.get(name)) for name, own in given.items()}

    def __bool__(self) -> bool:
        return bool(self._given)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The label spaces whose weights go by frequencies that :meth:`count` was not told yet."""
        return tuple(name for name, own in self._given.items() if isinstance(own, ByFrequency))

    def count(self, frequencies: Mapping[str, Sequence[float]]) -> None:
        """Fixes the weights that go by frequency.

        Args:
            frequencies: By label space, the share of the training images that hold each class.
        """
        for name, own in self._given.items():
            if isinstance(own, ByFrequency) and name in frequencies:
                self._given[name] = own(frequencies[name])

    def of(self, space: str) -> list[float] | None:
        """The weights of the classes of a label space; None where all weigh 1.

        Raises:
            OptionError: Where they go by frequencies that nobody has counted.
        """
        own = self._given.get(space)
        if isinstance(own, ByFrequency):
            raise OptionError(
                f'class_weights of {space!r} go by frequency, which nobody has counted: train with '
                "train_cfg=dict(type='mmlmseg.ResumableTrainLoop', ...), which counts, or add custom_hooks="
                "[dict(type='mmlmseg.ClassFrequencyHook')]; the label space has to be one of the training datasets'"
            )
        return own

    def of_columns(self, space: LabelSpace, columns: Sequence[int | None]) -> list[float]:
        """The weight of each column of the class logits, up to the last one that a class of a space is trained to.

        Args:
            space: The label space.
            columns: The column of each of its classes, None for a class that is not trained. Of several classes of one
                column the largest weight counts.
        """
        weights = self.of(space.name) or [1.0] * space.num_classes
        largest: dict[int, float] = {}
        for column, weight in zip(columns, weights, strict=True):
            if column is not None:
                largest[column] = max(weight, largest.get(column, 0.0))
        return [largest.get(column, 1.0) for column in range(1 + max(largest, default=0))]


def is_by_frequency(spec: Mapping[str, Any]) -> bool:
    """Whether weights go by frequency; a class, or a label space, may be called ``by``."""
    return isinstance(spec.get('by'), str)


def by_space(spec: Any, names: Iterable[str]) -> dict[str, Any]:
    """What ``class_weights`` says of each label space; an OptionError where it is of another form, or of unknown ones.

    Args:
        spec: As of :class:`ClassWeights`.
        names: Of the label spaces.
    """
    names = list(dict.fromkeys(names))
    if not isinstance(spec, Mapping):
        raise OptionError(f'class_weights = {spec!r}: write dict({names[0]}=...) with {_FORMS}')
    if is_by_frequency(spec):
        return dict.fromkeys(names, spec)
    for name in spec:
        if name not in names:
            raise OptionError(
                f'class_weights name the unknown label space {name!r}; known: {", ".join(names)}.'
                f'{did_you_mean(str(name), names)}'
            )
    return dict(spec)


def _read(own: Any, space: LabelSpace) -> list[float] | ByFrequency:
    where = f'class_weights of {space.name!r}'
    if isinstance(own, Mapping) and is_by_frequency(own):
        return options_of(ByFrequency, own, where)
    if isinstance(own, Mapping):
        for name in own:
            if name not in space.classes:
                raise OptionError(f'{where} name the unknown class {name!r}.{did_you_mean(str(name), space.classes)}')
        own = [own.get(name, 1.0) for name in space.classes]
    if not is_list(own):
        raise OptionError(f'{where} = {own!r}: write {_FORMS}')
    if len(own) != space.num_classes:
        raise OptionError(f'{where} are {len(own)} numbers for {space.num_classes} classes; give one a class')
    for name, weight in zip(space.classes, own, strict=True):
        if not _is_number(weight) or weight < 0:
            raise OptionError(f'{where}: {name!r} weighs {weight!r}; a weight is a finite number, not negative')
    return [float(weight) for weight in own]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
