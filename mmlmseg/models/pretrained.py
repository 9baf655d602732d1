"""Weights that parts of a model start from (``init_cfg=dict(type='Pretrained', ...)``): loaded, or the run stops.

mmengine only warns where nothing of a file fits, parts with an ``init_weights`` of their own pass over ``init_cfg`` or
draw anew what was loaded. Whoever loads ends in a module's state-dict hooks, so these tell what came, for any part.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import initialize
from torch import Tensor, nn

from ..checkpoint import EXTRA_STATE, persistent_tensors
from ..checkpoint_files import is_remote, read_checkpoint
from ..errors import CheckpointError

_NO_WEIGHTS = ('num_batches_tracked', EXTRA_STATE)  # a counter fits anything


@dataclass(frozen=True)
class Fit:
    """What of the tensors that a module wants others have: by name.

    Attributes:
        wanted: Shapes of the module's tensors.
        given: Shapes of the others.
        fitting: Names of those with one shape in both.
        other_shape: Names of those with two shapes.
    """

    wanted: Mapping[str, tuple[int, ...]]
    given: Mapping[str, tuple[int, ...]]
    fitting: tuple[str, ...]
    other_shape: tuple[str, ...]

    @classmethod
    def of(cls, module: nn.Module, state_dict: Mapping[str, Any]) -> Fit:
        """Compares a module with a state dict; counters of batches do not count."""
        wanted, given = _shapes(dict(persistent_tensors(module))), _shapes(state_dict)
        shared = [key for key in wanted if key in given]
        return cls(
            wanted,
            given,
            tuple(key for key in shared if wanted[key] == given[key]),
            tuple(key for key in shared if wanted[key] != given[key]),
        )

    def __str__(self) -> str:
        said = f'{len(self.fitting)} of {len(self.wanted)} tensors loaded'
        return said + (f', {len(self.other_shape)} are of another shape' if self.other_shape else '')

    def require(self, where: str, file: str) -> None:
        """Raises a CheckpointError where not one tensor fits; it says what would help."""
        if self.fitting or not self.wanted:
            return
        message = f'{where}: no tensor of {file} fits, of {len(self.wanted)} that are wanted'
        if self.other_shape:
            key = self.other_shape[0]
            raise CheckpointError(
                f'{message}: {len(self.other_shape)} are of another shape, such as {key}, {self.given[key]} there and '
                f'{self.wanted[key]} here; the file is of a model of another width or depth'
            )
        prefix, count = self.best_prefix()
        advice = f'with prefix={prefix!r} {count} would fit' if count else 'the file is of another kind of model'
        raise CheckpointError(f'{message}: there are {_some(self.given)}; wanted are {_some(self.wanted)}; {advice}')

    def best_prefix(self) -> tuple[str, int]:
        """The prefix below which most of the others fit, and how many."""
        found: Counter[str] = Counter()
        endings = {key.rpartition('.')[2] for key in self.wanted}
        for key, shape in self.given.items():
            parts = key.split('.')
            if parts[-1] in endings:
                for i in range(1, len(parts)):
                    if self.wanted.get('.'.join(parts[i:])) == shape:
                        found['.'.join(parts[:i]) + '.'] += 1
        return max(found.items(), key=lambda item: item[1], default=('', 0))


def load_pretrained(model: nn.Module, initialise: Callable[[], None]) -> None:
    """Initialises a model such that each part starts from the weights that its ``init_cfg`` names.

    Args:
        model: Some of whose modules may have an ``init_cfg`` of type ``Pretrained``.
        initialise: Initialises the model, as mmengine does.

    Raises:
        CheckpointError: Where a file is missing, or not one tensor of it fits.
    """
    named = {name: (module, cfg) for name, module in model.named_modules() for cfg in pretrained_cfgs(module)}
    for name, (module, cfg) in named.items():
        _check_file(_place(name), module, cfg)
    loaded: dict[nn.Module, Mapping[str, Any]] = {}  # in the order of loading
    with _watched([module for module, _ in named.values()], loaded):
        initialise()
        for module, cfg in named.values():
            if module not in loaded:  # its own init_weights does not look at init_cfg
                initialize(module, cfg)
    of_module = {module: (name, cfg) for name, (module, cfg) in named.items()}
    for module, state_dict in loaded.items():
        name, cfg = of_module[module]
        fit = Fit.of(module, state_dict)
        fit.require(_place(name), str(cfg['checkpoint']))
        _copy(module, state_dict, fit.fitting)
        complete = len(fit.fitting) == len(fit.wanted)
        level = logging.INFO if complete else logging.WARNING
        print_log(f'{_place(name)}: {fit} from {cfg["checkpoint"]}', 'current', level)


def pretrained_cfgs(module: Any) -> list[Mapping[str, Any]]:
    """Those of the ``init_cfg`` of a module that name a file of weights; mmengine lets the last of them win."""
    own = getattr(module, 'init_cfg', None)
    listed = [own] if isinstance(own, Mapping) else own if isinstance(own, Sequence) else []
    return [cfg for cfg in listed if is_pretrained(cfg) and 'checkpoint' in cfg]


def is_pretrained(init_cfg: Any) -> bool:
    """Whether an ``init_cfg`` is one that names a file of weights."""
    kind = init_cfg.get('type') if isinstance(init_cfg, Mapping) else None
    return (kind if isinstance(kind, str) else getattr(kind, '__name__', '')) in ('Pretrained', 'PretrainedInit')


@contextmanager
def _watched(modules: Sequence[nn.Module], loaded: dict[nn.Module, Mapping[str, Any]]) -> Iterator[None]:
    """Notes the state dict that each module is loaded from, other than as a part of a larger one."""

    def watch(module: nn.Module) -> Callable[..., None]:
        def note(state_dict: Mapping[str, Any], prefix: str, *_: Any) -> None:
            if not prefix:
                loaded.pop(module, None)
                loaded[module] = dict(state_dict)

        return note

    handles = [module._register_load_state_dict_pre_hook(watch(module)) for module in modules]
    try:
        yield
    except RuntimeError as error:
        if 'loading state_dict' not in str(error):
            raise
        raise CheckpointError(f'init_cfg: {" ".join(str(error).split())[:500]}') from None
    finally:
        for handle in handles:
            handle.remove()


def _check_file(where: str, module: nn.Module, cfg: Mapping[str, Any]) -> None:
    """Refuses a file that is missing, and a prefix that nothing in it has."""
    file, prefix = str(cfg['checkpoint']), cfg.get('prefix')
    if is_remote(file):
        return
    if not Path(file).is_file():
        raise CheckpointError(f'{where}: {file} does not exist')
    try:
        held = read_checkpoint(file)['state_dict']
    except CheckpointError:
        return  # of a form that a part may know how to read
    dotted = f'{prefix}.' if prefix and not prefix.endswith('.') else prefix
    if dotted and not any(key.startswith(dotted) for key in held):
        best, count = Fit.of(module, held).best_prefix()
        advice = f'; prefix={best!r} would fit {count} tensors' if count else ''
        raise CheckpointError(f'{where}: nothing in {file} has the prefix {dotted!r}: there are {_some(held)}{advice}')


@torch.no_grad()
def _copy(module: nn.Module, state_dict: Mapping[str, Tensor], keys: Sequence[str]) -> None:
    """Loads once more what an ``init_weights`` may have drawn anew after it was loaded."""
    own = dict(persistent_tensors(module))
    for key in keys:
        own[key].copy_(state_dict[key])


def _shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {
        key: tuple(value.shape)
        for key, value in tensors.items()
        if isinstance(value, Tensor) and not key.endswith(_NO_WEIGHTS)
    }


def _place(name: str) -> str:
    return '.'.join(filter(None, ('model', name, 'init_cfg')))


def _some(names: Mapping[str, Any]) -> str:
    return ', '.join(list(names)[:3]) + (', ...' if len(names) > 3 else '') if names else 'none'
