"""An exported model as a static page: the model runs in the browser, and no server is needed but one for files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..apis import LMSegInferencer
from ..apis.inputs import expand_inputs
from ..errors import OptionError
from ..label_space import LabelSpace
from ..models.head.adapters import served_alone
from .rows import text_rows
from .writing import Request, export_model

PAGE = Path(__file__).parent / 'page'
VIEWER = Path(__file__).parents[1] / 'app'
RUNTIME = ('ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm')
"""The files of the npm package onnxruntime-web that the page loads."""

_STEPS = ('Resize',)  # what the page does with an image; normalisation and padding are inside of the graph


def write_page(
    inferencer: LMSegInferencer,
    folder: Path,
    runtime: str | Path,
    label_space: str | None = None,
    names: Sequence[str] | None = None,
    examples: str | None = None,
    title: str = 'mmlmseg',
) -> Iterator[str]:
    """Writes a folder that any web server for files can serve; yields lines that say what was done.

    Of a model that reads text and has no parameters for each label space, text is an input of the graph: the page asks
    in every label space of the model, and in any list of known names. Of others it asks in one label space.

    Args:
        inferencer: The model.
        folder: Where to write; made where it is missing.
        runtime: The unpacked npm package onnxruntime-web, or its folder ``dist``.
        label_space: Answer in this one alone; needed for a model that cannot be asked by names.
        names: What classes may be typed, as far as the text encoder reads it; by default all names of the text bank, or
            the classes of the model where it reads names by a text tower.
        examples: Images to offer: a file, folder or glob.
        title: Of the page.

    Raises:
        OptionError: Where the runtime is not there, the model cannot be asked by names and no label space is named, or
            the page cannot prepare images as the model needs them.
    """
    sources = _runtime_files(Path(runtime))
    model: Any = inferencer.model
    asked_by_names = label_space is None and _reads_any_names(model)
    if label_space is None and not asked_by_names:
        raise OptionError(
            'this model has parameters for each label space, or reads no class names, so one page answers in one label '
            f'space: name it with --label-space, one of {", ".join(inferencer.label_spaces.names)}'
        )
    spaces = list(inferencer.label_spaces) if asked_by_names else [inferencer.label_spaces.get(str(label_space))]
    folder.mkdir(parents=True, exist_ok=True)
    graph = (
        Request(classes=list(spaces[0].names), text_input=True) if asked_by_names else Request(label_space=label_space)
    )
    yield from export_model(inferencer, graph, folder / 'model.onnx')
    _check_steps(json.loads((folder / 'model.json').read_text(encoding='utf-8')))
    page: dict[str, Any] = dict(title=title, label_spaces=[_described(space) for space in spaces], names=None)
    if asked_by_names:
        known = _known_names(model.decode_head.text, spaces, names)
        rows = text_rows(model, LabelSpace.create('names', known))
        (folder / 'rows.bin').write_bytes(rows.astype('<f4').tobytes())
        page['names'] = known
    page['examples'] = _copied(examples, folder / 'examples')
    (folder / 'page.json').write_text(json.dumps(page, ensure_ascii=False), encoding='utf-8')
    for file in (*PAGE.iterdir(), VIEWER / 'viewer.js', VIEWER / 'viewer.css'):
        shutil.copy(file, folder)
    (folder / 'runtime').mkdir(exist_ok=True)
    for file in sources:
        shutil.copy(file, folder / 'runtime')
    size = sum(file.stat().st_size for file in folder.rglob('*') if file.is_file()) / 1e6
    yield f'{folder}: {size:.0f} MB; to look at it: python -m http.server --bind 127.0.0.1 --directory {folder}'


def _runtime_files(folder: Path) -> list[Path]:
    for place in (folder, folder / 'dist', folder / 'package' / 'dist'):
        files = [place / name for name in RUNTIME]
        if all(file.is_file() for file in files):
            return files
    raise OptionError(
        f'--runtime {folder}: does not hold {" and ".join(RUNTIME)}; get them with `npm pack onnxruntime-web` and '
        '`tar xf onnxruntime-web-*.tgz`, and give the folder `package`'
    )


def _reads_any_names(model: Any) -> bool:
    return getattr(model.decode_head, 'text', None) is not None and not served_alone(model)


def _known_names(text: Any, spaces: Sequence[LabelSpace], names: Sequence[str] | None) -> list[str]:
    """What can be typed: the classes of the label spaces first."""
    bank = getattr(text.encoder, 'bank', None)
    offered = names if names is not None else () if bank is None else bank.names
    own = [name for space in spaces for name in space.names]
    return list(dict.fromkeys([*own, *(name for name in offered if text.encoder.can_read(name))]))


def _described(space: LabelSpace) -> dict[str, Any]:
    return dict(name=space.name, classes=space.classes, names=space.names, palette=space.palette)


def _check_steps(description: dict[str, Any]) -> None:
    images = description['inputs']['images']
    unknown = [step['type'] for step in images['steps'] if step['type'] not in _STEPS]
    if unknown or images['channels'] != 'RGB' or images['declared']:
        raise OptionError(
            'a page reads 8-bit images of three colours and resizes them; the test pipeline of this model does more '
            f'({", ".join(unknown) or images["channels"]}). Export an ONNX and prepare images as its JSON says'
        )


def _copied(examples: str | None, folder: Path) -> list[str]:
    if examples is None:
        return []
    folder.mkdir(exist_ok=True)
    files = [Path(file) for file in expand_inputs(examples) if isinstance(file, (str, Path))]
    for file in files:
        shutil.copy(file, folder)
    return [file.name for file in files]
