"""Models outside of PyTorch: a graph of tensors, in ONNX or as torch.export writes it, and what says how to use it."""

from .module import TASKS, ExportedModel
from .program import FORMATS, save_onnx, save_torch, traced

__all__ = ['FORMATS', 'TASKS', 'ExportedModel', 'save_onnx', 'save_torch', 'traced']
