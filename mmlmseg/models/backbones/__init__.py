"""Backbones that no library below offers; any mmseg or mmdet backbone fits as well."""

from .clip_resnet import CLIPResNet
from .joint_vit import JointViT
from .open_clip_vision import OpenClipVision
from .timm_backbone import TimmBackbone

__all__ = ['CLIPResNet', 'JointViT', 'OpenClipVision', 'TimmBackbone']
