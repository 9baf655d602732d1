"""One dataset among several: built without its list of samples, its label spaces, and what it must not be."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Mapping
from typing import Any

from mmengine.dataset import BaseDataset
from torch.utils.data import ConcatDataset

from ..config import innermost
from ..errors import DataError, LabelSpaceError
from ..federated import FEDERATED
from ..label_space import LabelSpace
from ..names import default_space_name
from .checks import check_class_count
from .multi_space import MultiSpaceFolderDataset
from .steps import steps_of


def lazy(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a dataset, also below wrappers, that does not read its list of samples before it is asked to."""
    later = {'lazy_init': True, **copy.deepcopy(dict(config))}
    if isinstance(later.get('dataset'), Mapping):
        later['dataset'] = lazy(later['dataset'])
    if isinstance(later.get('datasets'), list):
        later['datasets'] = [lazy(one) if isinstance(one, Mapping) else one for one in later['datasets']]
    return later


def is_empty(name: str, dataset: Any) -> bool:
    """Whether a dataset lists no sample; its list is read."""
    try:
        dataset.full_init()
    except OSError as error:
        raise DataError(f'dataset {name!r}: {error}; check its paths and split') from None
    except NotImplementedError as error:
        if 'get_cat_ids' not in str(error):
            raise
        raise DataError(
            f'dataset {name!r}: a ClassBalancedDataset has to be told which classes an image holds (get_cat_ids); '
            'leave it out, and let the sampler repeat images: sampler=dict(repeat=...) with the same threshold'
        ) from None
    except ValueError as error:
        if fault_of_empty(error):
            return True
        raise
    return not len(dataset)


def fault_of_empty(error: ValueError) -> str | None:
    """What to say where a dataset found no sample, which mmengine cannot serialise; None of any other error."""
    if 'need at least one array' not in str(error):
        return None
    owners = (frame.f_locals.get('self') for frame, _ in traceback.walk_tb(error.__traceback__))
    dataset = next((owner for owner in owners if isinstance(owner, BaseDataset)), None)
    if dataset is None:
        return None
    return f'{type(dataset).__name__} has no sample{looked_for(dataset)}; check its paths and split'


def below_wrappers(dataset: Any) -> list[Any]:
    """The dataset that wrappers such as mmengine's RepeatDataset hold; of a ConcatDataset all."""
    if (inner := getattr(dataset, 'dataset', None)) is not None:
        return below_wrappers(inner)
    if isinstance(dataset, ConcatDataset):
        return [one for part in dataset.datasets for one in below_wrappers(part)]
    return [dataset]


def refuse_mixed_lists(name: str, dataset: Any) -> None:
    """Makes sure that no image is put together of several that were searched for other classes each."""
    wrapper, mixing = dataset, list[str]()
    while wrapper is not None:
        steps = steps_of(getattr(wrapper, 'pipeline', None))
        mixing += [type(step).__name__ for step in steps if hasattr(step, 'get_indices')]
        wrapper = getattr(wrapper, 'dataset', None)
    if mixing and FEDERATED in dataset.get_data_info(0):
        raise DataError(
            f'dataset {name!r}: {mixing[0]} puts several images together, but each of them is labelled for some '
            'classes of its own (neg_category_ids), so nothing is known of the whole; leave it out'
        )


def looked_for(dataset: Any) -> str:
    """Where a dataset of mmseg's looked for images, and for which names."""
    folder = (getattr(dataset, 'data_prefix', None) or {}).get('img_path')
    suffix, listed = getattr(dataset, 'img_suffix', ''), getattr(dataset, 'ann_file', '')
    return '' if not folder else f': there is no *{suffix} in {folder}' + (f', as {listed} lists it' if listed else '')


def label_spaces_of(dataset: Any, config: Mapping[str, Any]) -> tuple[LabelSpace, ...]:
    """The label spaces of a built dataset; parts that mmengine joins have the same classes."""
    dataset, config = below_wrappers(dataset)[0], innermost(config)
    if isinstance(dataset, MultiSpaceFolderDataset):
        return dataset.spaces
    if isinstance(space := getattr(dataset, 'space', None), LabelSpace):
        return (space,)
    metainfo = dataset.metainfo
    if not metainfo.get('classes'):
        raise LabelSpaceError(f'dataset {config["type"]!r} declares no classes; set metainfo=dict(classes=[...])')
    name = metainfo.get('label_space') or default_space_name(type(dataset).__name__)
    space = LabelSpace.from_metainfo(name, metainfo, config.get('metainfo') or ())
    check_class_count(space, wide=False)
    return (space,)


def refuse_detection(name: str, dataset: Any) -> None:
    """Makes sure that a dataset, perhaps below wrappers, packs samples of segmentation."""
    pipelines = [getattr(one, 'pipeline', None) for one in below_wrappers(dataset)]
    for step in (step for own in pipelines for step in getattr(own, 'transforms', ())):
        if type(step).__name__ == 'PackDetInputs':
            raise DataError(
                f'dataset {name!r}: its pipeline ends in PackDetInputs, which packs objects for detectors; read a file '
                "in COCO's instance format with mmlmseg.InstanceDataset, and pack with mmlmseg.PackSegments"
            )
