"""The one place where older OpenMMLab code meets today's PyTorch.

`apply` runs on `import mmlmseg`, before anything imports `mmdet`, `mmcv.ops`, `torchvision` or `open_clip`. It

* lets the OpenMMLab packages import when mmcv carries no compiled operators (nothing mmlmseg uses is compiled),
* lets a CUDA build of torchvision import beside a CPU build of PyTorch (`open_clip` and `timm` need it),
* tells PyTorch which harmless classes mmengine stores in checkpoints, so that safe (`weights_only=True`) loading works,
* keeps mmengine's own loading of weights to it, which else falls back to the unsafe one,
* lets mmdet say that a segmentor of ours is none of its detectors, as it is asked to build one.

Safe loading itself is never turned off, and what is really there (compiled operators, a matching torchvision) is used
untouched.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_PACKAGES = ('mmengine', 'mmcv', 'mmdet', 'mmseg')
_EXT = 'mmcv._ext'
_TORCHVISION_OPERATORS = ('nms', 'qnms')
_SCHEMA = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'  # of each of them
NO_DETECTOR = (
    "mmdet's inference does not know what a model of mmlmseg finds: use mmlmseg.apis.LMSegInferencer(config, weights)"
)
# A `torch.library.Library` takes its definitions back when it is collected, so it has to outlive `apply`.
_libraries: list[torch.library.Library] = []


def apply() -> None:
    """Apply every adaptation this environment needs; calling it again changes nothing."""
    require_openmmlab()
    ensure_torchvision()
    ensure_mmcv_ext()
    allow_checkpoint_globals()
    load_checkpoints_safely()
    refuse_detectors()


def require_openmmlab() -> None:
    """Say how to get the OpenMMLab packages where one is missing.

    They are extras and not dependencies of mmlmseg, since two distributions offer the same import names and installing
    one over the other breaks both.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f'mmlmseg needs {", ".join(_PACKAGES)}; not installed: {", ".join(missing)}. Install the fork by '
            "pip install 'mmlmseg[onedl]', or the original packages with pip install 'mmlmseg[openmmlab]', never both"
        )


def ensure_torchvision() -> bool:
    """Make `import torchvision` work where its binary does not fit the PyTorch here; returns whether it had to be done.

    A torchvision built for CUDA cannot load its operators beside a CPU PyTorch, and its Python part then stops on the
    schemas those operators would have defined. Defining the schemas is enough: calling such an operator still fails,
    with torchvision's own message.
    """
    if importlib.util.find_spec('torchvision') is None:
        return False
    try:
        importlib.import_module('torchvision')
        return False
    except RuntimeError as error:
        if 'torchvision::' not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
        del sys.modules[name]  # half imported: the next import has to start afresh
    library = torch.library.Library('torchvision', 'FRAGMENT')
    _libraries.append(library)
    for name in _TORCHVISION_OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _SCHEMA)
    importlib.import_module('torchvision')
    return True


def has_compiled_ops() -> bool:
    """Whether the installed mmcv brings its compiled operators (the stand-in does not count)."""
    spec = importlib.util.find_spec(_EXT)
    return spec is not None and spec.loader is not None


def ensure_mmcv_ext() -> bool:
    """Register a stand-in for `mmcv._ext` when mmcv has no compiled operators; returns whether it is in use.

    `import mmdet.models` and much of `mmseg` reach `mmcv.ops`, which looks its operators up while it is imported. The
    stand-in answers the look-up, and each operator raises when it is called. Deformable attention, the one
    operator a pixel decoder of ours may ask for, is sent down mmcv's pure PyTorch path on every device.
    """
    if has_compiled_ops():
        return False
    if _EXT not in sys.modules:
        sys.modules[_EXT] = _stand_in()
    attention = importlib.import_module('mmcv.ops.multi_scale_deform_attn')
    for device in ('CUDA', 'MLU', 'MUSA', 'NPU'):
        # The module asks these flags whether to call the operator; without it the answer is no on any device.
        if hasattr(attention, f'IS_{device}_AVAILABLE'):
            setattr(attention, f'IS_{device}_AVAILABLE', False)
    return True


def refuse_detectors() -> None:
    """Let `mmdet.apis.init_detector` refuse our segmentors, whose results mmdet's inference does not know.

    It alone builds a model from mmdet's own registry; trainings, and mmseg, build from theirs.
    """
    registry = importlib.import_module('mmdet.registry').MODELS
    build = registry.build_func
    if getattr(build, 'refuses_segmentors', False):
        return

    def build_detector(cfg: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if str(cfg.get('type')).rpartition('.')[2] == 'MultiSpaceSegmentor':
            from .errors import OptionError

            raise OptionError(NO_DETECTOR)
        return build(cfg, *args, **kwargs)

    build_detector.refuses_segmentors = True  # type: ignore[attr-defined]
    registry.build_func = build_detector


def allow_checkpoint_globals() -> None:
    """Tell PyTorch's safe unpickler which globals an mmengine checkpoint holds.

    Besides tensors, mmengine saves its logged scalars (`HistoryBuffer`, with numpy arrays inside) in the message hub.
    Entries are (object, path) pairs: a plain class would be taken off the list again by the first
    `torch.serialization.safe_globals` block of any other library that names the same class.
    """
    torch.serialization.add_safe_globals(_checkpoint_globals())


def load_checkpoints_safely() -> None:
    """Let everything that mmengine loads (`load_from`, `resume`, `init_cfg` of any part) pass the safe unpickler.

    The maintained fork tries it and, where it refuses, loads unsafely; what is downloaded is never loaded safely.
    Local files are read by :func:`mmlmseg.checkpoint_files.load_safely`, with its errors.
    """
    loading: Any = importlib.import_module('mmengine.runner.checkpoint')

    def load_from_local_file(filename: str, map_location: Any = None) -> Any:
        from .checkpoint_files import load_safely

        return load_safely(filename, map_location)

    loading.CheckpointLoader.register_scheme('', loader=load_from_local_file, force=True)
    if hasattr(loading, '_safe_torch_load'):
        loading._safe_torch_load = functools.partial(torch.load, weights_only=True)
    if 'weights_only' in inspect.signature(loading.load_url).parameters:
        loading.load_url = functools.partial(loading.load_url, weights_only=True)


def _stand_in() -> types.ModuleType:
    module = types.ModuleType(_EXT, 'Stand-in for the compiled operators of mmcv, which are not installed.')
    # importlib.util.find_spec refuses a module without a spec; no loader means: not the real thing.
    module.__spec__ = importlib.machinery.ModuleSpec(_EXT, loader=None)
    # Environment reports call these two; everything else is an operator.
    known = {'get_compiler_version': lambda: 'n/a', 'get_compiling_cuda_version': lambda: 'n/a'}

    def look_up(name: str) -> Callable[..., Any]:
        if name.startswith('__'):
            raise AttributeError(name)
        return known.get(name) or _missing_op(name)

    module.__getattr__ = look_up  # type: ignore[method-assign]
    return module


def _missing_op(name: str) -> Callable[..., Any]:
    def call(*args: object, **kwargs: object) -> None:
        raise RuntimeError(
            f"the compiled mmcv operator '{name}' was called, but the installed mmcv has no compiled operators; "
            'use a module that does not need it, or install an mmcv built with its operators for this PyTorch'
        )

    call.__name__ = call.__qualname__ = name
    return call


def _checkpoint_globals() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    from mmengine.logging.history_buffer import HistoryBuffer

    def history_method(owner: object, name: str) -> Any:
        # HistoryBuffer pickles its statistics as getattr(HistoryBuffer, 'mean'); the real getattr would allow far more.
        if owner is not HistoryBuffer or name.startswith('_'):
            raise ValueError(f'a checkpoint may look up statistics of HistoryBuffer only, not {owner!r}.{name}')
        return getattr(owner, name)

    scalar: Any = np.float64(0).__reduce__()[0]
    reconstruct: Any = np.zeros(1).__reduce__()[0]
    entries: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (history_method, 'builtins.getattr'),
        (np.ndarray, 'numpy.ndarray'),
        (np.dtype, 'numpy.dtype'),
    ]
    for core in ('numpy.core', 'numpy._core'):  # as written by numpy 1 and by numpy 2
        entries.append((scalar, f'{core}.multiarray.scalar'))
        entries.append((reconstruct, f'{core}.multiarray._reconstruct'))
    for code in '?bBhHiIlLqQefd':
        kind = type(np.dtype(code))
        entries.append((kind, f'{kind.__module__}.{kind.__name__}'))
    return entries
