"""What a log says of an evaluation: means in its line, every class in the scalars."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from mmengine.runner import LogProcessor as _LogProcessor
from mmengine.runner import Runner

from ..evaluation.keys import is_class_key
from ..registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class LogProcessor(_LogProcessor):
    """mmengine's, which leaves results of single classes to the scalars, and every result as it is.

    Hundreds of classes would make the line of an evaluation unreadable; the table per class has them.
    ``scalars.json``, TensorBoard and the others get them all. mmengine (0.10) also averages over evaluations what has
    ``loss`` or ``time`` anywhere in its name, as the IoU of a class ``timber`` has, or all of a dataset ``lossless``.
    Arguments are those of mmengine's class.
    """

    def get_log_after_epoch(
        self, runner: Runner, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict[str, Any], str]:
        """See mmengine's class; the line is without results of single classes, the scalars have them."""
        tag, line = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        every = super()._collect_scalars([], runner, mode, self.log_with_hierarchy)
        classes = {key: self._last(runner, mode, key) for key in every if is_class_key(key)}
        return {**tag, **classes}, line

    def _collect_scalars(
        self, custom_cfg: list[dict[str, Any]], runner: Runner, mode: str, reserve_prefix: bool = False
    ) -> dict[str, Any]:
        found = super()._collect_scalars(custom_cfg, runner, mode, reserve_prefix)
        tag: dict[str, Any] = OrderedDict()
        for key, value in found.items():
            if not is_class_key(key):
                is_result = mode != 'train' and '/' in key.removeprefix(f'{mode}/')
                tag[key] = self._last(runner, mode, key) if is_result else value
        return tag

    def _last(self, runner: Runner, mode: str, key: str) -> Any:
        """What was logged last."""
        return runner.message_hub.get_scalar(f'{mode}/{key.removeprefix(f"{mode}/")}').current()
