"""What stands between a backbone and the head; any neck of mmseg or mmdet fits as well."""

from .simple_feature_pyramid import SimpleFeaturePyramid

__all__ = ['SimpleFeaturePyramid']
