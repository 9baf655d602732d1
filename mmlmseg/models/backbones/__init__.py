"""Backbones that no library below offers; any mmseg or mmdet backbone fits as well."""

from .clip_resnet import CLIPResNet

__all__ = ['CLIPResNet']
