"""Pixel decoders of our own; those of mmdet serve as well."""

from .deformable import DeformablePixelDecoder

__all__ = ['DeformablePixelDecoder']
