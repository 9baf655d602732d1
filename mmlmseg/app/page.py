"""The page: gradio's components around what the other modules compute. Needs the extra ``mmlmseg[app]``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from importlib import resources
from pathlib import Path
from typing import Any

from ..apis.geotiff import is_georeferenced
from ..apis.inferencer import LMSegInferencer
from ..datasets.folder import IMAGE_SUFFIXES
from ..errors import USER_ERRORS, DataError, OptionError
from ..models.postprocess.panoptic import PanopticThresholds
from . import downloads, pieces
from .choices import Choices, Shown, found
from .layers import layers, said_of_pixel
from .payload import payload
from .uploads import Limits, thumbnail
from .words import read_groups, replaced, unknown_names
from .workspace import Workspace, accepted

_ARROW = ' → '


@dataclass(frozen=True)
class Demo:
    """What the page is about.

    Attributes:
        inferencer: The model.
        folder: Where uploads and files to download are kept.
        limits: Of images.
        examples: Images to pick.
        reports: HTML of the second page by titles.
    """

    inferencer: LMSegInferencer
    folder: Path
    limits: Limits = field(default_factory=Limits)
    examples: Sequence[Path] = ()
    reports: dict[str, str] = field(default_factory=dict)


def build_page(gr: Any, demo: Demo) -> Any:
    """The page as ``gradio.Blocks``, not served yet."""
    with gr.Blocks(title='mmlmseg', fill_width=True, analytics_enabled=False, delete_cache=(3600, 21600)) as page:
        gr.HTML(pieces.HEAD, elem_classes='head')
        if demo.reports:
            with gr.Tab('Segment'):
                _segment_tab(gr, demo)
            with gr.Tab('Label spaces'):
                for title, content in demo.reports.items():
                    gr.HTML(f'<h2>{title}</h2>{content}', padding=True)
        else:
            _segment_tab(gr, demo)
    return page


def _segment_tab(gr: Any, demo: Demo) -> None:
    spaces = demo.inferencer.label_spaces
    thresholds = demo.inferencer.model.options.thresholds
    state = gr.State(Workspace(), time_to_live=3600)
    with gr.Row():
        with gr.Column(scale=2, min_width=330):
            upload = gr.File(
                label=f'Images, up to {demo.limits.megabytes:g} MB and {demo.limits.megapixels:g} MP',
                file_count='multiple',
                file_types=list(IMAGE_SUFFIXES),
                height=120,
                elem_id='upload',
            )
            strip: dict[str, Any] = dict(
                columns=5, height='auto', object_fit='cover', allow_preview=False, interactive=False, buttons=[]
            )
            images = gr.Gallery(label='Your images', visible=False, elem_id='images', elem_classes='strip', **strip)
            examples = gr.Gallery(
                [thumbnail(path) for path in demo.examples],
                label='Examples',
                visible=bool(demo.examples),
                elem_id='examples',
                elem_classes='strip',
                **strip,
            )
            asked = gr.CheckboxGroup(
                [(f'{space.name} ({space.num_classes})', space.name) for space in spaces],
                value=[spaces[0].name],
                label='Label spaces',
                elem_id='spaces',
            )
            classes = gr.Textbox(label='Classes of your own', placeholder='sky, house, motorbike', elem_id='classes')
            near = gr.Radio([], label='Did you mean', visible=False, elem_id='near')
            run = gr.Button('Segment', variant='primary', elem_id='run')
            show = gr.Radio(
                [('every pixel', 'classes'), ('segments', 'segments')], value='classes', label='Show', elem_id='show'
            )
            with gr.Group():
                least = _slider(gr, 'Least score', 0, elem_id='least')
                sure = _slider(gr, 'Least class score', thresholds.object, visible=False, elem_id='object')
                overlap = _slider(gr, 'Least part kept of a mask', thresholds.overlap, visible=False)
                pixel = _slider(gr, 'Least mask score', thresholds.pixel, visible=False)
                groups = gr.Textbox(
                    label='Exclusive groups',
                    placeholder=' + '.join(space.name for space in spaces[:2]),
                    info='Within a group a pixel has one class; by default each label space is a group. Write '
                    'SPACE or SPACE:CLASS, + between members, ; between groups.',
                    visible=False,
                    elem_id='groups',
                )
            gr.HTML('<h3>Download</h3>', elem_classes='flat')
            with gr.Row():
                makers = {kind: gr.Button(kind, size='sm', min_width=70, interactive=False) for kind in downloads.KINDS}
            file = gr.File(label='Made', interactive=False, visible=False, elem_id='file')
        with gr.Column(scale=5, min_width=480):
            message = gr.HTML('', elem_id='message', elem_classes='flat')
            viewer = gr.HTML(
                '',
                html_template='<div class="mv"></div>',
                js_on_load=resource('viewer.js') + _VIEWER,
                elem_id='viewer',
            )
            start = gr.HTML(pieces.START, elem_classes='flat')
            told = gr.HTML('', elem_id='pixel', elem_classes='flat')

    how = [show, least, sure, overlap, pixel, groups]
    result = [state, message, viewer, start, told, near, *makers.values()]
    once: dict[str, Any] = dict(
        concurrency_id='model',
        concurrency_limit=1,
        api_visibility='private',
        show_progress='minimal',
        show_progress_on=viewer,
    )
    quiet: dict[str, Any] = {**once, 'show_progress': 'hidden'}

    def told_if_wrong(handler: Callable[..., dict]) -> Callable[..., dict]:
        """Shows what is wrong with what a visitor did, instead of a result."""

        @wraps(handler)
        def guarded(*values: Any) -> dict:
            try:
                return handler(*values)
            except USER_ERRORS as error:
                return {message: pieces.message(str(error), error=True)}

        return guarded

    def shown(workspace: Workspace, values: Sequence[Any]) -> dict:
        """The outputs that follow from a workspace and what is chosen."""
        session = workspace.shown
        if session is None:
            return {state: workspace}
        choices = _choices(values)
        made = found(session.shown, choices)
        drawn = payload(session.shown.picture, layers(session.shown, choices, made))
        raster = is_georeferenced(session.path)
        return {
            state: workspace,
            message: '',
            viewer: json.dumps(drawn),
            start: gr.update(visible=False),
            near: gr.update(visible=False),
            **{button: gr.update(interactive=kind != 'GeoTIFF' or raster) for kind, button in makers.items()},
        }

    @told_if_wrong
    def segment(workspace: Workspace, names: list[str], words: str, *values: Any) -> dict:
        for unknown in unknown_names(demo.inferencer, words) if words.strip() else ():
            if unknown.near:
                offers = [f'{unknown.name}{_ARROW}{name}' for name in unknown.near]
                said = f'The model cannot read the class name {unknown.name!r}.'
                return {
                    message: pieces.message(said, error=True),
                    near: gr.update(choices=offers, value=None, visible=True),
                }
        asking = workspace.asking(names, words)
        return {**shown(asking.answered(demo.inferencer), values), told: ''}

    def of_images(workspace: Workspace, names: list[str], words: str, *values: Any) -> dict:
        """Answers about the image that is shown now, if anything is asked."""
        thumbs = gr.update(
            value=[thumbnail(path) for path in workspace.images],
            visible=len(workspace.images) > 1,
            selected_index=workspace.current,
        )
        outputs = {state: workspace, images: thumbs, viewer: '', start: gr.update(visible=True), told: ''}
        return {**outputs, **(segment(workspace, names, words, *values) if names or words.strip() else {})}

    @told_if_wrong
    def add(workspace: Workspace, files: list[str] | None, *values: Any) -> dict:
        good, complaints = accepted([Path(name) for name in files or ()], demo.folder, demo.limits)
        outputs = of_images(workspace.with_images(good), *values) if good else {}
        cleared = {**outputs, upload: None}
        return {**cleared, message: pieces.message(' '.join(complaints), error=True)} if complaints else cleared

    @told_if_wrong
    def pick_example(workspace: Workspace, *values: Any) -> dict:
        *values_, place = values
        path = demo.examples[place]  # the client says a place in our list, never a path
        good, complaints = accepted([path], path.parent, demo.limits)
        if complaints:
            raise DataError(complaints[0])
        return of_images(workspace.with_images(good), *values_)

    @told_if_wrong
    def pick_image(workspace: Workspace, *values: Any) -> dict:
        *values_, place = values
        return segment(workspace.showing(place), *values_)

    change = told_if_wrong(lambda workspace, *values: shown(workspace, values))

    def of_kind(kind: str) -> dict:
        parts = {least: kind == 'classes', **dict.fromkeys((sure, overlap, pixel, groups), kind == 'segments')}
        return {component: gr.update(visible=seen) for component, seen in parts.items()}

    def pin(workspace: Workspace, event: Any) -> str:
        session = workspace.shown
        try:
            row, column = int(event.row), int(event.column)
            said = [] if session is None else said_of_pixel(session.shown, row, column)
            return pieces.pixel_table(row, column, said) if said else ''
        except (AttributeError, IndexError, TypeError, ValueError):
            return ''  # of a page that shows another image meanwhile

    pin.__annotations__['event'] = gr.EventData  # by which gradio knows what to hand over

    def make(kind: str) -> Callable[..., Any]:
        @told_if_wrong
        def making(workspace: Workspace, *values: Any) -> dict:
            made = downloads.make_file(kind, workspace, _choices(values), demo.inferencer, demo.folder / 'made')
            return {file: gr.update(value=str(made), visible=True), message: ''}

        return making

    ask = [state, asked, classes, *how]
    upload.upload(add, [state, upload, asked, classes, *how], [*result, images, upload], **once)
    run.click(segment, ask, result, **once)
    classes.submit(segment, ask, result, **once)
    near.input(_replaced, [classes, near], classes, **once).then(segment, ask, result, **once)
    _on_select(gr, examples, pick_example, ask, [*result, images], once)
    _on_select(gr, images, pick_image, ask, result, once)
    show.change(of_kind, show, [least, sure, overlap, pixel, groups], **quiet)
    show.change(change, [state, *how], result, **quiet)
    for slider in (least, sure, overlap, pixel):
        slider.release(change, [state, *how], result, **quiet)
    for leave in (groups.submit, groups.blur):
        leave(change, [state, *how], result, **quiet)
    viewer.click(pin, state, told, **quiet)
    for kind, button in makers.items():
        ready = button.click(make(kind), [state, *how], [file, message], **once)
        ready.success(None, js=_CLICK)


_VIEWER = """
const viewer = mountViewer(element.querySelector('.mv'), (row, column) => trigger('click', { row, column }));
const update = () => viewer.show(props.value ? JSON.parse(props.value) : null);
update();
watch('value', update);
"""
_CLICK = """() => {
  const until = Date.now() + 10000, look = setInterval(() => {
    const link = document.querySelector('#file a');
    if (link && link.href !== window.savedLast) {
      window.savedLast = link.href;
      link.click();
    } else if (Date.now() < until) return;
    clearInterval(look);
  }, 100);
}"""


def _slider(gr: Any, label: str, value: float, **options: Any) -> Any:
    return gr.Slider(0, 1, value, step=0.01, label=label, **options)


def _on_select(gr: Any, gallery: Any, handler: Callable[..., dict], inputs: Any, outputs: Any, once: dict) -> None:
    """Calls a handler with the values of the inputs and the place of the picture that was selected."""

    def selected(event: Any, *values: Any) -> dict:
        return handler(*values, event.index) if isinstance(event.index, int) and event.index >= 0 else {}

    selected.__annotations__['event'] = gr.SelectData  # by which gradio knows what to hand over
    gallery.select(selected, inputs, outputs, **once)


def _replaced(classes: str, offer: str) -> str:
    name, _, by = offer.partition(_ARROW)
    return replaced(classes, name, by)


def _choices(values: Sequence[Any]) -> Choices:
    show, least, sure, overlap, pixel, groups = values
    if None in (least, sure, overlap, pixel):
        raise OptionError('a score is empty: give a number from 0 to 1')
    shown: Shown = show
    return Choices(shown, least, PanopticThresholds(sure, overlap, pixel), read_groups(groups or ''))


def resource(name: str) -> str:
    """A file of this package, as text."""
    return resources.files(__package__).joinpath(name).read_text(encoding='utf-8')
