"""Backbones that no library below offers; any mmseg or mmdet backbone fits as well."""

from .clip_resnet import CLIPResNet
from .open_clip_vision import OpenClipVision
from .timm_backbone import TimmBackbone

__all__ = ['CLIPResNet', 'OpenClipVision', 'TimmBackbone']
