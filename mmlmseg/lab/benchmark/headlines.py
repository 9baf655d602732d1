"""What a benchmark can be about."""

from __future__ import annotations

from ...evaluation import PanopticInstanceQuality, PanopticQuality, SemanticIoU
from ...evaluation.metrics.common import ClassMetric

HEADLINES: dict[str, type[ClassMetric]] = {
    'mIoU': SemanticIoU,
    'PQ': PanopticQuality,
    'PIQ': PanopticInstanceQuality,
}
"""The metric that measures each headline."""
