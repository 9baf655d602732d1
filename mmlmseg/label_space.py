"""Label spaces: what each dataset means by its label ids.

A :class:`LabelSpace` is one dataset's ordered classes; :class:`LabelSpaces` are all the spaces of one model, over a
shared vocabulary of distinct normalised class names.

A further attribute of classes, say ``part_of``, is a field of :class:`LabelSpace`, a parameter of
:meth:`LabelSpace.create` by which users give it, and a line where ``create`` makes the one of the other. With these,
``classes.json`` files, configs and checkpoints hold it too: they are read and written by those names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from .arguments import check_keys
from .class_list import is_list, read_classes, read_definitions, read_palette, read_synonyms, read_things
from .errors import LabelSpaceError, did_you_mean, errors_of, read_json
from .label_space_sources import completed, describe_categories, describe_file, describe_metainfo
from .names import check_name, default_space_name, normalise_name
from .palette import Colour, default_palette


@dataclass(frozen=True)
class LabelSpace:
    """What one dataset means by its label ids. Make it with one of the class methods, which validate."""

    name: str  # e.g. camvid11
    classes: tuple[str, ...]  # as the dataset writes them; the index is the label id
    synonyms: tuple[tuple[str, ...], ...]  # other normalised names of each class, without its main name
    is_thing: tuple[bool, ...]  # whether a class is countable; a mask, never an order
    palette: tuple[Colour, ...]  # an RGB colour of each class
    definitions: tuple[str, ...] = ()  # what each class is, in one line; empty where nothing is said

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.definitions:  # as in checkpoints from before there were any
            object.__setattr__(self, 'definitions', ('',) * len(self.classes))
        for key in ('synonyms', 'is_thing', 'palette', 'definitions'):
            if len(getattr(self, key)) != len(self.classes):
                raise LabelSpaceError(
                    f'label space {self.name!r}: {key} has {len(getattr(self, key))} entries for {len(self.classes)} '
                    'classes'
                )

    @classmethod
    def create(
        cls,
        name: str,
        classes: Sequence[str],
        synonyms: Mapping[str, Sequence[str]] | None = None,
        things: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        definitions: Mapping[str, str] | None = None,
    ) -> LabelSpace:
        """Builds and validates a label space.

        Args:
            name, classes: Of the space; the class names in the order of their label ids.
            synonyms: Other names by class name.
            things: The names of the countable classes; none by default.
            palette: One RGB colour per class; by default made from its name, see :func:`default_palette`.
            definitions: What a class is, in one line, by class name: ``{'person': 'a human being, on foot'}``.

        Raises:
            LabelSpaceError: Without classes, where two normalise alike, or where something is said of an unknown one.
        """
        with errors_of(f'label space {name!r}'):
            shown = read_classes(classes)
            countable = read_things(() if things is None else things, shown)
            return cls(
                name=name,
                classes=shown,
                synonyms=read_synonyms({} if synonyms is None else synonyms, shown),
                is_thing=tuple(c in countable for c in shown),
                palette=default_palette(shown) if palette is None else read_palette(palette, len(shown)),
                definitions=read_definitions({} if definitions is None else definitions, shown),
            )

    @classmethod
    def from_json(
        cls,
        path: str | Path,
        name: str | None = None,
        things: Sequence[str] | None = None,
        synonyms: Mapping[str, Sequence[str]] | None = None,
        definitions: Mapping[str, str] | None = None,
    ) -> LabelSpace:
        """Reads a ``classes.json`` (or the folder that holds one), or an annotation file of COCO's panoptic or instance
        format.

        The keys of a ``classes.json`` are the parameters of :meth:`create`; only ``classes`` is needed, and ``name`` is
        by default that of the folder. Of an annotation file, ``categories`` is read (see :meth:`from_categories`).

        Args:
            path, name, synonyms, definitions: The file or folder; what is given takes the place of the file's.
            things: The countable classes, where the file does not name them.

        Raises:
            LabelSpaceError: Where the file is missing, no JSON, or ill-formed, or names other things; it is named.
        """
        path = Path(path)
        path = path / 'classes.json' if path.is_dir() else path
        content = read_json(path, LabelSpaceError, 'a label space is read from a classes.json')
        with errors_of(path):
            known = tuple(signature(cls.create).parameters)
            described = {'name': path.resolve().parent.name, **describe_file(content, known)}
            return cls.create(
                **completed(described, name=name, things=things, synonyms=synonyms, definitions=definitions)
            )

    @classmethod
    def from_categories(
        cls, name: str, categories: Sequence[Mapping[str, Any]], all_things: bool = False
    ) -> LabelSpace:
        """Reads the ``categories`` of an annotation file in COCO's format; labels are places in this list.

        Args:
            name: Of the space.
            categories: As the file has them.
            all_things: Whether they are those of an instance file, in which a category is a thing unless it says
                otherwise; those of a panoptic file must say it.
        """
        return cls.create(name, **describe_categories(categories, all_things))

    @classmethod
    def from_metainfo(cls, name: str, metainfo: Mapping[str, Any], given: Collection[str] = ()) -> LabelSpace:
        """Reads the metainfo of an OpenMMLab dataset: ``classes`` and, where given, ``palette``, ``thing_classes``,
        ``synonyms`` and ``definitions``.

        Args:
            name: Of the space.
            metainfo: Of the dataset.
            given: The keys that a config gives, which must fit the classes; those that a class of datasets has of its
                own (METAINFO) may be of more classes than are left, and count as far as they fit.
        """
        return cls.create(name, **describe_metainfo(metainfo, given))

    @classmethod
    def from_dataset(
        cls,
        dataset: str,
        name: str | None = None,
        things: Sequence[str] | None = None,
        synonyms: Mapping[str, Sequence[str]] | None = None,
        definitions: Mapping[str, str] | None = None,
    ) -> LabelSpace:
        """Reads the METAINFO of a registered dataset class.

        Args:
            dataset: Its type.
            name: Of the space; by default :func:`default_space_name` of the type.
            things: The countable classes, where METAINFO does not name them.
            synonyms: Other names by class name.
            definitions: What a class is, by class name.

        Raises:
            LabelSpaceError: Where there is no such dataset, it declares no classes, or it has other things.
        """
        from mmseg.registry import DATASETS

        found = DATASETS.get(dataset)
        if found is None:
            raise LabelSpaceError(f'no dataset {dataset!r} is registered.{did_you_mean(dataset, DATASETS.module_dict)}')
        if not getattr(found, 'METAINFO', {}).get('classes'):
            raise LabelSpaceError(f'the dataset {dataset!r} declares no classes in METAINFO; list them in the config')
        with errors_of(dataset):
            described = {'name': default_space_name(dataset), **describe_metainfo(found.METAINFO)}
            return cls.create(
                **completed(described, name=name, things=things, synonyms=synonyms, definitions=definitions)
            )

    @classmethod
    def from_config(cls, spec: str | Path | Mapping[str, Any] | LabelSpace) -> LabelSpace:
        """Builds a space from what a config says.

        Args:
            spec: A path to a ``classes.json`` or its folder; the arguments of :meth:`from_json` (``path``),
                :meth:`from_dataset` (``dataset``) or :meth:`create`; what :meth:`to_dict` gave; or a space.

        Raises:
            LabelSpaceError: Where the description is none of these.
            OptionError: On an unknown key of it.
            OptionError: Where it has an unknown key.
        """
        if isinstance(spec, LabelSpace):
            return spec
        if isinstance(spec, (str, Path)):
            return cls.from_json(spec)
        if isinstance(spec, Mapping):
            if 'path' in spec:
                return _made(cls.from_json, spec)
            if 'dataset' in spec:
                return _made(cls.from_dataset, spec)
            if 'is_thing' in spec:
                return _made(cls, {key: _frozen(value) for key, value in spec.items()})
            if 'classes' in spec and 'name' in spec:
                return _made(cls.create, spec)
        raise LabelSpaceError(
            'a label space is the path of a classes.json, dict(path=...), dict(dataset=TYPE) or '
            f'dict(name=..., classes=[...]); got {spec!r}'
        )

    @property
    def num_classes(self) -> int:
        """How many classes the space has."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """The normalised main names, in the order of the ids: what is embedded."""
        return tuple(normalise_name(c)[0] for c in self.classes)

    @property
    def things(self) -> tuple[str, ...]:
        """The countable classes, as the dataset writes them."""
        return tuple(c for c, is_thing in zip(self.classes, self.is_thing, strict=True) if is_thing)

    def to_metainfo(self) -> dict[str, Any]:
        """The inverse of :meth:`from_metainfo`, with the mask ``is_thing``: plain Python, for OpenMMLab's datasets."""
        plain = self.to_dict()
        return {key: plain[key] for key in ('classes', 'palette', 'is_thing')} | {'thing_classes': list(self.things)}

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data, for checkpoints; :meth:`from_config` reads it."""
        return json.loads(json.dumps(asdict(self)))  # lists for tuples


def _made(make: Callable[..., LabelSpace], spec: Mapping[str, Any]) -> LabelSpace:
    """Calls what makes a space with what a config says."""
    parameters, what = signature(make).parameters, next(iter(spec))
    check_keys(spec, parameters, f'label space {spec.get("name", spec[what])!r}')
    if missing := [key for key, p in parameters.items() if p.default is p.empty and key not in spec]:
        raise LabelSpaceError(f'the label space {spec!r} lacks {", ".join(missing)}')
    return make(**spec)


def _frozen(value: Any) -> Any:
    """Tuples for lists, at every depth."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def joint_classes(spaces: Sequence[LabelSpace]) -> tuple[str, ...]:
    """The classes of some spaces, one space after the other: ``car``, or ``street:car`` where there are several."""
    one = len(spaces) == 1
    return tuple(c if one else f'{space.name}:{c}' for space in spaces for c in space.classes)


class LabelSpaces(Sequence[LabelSpace]):
    """The label spaces of one model, at least one, none of another's name.

    Their ``vocabulary`` are the normalised main names of all classes, each once.
    """

    def __init__(self, spaces: Sequence[LabelSpace]) -> None:
        if not spaces:
            raise LabelSpaceError('a model needs at least one label space')
        self._spaces = tuple(spaces)
        self.names = tuple(space.name for space in spaces)
        self.vocabulary: tuple[str, ...] = tuple(dict.fromkeys(name for space in spaces for name in space.names))
        if twice := sorted({n for n in self.names if self.names.count(n) > 1}):
            raise LabelSpaceError(f'two label spaces are named {", ".join(twice)}; give each its own name')

    @classmethod
    def from_config(cls, specs: Sequence[str | Path | Mapping[str, Any] | LabelSpace]) -> LabelSpaces:
        """Builds the spaces from a list of what :meth:`LabelSpace.from_config` takes."""
        if not is_list(specs) and not isinstance(specs, LabelSpaces):
            raise LabelSpaceError(f'label_spaces = {specs!r}: write a list, one entry a label space')
        return cls([LabelSpace.from_config(spec) for spec in specs])

    def __len__(self) -> int:
        return len(self._spaces)

    def __getitem__(self, index: Any) -> Any:
        return self._spaces[index]

    @property
    def max_classes(self) -> int:
        """K_max: the number of classes of the largest space."""
        return max(space.num_classes for space in self)

    def get(self, name: str) -> LabelSpace:
        """The space of a name; where there is none, a :class:`LabelSpaceError` names those there are."""
        if name not in self.names:
            known = f'this model knows {", ".join(self.names)}.{did_you_mean(name, self.names)}'
            raise LabelSpaceError(f'unknown label space {name!r}; {known}')
        return self._spaces[self.names.index(name)]

    def to_list(self) -> list[dict[str, Any]]:
        """Plain Python data, for checkpoints; :meth:`from_config` reads it."""
        return [space.to_dict() for space in self]
