"""Label spaces: what each dataset means by its label ids.

A :class:`LabelSpace` is one dataset's ordered classes; :class:`LabelSpaces` are all the spaces of one model, over a
shared vocabulary of distinct normalised class names.

A further attribute of classes, say ``part_of``, is a field of :class:`LabelSpace`, a parameter of
:meth:`LabelSpace.create` by which users give it, and a line where ``create`` makes the one of the other. With these,
``classes.json`` files, configs and checkpoints hold it too: they are read and written by those names.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from .arguments import check_keys, keys_of
from .errors import LabelSpaceError, did_you_mean, errors_of, read_json
from .names import default_space_name, name_key, normalise_name
from .palette import Colour, default_palette

Names = TypeVar('Names', bound=Collection[str])


@dataclass(frozen=True)
class LabelSpace:
    """What one dataset means by its label ids. Make it with one of the class methods, which validate."""

    name: str  # e.g. camvid11
    classes: tuple[str, ...]  # as the dataset writes them; the index is the label id
    synonyms: tuple[tuple[str, ...], ...]  # other normalised names of each class, without its main name
    is_thing: tuple[bool, ...]  # whether a class is countable; a mask, never an order
    palette: tuple[Colour, ...]  # an RGB colour of each class

    @classmethod
    def create(
        cls,
        name: str,
        classes: Sequence[str],
        synonyms: Mapping[str, Sequence[str]] | None = None,
        things: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
    ) -> LabelSpace:
        """Builds and validates a label space.

        Args:
            name, classes: Of the space; the class names in the order of their label ids.
            synonyms: Other names by class name.
            things: The names of the countable classes; none by default.
            palette: One RGB colour per class; by default made from its name, see :func:`default_palette`.

        Raises:
            LabelSpaceError: Without classes, where two normalise alike, or where something is said of an unknown one.
        """
        if not name:
            raise LabelSpaceError('a label space needs a name')
        with errors_of(f'label space {name!r}'):
            shown = _distinct(classes)
            if palette is not None and len(palette) != len(shown):
                raise LabelSpaceError(f'{len(palette)} colours for {len(shown)} classes')
            more, countable = _known('synonyms', synonyms or {}, shown), _known('things', things or (), shown)
            return cls(
                name=name,
                classes=shown,
                synonyms=tuple(_other_names(c, more.get(c, ())) for c in shown),
                is_thing=tuple(c in countable for c in shown),
                palette=default_palette(shown) if palette is None else tuple((r, g, b) for r, g, b in palette),
            )

    @classmethod
    def from_json(
        cls,
        path: str | Path,
        name: str | None = None,
        things: Sequence[str] | None = None,
        synonyms: Mapping[str, Sequence[str]] | None = None,
    ) -> LabelSpace:
        """Reads a ``classes.json`` (or the folder that holds one), or an annotation file of COCO's panoptic format.

        The keys of a ``classes.json`` are the parameters of :meth:`create`; only ``classes`` is needed, and ``name`` is
        by default that of the folder. Of an annotation file, ``categories`` is read (see :meth:`from_categories`).

        Args:
            path, name, synonyms: The file or folder; what is given takes the place of the file's.
            things: The countable classes, where the file does not name them.

        Raises:
            LabelSpaceError: Where the file is missing, no JSON, or ill-formed, or names other things; it is named.
        """
        path = Path(path)
        path = path / 'classes.json' if path.is_dir() else path
        content = read_json(path, LabelSpaceError, 'a label space is read from a classes.json')
        content = content if isinstance(content, dict) else {}
        with errors_of(path):
            if isinstance(content.get('categories'), list):
                content.update(_describe_categories(content['categories']))
            if not isinstance(content.get('classes'), list):
                raise LabelSpaceError('needs the key "classes" with a list of class names')
            described = {key: content[key] for key in signature(cls.create).parameters if key in content}
            own = described.get('things')
            if things is not None and own and set(things) != set(own):
                raise LabelSpaceError(
                    f'its things are {", ".join(own)}, but the config says {", ".join(things) or "none"}; leave them '
                    'out of the config, or correct the file'
                )
            name = name or content.get('name') or path.resolve().parent.name
            given = dict(name=name, things=things, synonyms=synonyms)
            return cls.create(**described | {key: value for key, value in given.items() if value})

    @classmethod
    def from_categories(cls, name: str, categories: Sequence[Mapping[str, Any]]) -> LabelSpace:
        """Reads the ``categories`` of a panoptic annotation file in COCO's format; labels are places in this list."""
        return cls.create(name, **_describe_categories(categories))

    @classmethod
    def from_metainfo(cls, name: str, metainfo: Mapping[str, Any]) -> LabelSpace:
        """Reads the metainfo of an OpenMMLab dataset: ``classes`` and, where given, ``palette``, ``thing_classes``."""
        classes, palette = metainfo['classes'], metainfo.get('palette')
        things = [c for c in metainfo.get('thing_classes', ()) if c in classes]
        fitting = palette if palette is not None and len(palette) == len(classes) else None
        return cls.create(name, classes, things=things, palette=fitting)

    @classmethod
    def from_dataset(cls, dataset: str, name: str | None = None) -> LabelSpace:
        """Reads the METAINFO of a registered dataset class; the name is by default :func:`default_space_name` of it."""
        from mmseg.registry import DATASETS

        found = DATASETS.get(dataset)
        if found is None:
            raise LabelSpaceError(f'no dataset {dataset!r} is registered.{did_you_mean(dataset, DATASETS.module_dict)}')
        if 'classes' not in getattr(found, 'METAINFO', {}):
            raise LabelSpaceError(f'the dataset {dataset!r} declares no classes in METAINFO; list them in the config')
        return cls.from_metainfo(name or default_space_name(dataset), found.METAINFO)

    @classmethod
    def from_config(cls, spec: str | Path | Mapping[str, Any] | LabelSpace) -> LabelSpace:
        """Builds a space from what a config says.

        Args:
            spec: A path to a ``classes.json`` or its folder; the arguments of :meth:`from_json` (``path``),
                :meth:`from_dataset` (``dataset``) or :meth:`create`; what :meth:`to_dict` gave; or a space.

        Raises:
            LabelSpaceError: Where the description is none of these.
            OptionError: Where it has an unknown key.
        """
        if isinstance(spec, LabelSpace):
            return spec
        if isinstance(spec, (str, Path)):
            return cls.from_json(spec)
        for key, make in ('path', cls.from_json), ('dataset', cls.from_dataset), ('classes', cls.create):
            if key in spec and 'is_thing' not in spec:
                check_keys(spec, keys_of(make) or (), f'label space {spec.get("name", spec[key])!r}')
                break
        if 'path' in spec:
            return cls.from_json(**spec)
        if 'dataset' in spec:
            return cls.from_dataset(**spec)
        if 'is_thing' in spec:
            return cls(**{key: _frozen(value) for key, value in spec.items()})
        if 'classes' in spec and 'name' in spec:
            return cls.create(**spec)
        raise LabelSpaceError(
            'a label space is the path of a classes.json, dict(path=...), dict(dataset=TYPE) or '
            f'dict(name=..., classes=[...]); got {spec}'
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


def _distinct(classes: Sequence[str]) -> tuple[str, ...]:
    """Class names without spaces around them, no two of which mean the same."""
    if isinstance(classes, str):
        raise LabelSpaceError(f'classes must be a list of names, got the string {classes!r}')
    shown = tuple(str(c).strip() for c in classes)
    if not shown:
        raise LabelSpaceError('has no classes; list at least one name')
    seen: dict[str, str] = {}
    for c in shown:
        if (key := name_key(c)) in seen:
            raise LabelSpaceError(f'the classes {seen[key]!r} and {c!r} both mean {key!r}; rename one')
        seen[key] = c
    return shown


def _known(what: str, given: Names, classes: Sequence[str]) -> Names:
    """What is given by class names, all of which must be there."""
    for c in given:
        if c not in classes:
            raise LabelSpaceError(f'{what} name the unknown class {c!r}.{did_you_mean(c, classes)}')
    return given


def _other_names(name: str, synonyms: Sequence[str]) -> tuple[str, ...]:
    """The normalised synonyms of a class, those in its name first, each once and none its main name."""
    return tuple(dict.fromkeys(n for given in (name, *synonyms) for n in normalise_name(given)))[1:]


def _frozen(value: Any) -> Any:
    """Tuples for lists, at every depth."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _describe_categories(categories: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The arguments of :meth:`LabelSpace.create` that COCO's categories stand for."""
    for category in categories:
        if not isinstance(category, Mapping) or not {'id', 'name', 'isthing'} <= category.keys():
            raise LabelSpaceError(f'the category {category} needs "id", "name" and "isthing"; is this a panoptic file?')
    names = [str(category['name']).strip() for category in categories]
    return dict(
        classes=names,
        things=[name for name, category in zip(names, categories, strict=True) if category['isthing']],
        palette=[c['color'] for c in categories] if all('color' in c for c in categories) else None,
    )


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
        if isinstance(specs, (str, Path, Mapping)):
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
