"""How much of the running training is over."""

from __future__ import annotations

from mmengine.logging import MessageHub


def training_progress() -> float:
    """Iterations done over all, in [0, 1], as the runner tells; 0 where no training runs, or none of known length.

    A resumed training goes on where it was.
    """
    hub = MessageHub.get_current_instance()
    total = hub.get_info('max_iters')
    return min(hub.get_info('iter', 0) / total, 1.0) if total else 0.0
