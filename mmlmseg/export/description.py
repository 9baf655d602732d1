"""What stands beside an exported file: how images get in, what comes out, and what the classes are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..apis.inputs import ImagePipeline
from ..datasets.load_image import LoadImage
from ..errors import OptionError
from ..models.segmentors.result_options import ResultOptions
from ..version import __version__
from .module import ExportedModel

_ABOUT_FILES = ('Load', 'Pack', 'CheckDepth')  # what steps are called that leave the pixels of a loaded image alone


def channels_of(pipeline: ImagePipeline, known: Sequence[int]) -> int:
    """How many channels images have, as a test pipeline loads them.

    Raises:
        OptionError: Where the model takes no such images, of ``known`` numbers of channels.
    """
    loader: Any = pipeline.loader
    if isinstance(loader, LoadImage):
        count = loader.format.count
    else:
        count = 1 if str(getattr(loader, 'color_type', 'color')).startswith('grayscale') else 3
    if count not in known:
        raise OptionError(
            f'the test pipeline loads images of {count} channels, but the model takes {" or ".join(map(str, known))}; '
            'ask for a label space whose dataset has such images'
        )
    return count


def described(
    module: ExportedModel,
    file: str,
    precision: str,
    pipeline: ImagePipeline,
    steps: Sequence[Mapping[str, Any]],
    options: ResultOptions,
) -> dict[str, Any]:
    """The description of an exported model: plain Python, for JSON.

    Args:
        module: The model.
        file: The name of its file.
        precision: ``fp32``, ``fp16`` or ``int8``.
        pipeline: How images are read.
        steps: The config of it.
        options: Of results; what panoptic ones are made with.
    """
    channels = len(module.mean)
    names = iter(module.outputs)
    kinds = ('scores',) if module.task == 'semantic' else ('class_probabilities', 'mask_logits')
    spaces = []
    for space in module.spaces:
        told = dict(space.to_dict(), outputs={kind: next(names) for kind in kinds})
        if module.task == 'panoptic':
            told['thresholds'] = asdict(options.thresholds_of(space))
        spaces.append(told)
    loader = pipeline.loader
    inputs: dict[str, Any] = dict(
        images=dict(
            shape=['batch', channels, 'height', 'width'],
            dtype='float32',
            channels={1: 'grey', 3: 'RGB'}.get(channels, 'bands as in the file, the declared ones'),
            values='as in the file, 0 to 255; 16-bit and float files scaled to it as declared',
            declared=vars(loader.format).copy() if isinstance(loader, LoadImage) else None,
            steps=[_plain(step) for step in steps if not _kind(step).startswith(_ABOUT_FILES)],
            inside=dict(  # of the graph: nobody has to do it
                mean=module.mean.flatten().tolist(), std=module.std.flatten().tolist(), size_divisor=module.size_divisor
            ),
        )
    )
    if module.text_input:
        inputs['rows'] = dict(shape=['classes', module.no_object.shape[-1]], dtype='float32')
    return dict(
        made_by=f'mmlmseg {__version__}',
        file=file,
        task=module.task,
        precision=precision,
        inputs=inputs,
        label_spaces=spaces,
    )


def save_description(path: Path, content: Mapping[str, Any]) -> Path:
    """Writes it beside an exported file; returns where."""
    beside = path.with_suffix('.json')
    beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    return beside


def _kind(step: Mapping[str, Any]) -> str:
    return getattr(step['type'], '__name__', str(step['type'])).rsplit('.', 1)[-1]


def _plain(step: Mapping[str, Any]) -> dict[str, Any]:
    return {**json.loads(json.dumps(dict(step), default=str)), 'type': _kind(step)}
