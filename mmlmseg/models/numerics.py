"""Precision: what this machine computes fastest in, and where half precision must not go: class probabilities, softmax
with temperature, matching costs, losses."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

ClassActivation = Literal['softmax', 'sigmoid']
"""What class logits mean: a query is one class of its sample's label space, or each class on its own."""

Precision = Literal['auto', 'bfloat16', 'float32']
"""What convolutions and matrix products run in; ``auto``: see :func:`gains_by_bfloat16`."""


def gains_by_bfloat16(device: torch.device) -> bool:
    """Whether a device computes faster in bfloat16 than in float32.

    Some emulate it: a training step took 17 times as long on a CPU with AVX2 only. And Intel's AVX512 instructions for
    it, without AMX, do half the products a second of float32 (166 against 322 GFLOP/s on two cores of a Xeon; a step of
    ``lmseg_r18_clash5`` 1.14 against 0.80 s), where those of an AMD EPYC do four times as many.
    """
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != 'cpu' or not _onednn_has_bfloat16():
        return False
    x86 = torch.cpu._is_avx512_supported()  # then oneDNN says yes also where it emulates
    by_vectors = torch.cpu._is_avx512_bf16_supported() and not _is_intel()
    return not x86 or by_vectors or torch.cpu._is_amx_tile_supported()


def _is_intel() -> bool:
    if not hasattr(torch.cpu, 'get_capabilities'):  # an older PyTorch
        return False
    return 'Intel' in torch.cpu.get_capabilities().get('cpu_name', '')


def _onednn_has_bfloat16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def precision_context(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager:
    """The context in which a model runs in a precision. Weights, gradients and losses are float32 in any.

    An autocast around it, such as that of mmengine's AmpOptimWrapper, stays what it is.
    """
    if torch.is_autocast_enabled(device.type) or precision == 'float32':
        return contextlib.nullcontext()
    if precision == 'auto' and not gains_by_bfloat16(device):
        _say(f'precision: float32, as this machine ({device.type}) is not faster in bfloat16', logging.INFO)
        return contextlib.nullcontext()
    if not gains_by_bfloat16(device):
        _say(
            f'precision: bfloat16 is asked for, but this machine ({device.type}) is slower in it than in float32, '
            "without instructions for it many times; use precision='auto'",
            logging.WARNING,
        )
    return torch.autocast(device.type, dtype=torch.bfloat16)


@functools.cache
def _say(text: str, level: int) -> None:
    print_log(text, 'current', level)  # once


def random_int16(shape: Sequence[int]) -> Tensor:
    """Uniform int16 on a CPU, from torch's global generator: it draws one number after the other, here four in one."""
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[:count].view(*shape)


def at_least_float32(tensor: Tensor) -> Tensor:
    """Lift half precision to float32; float32 and float64 pass untouched."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def no_autocast(tensor: Tensor) -> torch.autocast:
    """A context in which operations on the device of ``tensor`` keep the precision of their inputs."""
    return torch.autocast(tensor.device.type, enabled=False)


def mask_classes(logits: Tensor, valid: Tensor) -> Tensor:
    """Takes the classes that a sample's space lacks out of a softmax or sigmoid. Apply it just before, nowhere else.

    Args:
        logits: ``[..., N, K + 1]``.
        valid: ``[..., K + 1]`` bool, of the samples.

    Returns:
        The logits, minus infinity where a class is not valid.
    """
    return logits.masked_fill(~valid[..., None, :], -torch.inf)


def class_probabilities(logits: Tensor, valid: Tensor, activation: ClassActivation) -> Tensor:
    """How probable each class is for each query, 0 where it is not valid. Computed in fp32 or better.

    Args:
        logits: Class logits ``[..., N, K + 1]``, no-object last.
        valid: Columns of each sample's label space, ``[..., K + 1]`` bool.
        activation: ``softmax``: the query is one of the classes, or no-object. ``sigmoid``: a query may be each class
            by itself, or none; then the column of no-object is not read.

    Returns:
        ``[..., N, K + 1]``; the last column is the probability of no-object, 0 with ``sigmoid``.
    """
    with no_autocast(logits):
        logits = mask_classes(at_least_float32(logits), valid)
        return logits.softmax(-1) if activation == 'softmax' else F.pad(logits[..., :-1].sigmoid(), (0, 1))
