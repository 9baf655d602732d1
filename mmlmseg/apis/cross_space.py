"""A trained model and the test datasets of its config: images of one label space, predicted in another."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope, init_default_scope
from mmengine.runner import Runner
from mmseg.structures import SegDataSample
from torch.utils.data import Subset

from ..checkpoint import difference
from ..config import chosen_parts, evaluate_only, parts_of
from ..config_checks import require, without_workers
from ..errors import LabelSpaceError, OptionError
from ..evaluation.confusion import Confusion, confusions_of
from ..label_space import LabelSpace
from .inferencer import LMSegInferencer


class CrossSpace:
    """Predicts test datasets in any label space of a model.

    Args:
        config: Of the model; its test datasets need to be here.
        checkpoint: Its weights.
        device: Where to run; by default on an accelerator if there is one.

    Raises:
        OptionError: Where the config has no test datasets.
    """

    def __init__(self, config: Config, checkpoint: str | Path, device: str | None = None) -> None:
        require(config, 'test')
        config = copy.deepcopy(config)
        config.model.setdefault('test_cfg', {}).update(tasks=['semantic'])
        self.inferencer = LMSegInferencer(config, checkpoint, device)
        without_workers(config)
        init_default_scope(config.get('default_scope', 'mmseg'))
        self.config = config
        self.datasets = tuple(parts_of(config.test_dataloader.dataset))
        self._loaders: dict[str, tuple[Any, LabelSpace]] = {}

    def space(self, dataset: str) -> LabelSpace:
        """The label space of the truth of a test dataset."""
        return self._open(dataset)[1]

    @property
    def all_spaces(self) -> tuple[LabelSpace, ...]:
        """Those of the model, and those of test datasets that it can be asked in by their class names."""
        known = self.inferencer.label_spaces
        head = getattr(self.inferencer.model, 'decode_head', None)
        if getattr(head, 'text', None) is None:
            return tuple(known)
        others = {own.name: own for own in map(self.space, self.datasets) if own.name not in known.names}
        return (*known, *others.values())

    def confusion(
        self,
        dataset: str,
        asked: str | None = None,
        images: int | None = None,
        track: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ) -> Confusion:
        """Predicts a dataset in a label space and compares that with its truth.

        Args:
            dataset: Its name.
            asked: The label space to predict in; by default its own.
            images: So many of them, evenly spaced; by default all.
            track: Shows how far the batches are.

        Raises:
            LabelSpaceError: Where the model has no such label space, or means other classes by that of the dataset.
            OptionError: Where there is no such dataset, or it has truth in several label spaces at once.
        """
        own = self.space(dataset)
        target = self.inferencer.label_spaces.get(asked or own.name)
        (confusion,) = self.confusions(dataset, [target], images, track)
        return confusion

    def confusions(
        self,
        dataset: str,
        asked: Sequence[LabelSpace],
        images: int | None = None,
        track: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ) -> list[Confusion]:
        """Predicts a dataset in several label spaces, each alone; arguments and errors as of :meth:`confusion`.

        A label space that the model was not trained on, or one of its own under other names, is asked by its class
        names.
        """
        loader, space = self._loader(dataset, images)
        free = [own for own in asked if own not in self.inferencer.label_spaces]
        return confusions_of(self.inferencer.model, track(loader), space, asked, free)

    def predictions(
        self, dataset: str, images: int | None = None, track: Callable[[Iterable[Any]], Iterable[Any]] = iter
    ) -> Iterator[SegDataSample]:
        """The samples of a dataset with their truth, predicted in its own label space, one by one; arguments as of
        :meth:`confusion`."""
        loader, space = self._loader(dataset, images)
        known = self.inferencer.label_spaces.get(space.name)
        for batch in track(loader):
            for sample in batch['data_samples']:
                sample.set_metainfo(dict(label_spaces=(known.name,)))
            yield from self.inferencer.model.test_step(batch)

    def _loader(self, dataset: str, images: int | None) -> tuple[Any, LabelSpace]:
        """Batches of so many images of a dataset, and the label space of its truth."""
        data, space = self._open(dataset)
        if images is not None and images < len(data):
            data = Subset(data, [i * len(data) // images for i in range(images)])
        return Runner.build_dataloader({**self.config.test_dataloader, 'dataset': data}), space

    def _open(self, name: str) -> tuple[Any, LabelSpace]:
        if name not in self._loaders:
            own = copy.deepcopy(self.config)
            evaluate_only(own, 'test', chosen_parts(own, 'test', [name]))
            with DefaultScope.overwrite_default_scope(own.get('default_scope', 'mmseg')):
                data = DATASETS.build(own.test_dataloader.dataset)
            (spaces,) = data.spaces
            if len(spaces) > 1:
                raise OptionError(
                    f'dataset {name!r} has truth in {len(spaces)} label spaces at once; name one that has it in one'
                )
            self._refuse_other_meaning(name, spaces[0])
            self._loaders[name] = data, spaces[0]
        return self._loaders[name]

    def _refuse_other_meaning(self, dataset: str, space: LabelSpace) -> None:
        """Refuses a label space whose labels mean other classes than they do to the model."""
        known = self.inferencer.label_spaces
        if space.name in known.names and (what := difference(space.classes, known.get(space.name).classes)):
            raise LabelSpaceError(
                f'dataset {dataset!r}: by label space {space.name!r} it means other classes than the model ({what}); '
                'take the classes.json that the model was trained with, or give this label space another name'
            )
