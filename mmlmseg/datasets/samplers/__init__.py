"""Which samples of which datasets meet in a batch."""

from __future__ import annotations

from .samplers import DatasetPerRankSampler, DatasetSampler, MixedSampler, SameDatasetSampler

__all__ = ['DatasetPerRankSampler', 'DatasetSampler', 'MixedSampler', 'SameDatasetSampler']
