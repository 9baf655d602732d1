"""The whole way from a model and what is asked of it to the files of an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..apis import LMSegInferencer
from ..config import inference_steps
from ..errors import OptionError
from .description import channels_of, described, save_description
from .libraries import needed
from .module import TASKS, ExportedModel, Task
from .precision import PRECISIONS, Calibration, save_fp16, save_int8
from .program import FORMATS, check_file, save_onnx, save_torch, traced
from .scoring import images_to_calibrate, scored
from .verification import runs_onnx, runs_torch, verify


@dataclass(frozen=True)
class Request:
    """What is exported.

    Attributes:
        label_space, classes, label_spaces: As of :meth:`LMSegInferencer.iter`.
        text_input: Whether text rows are an input.
        task: ``semantic`` or ``panoptic``.
        format: ``onnx`` or ``torch``.
        precision: ``fp32``, and of ONNX ``fp16`` or ``int8``.
        calibrate: How many training images int8 is calibrated on.
        score: On how many images of the test a precision is scored beside fp32.
    """

    label_space: str | None = None
    classes: str | Sequence[str] | None = None
    label_spaces: Sequence[str] | None = None
    text_input: bool = False
    task: Task = 'semantic'
    format: str = 'onnx'
    precision: str = 'fp32'
    calibrate: int = 32
    score: int = 0

    def check(self, out: str | Path) -> None:
        """Says what needs no model to be seen wrong.

        Raises:
            OptionError: On values that are none of those above, or do not go together.
        """
        for key, known in (('task', TASKS), ('format', FORMATS), ('precision', PRECISIONS)):
            if (value := getattr(self, key)) not in known:
                raise OptionError(f'{key} {value!r} cannot be exported; choose {" or ".join(known)}')
        check_file(out, self.format)
        if self.precision != 'fp32' and self.format != 'onnx':
            raise OptionError(f'precision {self.precision!r} is made of ONNX only, not of format {self.format!r}')
        if self.calibrate < 1:
            raise OptionError(f'calibrate = {self.calibrate}: int8 is calibrated on one image at least')
        if self.score and (self.task != 'semantic' or self.classes is not None or self.text_input):
            raise OptionError(
                'a score is that of semantic results in label spaces of the model, whose images are labelled: not of '
                'another task, a class list or text rows that are given; leave it out'
            )
        if self.precision == 'int8' and self.text_input:
            raise OptionError(
                'int8 is calibrated on the values that a graph meets, and text rows that are given later are not among '
                'them; choose fp16, or leave the text input out'
            )
        if self.format == 'onnx':
            needed('onnx', 'onnxscript', 'onnxruntime')


def export_model(inferencer: LMSegInferencer, request: Request, out: Path) -> Iterator[str]:
    """Writes the files of an export; yields lines that say what was done.

    Raises:
        DataError: Where images to calibrate or to score on are missing.
        LabelSpaceError, OptionError, TextBankError: As of :meth:`LMSegInferencer.question`, and where the model cannot
            be exported.
    """
    request.check(out)
    question = inferencer.question(request.label_space, request.classes, request.label_spaces)
    model = inferencer.model
    pipeline = inferencer.pipeline(question)
    steps = inference_steps(inferencer.config, question.named, inferencer.label_spaces)
    preprocessor = model.data_preprocessor
    channels = channels_of(pipeline, getattr(preprocessor, 'channels', (3,)))
    module = ExportedModel(model, question.spaces, request.task, channels, request.text_input).eval()
    if request.precision == 'int8':  # says at once which data is missing
        samples = images_to_calibrate(inferencer, question, pipeline, request.calibrate)
    yield 'following the model through its operations, which takes about a minute'
    program = traced(module)
    if request.format == 'torch':
        save_torch(program, out)
        verify(module, runs_torch(out))
    else:
        exact = out if request.precision == 'fp32' else out.with_suffix('.fp32.onnx')
        save_onnx(program, module, exact)
        verify(module, runs_onnx(exact))
        if request.precision == 'fp16':
            save_fp16(exact, out)
        elif request.precision == 'int8':
            save_int8(exact, out, Calibration(samples, module))
        if request.score:
            yield from scored(inferencer, question, module, {'fp32': exact, request.precision: out}, request.score)
        if exact != out:
            exact.unlink()
    beside = save_description(out, described(module, out.name, request.precision, pipeline, steps, model.options))
    size = out.stat().st_size / 1e6
    yield f'{out}: {size:.1f} MB, {request.task}, {", ".join(module.outputs)}; {beside} says how to use it'
