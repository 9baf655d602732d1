"""What a log says of an evaluation: means in its line, every class in the scalars."""

from __future__ import annotations

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
    ``loss`` or ``time`` anywhere in its name, as the IoU of a class ``timetable`` has, or a dataset ``lossless``.
    Arguments are those of mmengine's class.
    """

    def get_log_after_epoch(
        self, runner: Runner, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict[str, Any], str]:
        """See mmengine's class; the line is without results of single classes, the scalars have them."""
        tag, line = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        for name, values in runner.message_hub.log_scalars.items():
            if name.startswith(f'{mode}/') and is_class_key(name):
                tag[name if self.log_with_hierarchy else name.removeprefix(f'{mode}/')] = values.current()
        return tag, line

    def _collect_scalars(
        self, custom_cfg: list[dict[str, Any]], runner: Runner, mode: str, reserve_prefix: bool = False
    ) -> dict[str, Any]:
        found: dict[str, Any] = super()._collect_scalars(custom_cfg, runner, mode, reserve_prefix)
        if mode == 'train':
            return found
        before = f'{mode}/' if reserve_prefix else ''
        custom = {f'{before}{cfg.get("log_name", cfg["data_src"])}' for cfg in custom_cfg}
        for key in [key for key in found if key not in custom]:
            own = key.removeprefix(before)
            if is_class_key(own):
                del found[key]
            elif '/' in own:
                found[key] = runner.message_hub.get_scalar(f'{mode}/{own}').current()
        return found
