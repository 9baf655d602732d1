"""The least that a step can take: its convolutions and matrix products, each alone and again and again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

_PRODUCTS = ('convolution', 'convolution_backward', 'mm', 'bmm', 'addmm', 'baddbmm')


class Products(TorchDispatchMode):
    """Counts the convolutions and matrix products that are called inside it, by operator, shapes and options."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[Any, Any, Any]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name.removeprefix('aten::') in _PRODUCTS:
            flat, spec = tree_flatten(args)
            key = (func, tuple(map(_described, flat)), spec)
            self.calls[key] += 1
        return func(*args, **(kwargs or {}))

    def seconds(self) -> dict[str, float]:
        """The shortest time of all calls together, by operator."""
        found: dict[str, float] = {}
        for (func, described, spec), count in self.calls.items():
            args = tree_unflatten(list(map(_made, described)), spec)
            name = func._schema.name.removeprefix('aten::')
            found[name] = found.get(name, 0.0) + count * _shortest(lambda func=func, args=args: func(*args))
        return found


class _Like(tuple):
    """Shape, strides and type of a tensor."""


def _described(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _Like((tuple(value.shape), value.stride(), value.dtype))
    return tuple(value) if isinstance(value, list) else value


def _made(value: Any) -> Any:
    if not isinstance(value, _Like):
        return value
    shape, strides, dtype = value
    return torch.empty_strided(shape, strides, dtype=dtype).normal_()


def _shortest(call: Callable[[], Any], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times[1:])
