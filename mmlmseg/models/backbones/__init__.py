"""Backbones that no library below offers; any mmseg or mmdet backbone fits as well."""

from .clip_resnet import CLIPResNet
from .timm_backbone import TimmBackbone

__all__ = ['CLIPResNet', 'TimmBackbone']
