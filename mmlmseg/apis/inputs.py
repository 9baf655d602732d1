"""From what a user names to images, and from these to what the model takes, as a test reads them."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from mmcv.transforms import BaseTransform, Compose, LoadAnnotations, TestTimeAug
from mmengine.registry import TRANSFORMS, DefaultScope
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoint_files import is_remote
from ..config import inference_steps
from ..datasets.files import fault_of_data
from ..datasets.folder import IMAGE_SUFFIXES
from ..datasets.guards import add_guards
from ..datasets.load_image import LoadImage
from ..errors import DataError, OptionError
from ..label_space import LabelSpaces

Image = NDArray[np.uint8]
Source = Path | Image
Inputs = str | Path | Image | Sequence[str | Path | Image]

_WAYS_OUT: dict[type, str] = {
    PIL.Image.Image: 'numpy.asarray(image.convert("RGB"))[..., ::-1] makes an array of it',
    Tensor: 'tensor.permute(1, 2, 0).cpu().numpy() makes [H, W, 3] of [3, H, W]; values are uint8, channels BGR',
    bytes: 'cv2.imdecode(numpy.frombuffer(content, "uint8"), cv2.IMREAD_COLOR) decodes it',
}


def expand_inputs(inputs: Inputs) -> list[Source]:
    """List the images that a user means.

    Args:
        inputs: The path of an image, of a folder (all images directly in it) or a glob; an array; or a list of these.

    Returns:
        Paths and arrays in the order given; folders and globs sorted by name.

    Raises:
        DataError: A path that leads to no image, or an input of another kind.
    """
    if isinstance(inputs, np.ndarray):
        return [inputs]
    if isinstance(inputs, (str, Path)):
        return list(_expand_path(inputs))
    for kind, way_out in _WAYS_OUT.items():
        if isinstance(inputs, kind):
            raise DataError(f'An input is of type {kind.__name__}; give a path or an array: {way_out}.')
    if not isinstance(inputs, Iterable) or isinstance(inputs, Mapping):
        raise DataError(f'An input is of type {type(inputs).__name__}; give a path, an array, or a list of these.')
    sources = [source for entry in inputs for source in expand_inputs(entry)]
    if not sources:
        raise DataError('There is no image to segment: the list of inputs is empty.')
    return sources


def batched(sources: Iterable[Source], size: int) -> Iterator[list[Source]]:
    """The sources in lists of ``size``, the last of which may be shorter."""
    rest = iter(sources)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def _expand_path(path: str | Path) -> list[Path]:
    if is_remote(path):
        raise DataError(f'{path}: is an address, inference reads local files; download it and give its path.')
    target = Path(path).expanduser()
    if target.is_dir():
        found = sorted(c for c in target.iterdir() if c.suffix.lower() in IMAGE_SUFFIXES and not c.is_dir())
        if not found:
            kinds = ', '.join(IMAGE_SUFFIXES)
            raise DataError(f'{path}: the folder holds no image ({kinds}); for those in folders below, give a glob.')
        return found
    if target.exists():
        return [target]
    found = sorted(Path(match) for match in glob.glob(str(target), recursive=True) if not Path(match).is_dir())
    if not found:
        raise DataError(f'{path}: no such image or folder, and as a glob it matches nothing.')
    return found


@dataclass(frozen=True)
class ImagePipeline:
    """The steps of a test pipeline, without those for annotations.

    Attributes:
        loader: What loads a file.
        loading: The loader with its checks.
        rest: What comes behind it, up to packing.
    """

    loader: BaseTransform
    loading: Compose
    rest: Compose

    @classmethod
    def build(cls, steps: Sequence[Mapping[str, Any]]) -> ImagePipeline:
        """Builds the steps of a config; one that loads no image loads it as ``LoadImageFromFile`` does by default."""
        with DefaultScope.overwrite_default_scope('mmseg'):
            # The type is a name, perhaps with a scope, or a class.
            names = [getattr(step['type'], '__name__', str(step['type'])).rsplit('.', 1)[-1] for step in steps]
            kept = [step for step, name in zip(steps, names, strict=True) if 'Annotation' not in name]
            for i, step in enumerate(kept):
                if step['type'] == 'LoadImageFromNDArray':  # mmseg's inference leaves that in a config
                    kept[i] = {**step, 'type': 'LoadImageFromFile'}
            built = [TRANSFORMS.build(dict(step)) for step in kept]
            if not any(map(_loads_image, built)):
                built.insert(0, TRANSFORMS.build(dict(type='LoadImageFromFile')))
        if any(isinstance(step, TestTimeAug) for step in built):
            raise OptionError(
                'the test pipeline has TestTimeAug, and inference reads one view of an image; keep the views in '
                'tta_pipeline, for tools/test.py --tta'
            )
        loader = next(filter(_loads_image, built))
        parts = [loader], [s for s in built if not _loads_image(s) and not isinstance(s, LoadAnnotations)]
        for part in parts:
            add_guards(part)
        return cls(loader, *map(Compose, parts))

    def load(self, source: Source) -> dict[str, Any]:
        """Loads an image as the loader does; an array is taken as loaded, see :func:`as_loaded`, or, where a dataset
        declares its images, as the values of a file, see :meth:`LoadImage.of_array`.

        Returns:
            A sample with ``img``, [H, W, 3] in BGR, [H, W] in grey or [H, W, bands], before all other steps.

        Raises:
            DataError: Not an image, or not the one that the file holds; names the file or the shape.
        """
        if isinstance(source, np.ndarray):
            if isinstance(self.loader, LoadImage):
                return dict(self.loader.of_array(source), img_path='an array')
            image = as_loaded(source, self.loader)
            return dict(img=image, img_path='an array', img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return _run(self.loading, dict(img_path=str(source)))

    def prepare(self, loaded: Mapping[str, Any]) -> dict[str, Any]:
        """Runs the other steps on a loaded sample, to ``inputs`` [C, h, w] and ``data_samples``."""
        return _run(self.rest, dict(loaded))


def _run(steps: Compose, sample: dict[str, Any]) -> dict[str, Any]:
    path = sample['img_path']
    try:
        done = steps(sample)
    except Exception as error:
        if (fault := fault_of_data(error, [path])) is None:
            raise
        raise DataError(f'{path}: {fault}') from error
    if done is None:
        raise DataError(f'{path}: cannot be read (its LoadImageFromFile has ignore_empty=True, and says no more)')
    return done


def _loads_image(step: Any) -> bool:
    return type(step).__name__.startswith('Load') and not isinstance(step, LoadAnnotations)


def as_loaded(array: np.ndarray, loader: Any) -> np.ndarray:
    """An array of a user in the form that a loader gives files.

    Args:
        array: [H, W, 3] in BGR or [H, W] in grey, uint8; for a loader with ``color_type='unchanged'`` of any kind.
        loader: Its ``color_type`` and ``to_float32`` count.

    Raises:
        DataError: An array of another shape or type.
    """
    color_type = str(getattr(loader, 'color_type', 'unchanged'))
    shape = list(array.shape)
    if array.ndim not in (2, 3) or array.size == 0:
        raise DataError(f'An image array must be [H, W, 3] (BGR) or [H, W] (grey), not {shape}.')
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if color_type.startswith(('color', 'grayscale')):
        if array.dtype != np.uint8:
            raise DataError(f'An image array must be uint8 with values 0..255, not {array.dtype}.')
        if array.ndim == 3 and color_type.startswith('grayscale'):
            raise DataError(f'The config loads images in grey: an array must be [H, W], not {shape}; see cv2.cvtColor.')
        if array.ndim == 3 and array.shape[2] != 3:
            raise DataError(f'An image array must be [H, W, 3] (BGR) or [H, W] (grey), not {shape}.')
        if array.ndim == 2 and color_type.startswith('color'):
            array = np.repeat(array[..., None], 3, axis=2)
    if getattr(loader, 'to_float32', False):
        array = array.astype(np.float32)
    return np.ascontiguousarray(array)


def read_image(source: Source) -> Image:
    """Load an image as ``LoadImageFromFile`` does by default.

    Args:
        source: A path, or an array [H, W, 3] in BGR (OpenCV's order, as mmcv loads images) or [H, W] in grey.

    Returns:
        BGR, uint8 [H, W, 3].

    Raises:
        DataError: Not an image; names the file or the shape.
    """
    return ImagePipeline.build([]).load(source)['img']


def inference_pipeline(
    config: Mapping[str, Any], spaces: Sequence[str] = (), trained: LabelSpaces | None = None
) -> ImagePipeline:
    """Builds the way of images into a model from a config, without the data that it names.

    Args:
        config: A whole config.
        spaces: Names of the label spaces that are asked for; none for a free class list.
        trained: Those of the model, by which datasets are told whose folders are away.

    Returns:
        The transforms of :func:`mmlmseg.config.inference_steps`, as `tools/test.py` uses them.

    Raises:
        OptionError: Where it depends on a folder that is away which transforms those are.
    """
    return ImagePipeline.build(inference_steps(config, spaces, trained))
