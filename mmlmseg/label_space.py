"""Label spaces: what each dataset means by its label ids.

A :class:`LabelSpace` is one dataset's ordered classes; :class:`LabelSpaces` are all the spaces of one model, over a
shared vocabulary of distinct normalised class names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import LabelSpaceError, did_you_mean, errors_of
from .names import default_space_name, name_key, normalise_name
from .palette import Colour, default_palette


@dataclass(frozen=True)
class LabelSpace:
    """What one dataset means by its label ids. Make it with one of the class methods, which validate.

    Attributes:
        name: The name of the space, e.g. ``camvid11``.
        classes: Class names as the dataset writes them; the index is the label id.
        synonyms: Other normalised names of each class, without its main name.
        is_thing: Whether a class is countable; a mask, never an order.
        palette: One RGB colour per class.
    """

    name: str
    classes: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    is_thing: tuple[bool, ...]
    palette: tuple[Colour, ...]

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
            name: The name of the space.
            classes: Class names in the order of their label ids.
            synonyms: Other names by class name.
            things: The names of the countable classes; none by default.
            palette: One RGB colour per class; by default made from its name, see :func:`default_palette`.

        Raises:
            LabelSpaceError: On an empty list, two classes that normalise alike, a wrong palette length, or synonyms or
                things of an unknown class.
        """
        if isinstance(classes, str):
            raise LabelSpaceError(f'label space {name!r}: classes must be a list of names, got the string {classes!r}')
        if not name:
            raise LabelSpaceError('a label space needs a name')
        shown = tuple(str(c).strip() for c in classes)
        if not shown:
            raise LabelSpaceError(f'label space {name!r} has no classes; list at least one name')
        normalised = [normalise_name(c) for c in shown]
        seen: dict[str, str] = {}
        for original in shown:
            key = name_key(original)
            if key in seen:
                raise LabelSpaceError(
                    f'label space {name!r}: the classes {seen[key]!r} and {original!r} both mean {key!r}; rename one'
                )
            seen[key] = original
        for what, given in (('synonyms', synonyms), ('things', things)):
            for c in given or ():
                if c not in shown:
                    raise LabelSpaceError(
                        f'label space {name!r}: {what} name the unknown class {c!r}.{did_you_mean(c, shown)}'
                    )
        if palette is not None and len(palette) != len(shown):
            raise LabelSpaceError(f'label space {name!r}: {len(palette)} colours for {len(shown)} classes')
        more = {c: [n for s in names for n in normalise_name(s)] for c, names in (synonyms or {}).items()}
        return cls(
            name=name,
            classes=shown,
            synonyms=tuple(
                tuple(dict.fromkeys(n for n in (*own, *more.get(c, ())) if n != main))
                for c, (main, *own) in zip(shown, normalised)
            ),
            is_thing=tuple(c in (things or ()) for c in shown),
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

        The keys of a ``classes.json``: ``classes``; optional ``name`` (default: the folder's name), ``synonyms``,
        ``things``, ``palette``. Of an annotation file, ``categories`` is read (see :meth:`from_categories`).

        Args:
            path: The file or folder.
            name: The name of the space, in place of the file's.
            things: The countable classes, where the file does not name them.
            synonyms: Other names by class name, in place of the file's.

        Raises:
            LabelSpaceError: Where the file is missing, no JSON, or ill-formed, or names other things; it is named.
        """
        path = Path(path)
        path = path / 'classes.json' if path.is_dir() else path
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
        except FileNotFoundError:
            raise LabelSpaceError(f'{path}: no such file; a label space is read from a classes.json') from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise LabelSpaceError(f'{path}: not valid JSON ({error})') from None
        content = content if isinstance(content, dict) else {}
        with errors_of(path):
            if isinstance(content.get('categories'), list):
                described = _describe_categories(content['categories'])
            elif isinstance(content.get('classes'), list):
                described = {key: content.get(key) for key in ('classes', 'synonyms', 'things', 'palette')}
            else:
                raise LabelSpaceError('needs the key "classes" with a list of class names')
            if things is not None and set(things) != set(described['things'] or things):
                raise LabelSpaceError(
                    f'its things are {", ".join(described["things"])}, but the config says '
                    f'{", ".join(things) or "none"}; leave them out of the config, or correct the file'
                )
            described['things'] = things or described['things']
            described['synonyms'] = synonyms or described.get('synonyms')
            return cls.create(name or content.get('name') or path.resolve().parent.name, **described)

    @classmethod
    def from_categories(cls, name: str, categories: Sequence[Mapping[str, Any]]) -> LabelSpace:
        """Reads the ``categories`` of a panoptic annotation file in COCO's format; labels are places in this list.

        Args:
            name: The name of the space.
            categories: Each with ``id``, ``name`` and ``isthing``; ``color`` where all have one.

        Raises:
            LabelSpaceError: Where a category lacks one of these, or the classes are unusable.
        """
        return cls.create(name, **_describe_categories(categories))

    @classmethod
    def from_metainfo(cls, name: str, metainfo: Mapping[str, Any]) -> LabelSpace:
        """Reads the metainfo of an OpenMMLab dataset: ``classes`` and, where given, ``palette``, ``thing_classes``."""
        palette = metainfo.get('palette')
        classes = metainfo['classes']
        things = [c for c in metainfo.get('thing_classes', ()) if c in classes]
        fitting = palette if palette is not None and len(palette) == len(classes) else None
        return cls.create(name, classes, things=things, palette=fitting)

    @classmethod
    def from_dataset(cls, dataset: str, name: str | None = None) -> LabelSpace:
        """Reads the METAINFO of a registered dataset class.

        Args:
            dataset: A type as configs write it, e.g. ``CityscapesDataset`` (mmseg) or ``mmlmseg.X``.
            name: The name of the space; by default :func:`default_space_name` of the type.

        Raises:
            LabelSpaceError: Where no such dataset is registered or it declares no classes.
        """
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
            spec: A path to a ``classes.json`` or its folder; ``dict(path=..., things=[...], ...)`` with the
                arguments of :meth:`from_json`; ``dict(dataset='CityscapesDataset', name=...)``;
                ``dict(name=..., classes=[...], ...)`` with the arguments of :meth:`create`; what :meth:`to_dict` gave;
                or a space.

        Raises:
            LabelSpaceError: Where the description is none of these.
        """
        if isinstance(spec, LabelSpace):
            return spec
        if isinstance(spec, (str, Path)):
            return cls.from_json(spec)
        if 'path' in spec:
            return cls.from_json(**spec)
        if 'dataset' in spec:
            return cls.from_dataset(**spec)
        if 'is_thing' in spec:
            return cls.from_dict(spec)
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
        return dict(
            classes=list(self.classes),
            palette=[list(colour) for colour in self.palette],
            is_thing=list(self.is_thing),
            thing_classes=list(self.things),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain Python data, for checkpoints; :meth:`from_dict` reads it."""
        return json.loads(json.dumps(asdict(self)))  # lists for tuples

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LabelSpace:
        """The inverse of :meth:`to_dict`."""
        return cls(
            name=data['name'],
            classes=tuple(data['classes']),
            synonyms=tuple(tuple(s) for s in data['synonyms']),
            is_thing=tuple(data['is_thing']),
            palette=tuple((r, g, b) for r, g, b in data['palette']),
        )


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


class LabelSpaces(Sequence[LabelSpace]):
    """The label spaces of one model, over one vocabulary.

    Args:
        spaces: The spaces, at least one, of different names.

    Raises:
        LabelSpaceError: Where there is none, or two have one name.
    """

    def __init__(self, spaces: Sequence[LabelSpace]) -> None:
        if not spaces:
            raise LabelSpaceError('a model needs at least one label space')
        self._spaces = {space.name: space for space in spaces}
        if len(self._spaces) < len(spaces):
            names = [space.name for space in spaces]
            twice = sorted({n for n in names if names.count(n) > 1})
            raise LabelSpaceError(f'two label spaces are named {", ".join(twice)}; give each its own name')
        self.vocabulary: tuple[str, ...] = tuple(dict.fromkeys(name for space in spaces for name in space.names))

    @classmethod
    def from_config(cls, specs: Sequence[str | Path | Mapping[str, Any] | LabelSpace]) -> LabelSpaces:
        """Builds the spaces from a list of what :meth:`LabelSpace.from_config` takes."""
        return cls([LabelSpace.from_config(spec) for spec in specs])

    def __len__(self) -> int:
        return len(self._spaces)

    def __iter__(self) -> Iterator[LabelSpace]:
        return iter(self._spaces.values())

    def __getitem__(self, index: Any) -> Any:
        return list(self._spaces.values())[index]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the spaces."""
        return tuple(self._spaces)

    @property
    def max_classes(self) -> int:
        """K_max: the number of classes of the largest space."""
        return max(space.num_classes for space in self)

    def get(self, name: str) -> LabelSpace:
        """The space of a name.

        Raises:
            LabelSpaceError: Where there is none of this name; the known ones are named.
        """
        if name not in self._spaces:
            raise LabelSpaceError(
                f'unknown label space {name!r}; this model knows {", ".join(self.names)}.'
                f'{did_you_mean(name, self.names)}'
            )
        return self._spaces[name]

    def to_list(self) -> list[dict[str, Any]]:
        """Plain Python data, for checkpoints; :meth:`from_list` reads it."""
        return [space.to_dict() for space in self]

    @classmethod
    def from_list(cls, data: Sequence[Mapping[str, Any]]) -> LabelSpaces:
        """The inverse of :meth:`to_list`."""
        return cls([LabelSpace.from_dict(space) for space in data])
