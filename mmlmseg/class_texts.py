"""What a text encoder reads of a class: its name, its definition, or both; of one of its names, or of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from .errors import LabelSpaceError, OptionError, did_you_mean, written
from .label_space import LabelSpace
from .names import name_key

NAME = '{name}'
"""The place of a class in a template."""

Read = Literal['name', 'definition', 'both']
Text = str | tuple[str, ...]
"""What stands for a class: one text, or several whose embeddings are averaged."""


def readings(space: LabelSpace) -> list[tuple[str, ...]]:
    """The names by which each class of a space may be read: its main name first, then its synonyms.

    A synonym that two classes share, or that is the main name of another class, is left out: it would not tell them
    apart.

    Example:
        >>> readings(LabelSpace.create('s', ['wall', 'screen, panel'], synonyms={'wall': ['panel', 'brickwork']}))
        [('wall', 'brickwork'), ('screen',)]
    """
    groups = [(main, *synonyms) for main, synonyms in zip(space.names, space.synonyms, strict=True)]
    owners = Counter(key for group in groups for key in {name_key(name) for name in group})
    return [(main, *(name for name in others if owners[name_key(name)] == 1)) for main, *others in groups]


def defined(name: str, definition: str, read: Read) -> str:
    """One text of a name and a definition; without a definition, the name.

    Example:
        >>> defined('person', 'a human being, on foot', 'both'), defined('sky', '', 'definition')
        ('person: a human being, on foot', 'sky')
    """
    if not definition or read == 'name':
        return name
    return definition if read == 'definition' else f'{name}: {definition}'


@dataclass(frozen=True)
class Reading:
    """How class names become texts.

    Attributes:
        read: Whether the name is read, the definition, or ``name: definition``; of a class that has no definition, the
            name.
        average_synonyms: Whether a class stands for the mean of all its names, instead of its main one.
        templates: By label space, what its texts are put into, with ``{name}`` as their place.
    """

    read: Read = 'name'
    average_synonyms: bool = False
    templates: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.read not in get_args(Read):
            raise OptionError(f'text.read must be one of {", ".join(get_args(Read))}, got {self.read!r}')
        if not isinstance(self.average_synonyms, bool):
            raise OptionError(f'text.average_synonyms must be true or false, got {self.average_synonyms!r}')
        if not isinstance(self.templates, Mapping):
            raise OptionError(f'text.templates is {written(self.templates)}; write {{label space: template}}')
        for space, template in self.templates.items():
            if not isinstance(template, str) or NAME not in template:
                raise OptionError(
                    f'text.templates: the template {written(template)} of {space!r} has no place for the class name; '
                    f'write {NAME} into it'
                )

    @property
    def of_names_alone(self) -> bool:
        """Whether every text is a class name, as a text bank holds them."""
        return self.read == 'name' and not self.templates

    def choices(self, space: LabelSpace) -> list[tuple[str, ...]]:
        """The texts by which each class may be read, that of its main name first."""
        template = self.templates.get(space.name, NAME)
        return [
            tuple(dict.fromkeys(template.replace(NAME, defined(name, definition, self.read)) for name in names))
            for names, definition in zip(readings(space), space.definitions, strict=True)
        ]

    def texts(self, space: LabelSpace) -> tuple[Text, ...]:
        """What stands for each class.

        Raises:
            LabelSpaceError: Where it is the same for two classes.
        """
        groups = [own if self.average_synonyms else own[:1] for own in self.choices(space)]
        seen: dict[tuple[str, ...], str] = {}
        for name, own in zip(space.classes, groups, strict=True):
            if (first := seen.setdefault(own, name)) != name:
                raise LabelSpaceError(
                    f'label space {space.name!r}: {first!r} and {name!r} are both read as {own[0]!r}; give them other '
                    'definitions'
                )
        return tuple(own[0] if len(own) == 1 else own for own in groups)

    def vocabulary(self, spaces: Iterable[LabelSpace]) -> tuple[Text, ...]:
        """What stands for the classes of some spaces, each text once."""
        return tuple(dict.fromkeys(text for space in spaces for text in self.texts(space)))

    def check(self, spaces: Sequence[LabelSpace]) -> None:
        """Refuses templates of label spaces that there are not."""
        names = [space.name for space in spaces]
        for name in self.templates:
            if name not in names:
                raise LabelSpaceError(
                    f'text.templates name the label space {name!r}; there are {", ".join(names)}.'
                    f'{did_you_mean(name, names)}'
                )

    def check_use(self, spaces: Iterable[LabelSpace]) -> None:
        """Refuses what would change nothing, as no class has a definition, or a synonym."""
        spaces = list(spaces)
        if self.read != 'name' and not any(any(space.definitions) for space in spaces):
            raise LabelSpaceError(
                f'definitions shall be read (text.read={self.read!r}), but no class of the label spaces has one; give '
                'some, in classes.json as "definitions": {"person": "a human being"}, or leave text.read out'
            )
        if self.average_synonyms and not any(len(own) > 1 for space in spaces for own in readings(space)):
            raise LabelSpaceError(
                'synonyms shall be averaged, but no class of the label spaces has one; give a space some, as in '
                "dict(path='FOLDER', synonyms={'car': ['automobile']}), or leave average_synonyms out"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data, for checkpoints."""
        return {**vars(self), 'templates': dict(self.templates)}


NAMES = Reading()
