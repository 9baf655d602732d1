"""What is asked of an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refusals import Refusals

from mmlmseg.errors import OptionError
from mmlmseg.export.libraries import needed
from mmlmseg.export.rows import check_ending
from mmlmseg.export.writing import Request

REFUSALS = Refusals()

REQUESTS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    'an_unknown_format': (dict(format='tflite'), 'm.onnx', ("format 'tflite'", 'onnx or torch')),
    'an_unknown_precision': (dict(precision='int4'), 'm.onnx', ("precision 'int4'", 'fp32 or fp16 or int8')),
    'instances': (dict(task='instance'), 'm.onnx', ("task 'instance'", 'semantic or panoptic')),
    'onnx_in_a_pt2': (dict(), 'm.pt2', ('m.pt2', 'format onnx', '.onnx')),
    'torch_in_an_onnx': (dict(format='torch'), 'm.onnx', ('m.onnx', 'format torch', '.pt2')),
    'a_file_without_ending': (dict(), 'm', ('--out', '.onnx')),
    'torch_in_int8': (dict(format='torch', precision='int8'), 'm.pt2', ("precision 'int8'", 'ONNX only')),
    'torch_in_fp16': (dict(format='torch', precision='fp16'), 'm.pt2', ("precision 'fp16'", 'ONNX only')),
    'no_image_to_calibrate_on': (dict(precision='int8', calibrate=0), 'm.onnx', ('calibrate = 0', 'at least')),
    'int8_with_text_input': (dict(precision='int8', text_input=True), 'm.onnx', ('int8 is calibrated', 'fp16')),
    'a_score_of_panoptic': (dict(precision='fp16', task='panoptic', score=3), 'm.onnx', ('semantic', 'leave it out')),
    'a_score_of_a_class_list': (dict(precision='fp16', classes='sky', score=3), 'm.onnx', ('score', 'class list')),
    'a_score_of_given_rows': (dict(precision='fp16', text_input=True, score=3), 'm.onnx', ('score', 'text rows')),
}


def asked(options: dict[str, Any], file: str) -> Any:
    """Checks a request that is written to a file."""
    return lambda folder: Request(**options).check(folder / file)


for _name, (_options, _file, _words) in REQUESTS.items():
    _check = asked(_options, _file)
    _check.__name__ = _name
    REFUSALS.by(OptionError, *_words)(_check)


@REFUSALS.by(OptionError, 'rows.txt', '.npy or a .json')
def rows_in_a_text_file(folder: Path) -> None:
    check_ending(folder / 'rows.txt')


@REFUSALS.by(OptionError, 'no_such_library', 'mmlmseg[export]')
def a_library_that_is_missing(folder: Path) -> None:
    needed('no_such_library')
