"""What a config leaves to its data or to a checkpoint, written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from ..checkpoint import label_spaces_of
from ..checkpoint_files import is_remote, read_checkpoint
from ..errors import LabelSpaceError
from ..label_space import LabelSpace, LabelSpaces
from ..relations import Relations
from .parts import all_innermost, innermost, kind_of, space_name_of
from .spaces import leave_spaces, training_spaces


def complete_label_spaces(cfg: Config, checkpoint: str | Path | Mapping[str, Any] | None = None) -> None:
    """Writes down which label spaces a model has, where its config leaves that to its data: those of the training.

    Likewise the numbers of bands of their images, see :func:`mmlmseg.band_counts.complete_bands`.

    A model that was trained knows them: where a checkpoint is given, it tells, and no dataset needs to be here. Of what
    a config lists explicitly those stay that the checkpoint knows, as long as they can be read.

    Args:
        cfg: ``model.decode_head.label_spaces`` is set, relations are written out, and so is ``metainfo`` of folders
            whose label space is not named like them, so that a dump of the config serves where they are away; changed
            in place.
        checkpoint: What will be loaded to test or predict, a file or the state dict read from it; one named by address
            is not looked into.

    Raises:
        CheckpointError: Where the checkpoint cannot be read, or holds no label spaces.
        DataError: Where a dataset cannot be read.
        LabelSpaceError: Where a label space cannot be read, one name stands for different classes, or nothing tells.
    """
    from ..band_counts import complete_bands  # reads configs by the functions beside this one

    _name_folders(cfg)
    complete_bands(cfg)
    head = cfg.model.get('decode_head')
    if head is None:
        return
    for place in (head, cfg.model.get('test_cfg', {}).get('mixed', {})):
        if isinstance(place.get('relations'), (str, Path)):
            place['relations'] = Relations.from_config(place['relations']).to_dict()
    trained = _trained_spaces(checkpoint)
    if trained is not None:
        leave_spaces(cfg.model, trained.names)
    if 'label_spaces' in head:
        try:
            listed = LabelSpaces.from_config(head.label_spaces)
            if trained is not None and set(trained.names) < set(listed.names):  # of a training with --datasets
                head.label_spaces = [listed.get(name).to_dict() for name in trained.names]
            return
        except LabelSpaceError:
            if trained is None:
                raise
    if trained is not None:
        spaces: Sequence[LabelSpace] = trained
    elif cfg.get('train_dataloader'):
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
            spaces = training_spaces(cfg.train_dataloader.dataset)
    else:
        raise LabelSpaceError(f'{cfg.filename}: has no train_dataloader to tell model.decode_head.label_spaces')
    head.label_spaces = [space.to_dict() for space in spaces]


def _name_folders(cfg: Config) -> None:
    for split in ('train', 'val', 'test'):
        dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        parts = innermost(dataset).get('datasets') or [dataset]
        for part in (one for own in parts for one in all_innermost(own)):
            for folder in part.get('folders') or ([part] if kind_of(part) == 'FolderDataset' else []):
                name = space_name_of({'type': 'FolderDataset', **folder})
                if 'data_root' in folder and name != Path(folder['data_root']).name:
                    folder['metainfo'] = {**(folder.get('metainfo') or {}), 'label_space': name}


def _trained_spaces(checkpoint: str | Path | Mapping[str, Any] | None) -> LabelSpaces | None:
    if isinstance(checkpoint, Mapping):
        return label_spaces_of(checkpoint)
    if checkpoint is None or is_remote(checkpoint):
        return None
    return label_spaces_of(read_checkpoint(checkpoint)['state_dict'])
