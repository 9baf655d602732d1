"""Which label spaces a sample asks for, and whether its dataset means the same by them as the model."""

from __future__ import annotations

from typing import Any

from ...checkpoint import difference
from ...errors import LabelSpaceError
from ...label_space import LabelSpace, LabelSpaces

AskedSpace = str | LabelSpace
"""The name of one of the model's label spaces, or a space made of a free class list."""


class AsksSpaces:
    """What a head knows of the questions in the metainfo of samples.

    Attributes:
        label_spaces: Those of the model.
    """

    label_spaces: LabelSpaces

    def space_of(self, asked: AskedSpace) -> LabelSpace:
        """The label space of a name; a space of the user's own is itself.

        Raises:
            LabelSpaceError: On an unknown name.
        """
        return self.label_spaces.get(asked) if isinstance(asked, str) else asked

    def check_things(self, meta: dict[str, Any]) -> None:
        """Makes sure that the dataset of a sample has the things of this model.

        Raises:
            LabelSpaceError: Where it has others.
        """
        space = self.space_of(self.asked_space(meta))
        theirs = tuple(meta.get('is_thing', space.is_thing))
        if theirs != space.is_thing:
            named = ', '.join(name for name, thing in zip(space.classes, theirs, strict=True) if thing) or 'none'
            raise LabelSpaceError(
                f'label space {space.name!r}: the things of its dataset are {named}; those of the model '
                f'{", ".join(space.things) or "none"}; name the same in both, as in dict(path=..., things=[...]) of '
                'label_spaces'
            )

    def asked_spaces(self, meta: dict[str, Any]) -> list[AskedSpace]:
        """All label spaces that a sample asks for: the list ``label_spaces`` of its metainfo, else one.

        Raises:
            LabelSpaceError: As :meth:`asked_space` and, where a dataset asks for several, :meth:`check_things`.
        """
        if 'label_spaces' not in meta:
            return [self.asked_space(meta)]
        asked = list(meta['label_spaces'])
        told = [key for key in ('classes', 'is_thing') if key in meta]  # by a dataset, of each space
        for space, *of_space in zip(asked, *(meta[key] for key in told), strict=True):
            self.check_things({**meta, 'label_space': space, **dict(zip(told, of_space))})
        return asked

    def asked_space(self, meta: dict[str, Any]) -> AskedSpace:
        """The label space that a sample's metainfo names; a model of one space needs no name.

        Raises:
            LabelSpaceError: Where there are several spaces and the sample names none, its dataset means other classes
                by the name than this model, or a class list of the user's own has the name of a space of this model,
                but is no renaming of its classes.
        """
        if 'label_space' in meta:
            asked = meta['label_space']
            if not isinstance(asked, str) and asked.name in self.label_spaces.names:
                own = self.label_spaces.get(asked.name)
                if asked.num_classes != own.num_classes:  # else its classes by other names, with its queries
                    raise LabelSpaceError(
                        f'{asked.name!r} is a label space of this model with {own.num_classes} classes, but the list '
                        f'that is asked for has {asked.num_classes}; give the list another name'
                    )
            if isinstance(asked, str) and 'classes' in meta:
                what = difference(meta['classes'], self.label_spaces.get(asked).classes)
                if what:
                    raise LabelSpaceError(
                        f'{meta.get("img_path", "a sample")}: by label space {asked!r} its dataset means other classes '
                        f'than the model ({what}); build both from the same classes.json or dataset type'
                    )
            return asked
        if len(self.label_spaces) == 1:
            return self.label_spaces.names[0]
        raise LabelSpaceError(
            f'{meta.get("img_path", "a sample")} does not say its label space; set metainfo["label_space"] to one of '
            f'{", ".join(self.label_spaces.names)} (mmlmseg.MultiDataset does)'
        )
