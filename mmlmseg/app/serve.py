"""Serves the page: to this machine alone unless told otherwise, without a fetch from anywhere else."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ..datasets.folder import IMAGE_SUFFIXES
from ..errors import DataError, OptionError
from .page import Demo, build_page, resource

POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'; form-action 'self'"
"""What a browser may fetch for the page: nothing from elsewhere, whatever gradio's own templates name."""

WAITING = 16
"""So many requests wait in the queue, which works on one at a time; further ones are told that it is full."""

MOST_EXAMPLES = 24


def gradio_module(folder: Path) -> Any:
    """The module ``gradio``, an extra, told to keep files in a folder and to report to nobody."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED='False', HF_HUB_OFFLINE='1', GRADIO_TEMP_DIR=str(folder))
    try:
        import gradio
    except ImportError:
        raise OptionError('the demo needs gradio: pip install "mmlmseg[app]"') from None

    def refuse(url: str, *_: Any, **__: Any) -> str:
        raise gradio.Error(f'{url}: is an address, and nothing is fetched here; upload the file')

    async def refuse_too(url: str, *_: Any, **__: Any) -> str:
        return refuse(url)

    # Where a request names an address in place of an upload, gradio would fetch it.
    processing = gradio.processing_utils
    processing.ssrf_protected_download = processing.save_url_to_cache = refuse
    processing.async_ssrf_protected_download = refuse_too
    return gradio


def list_examples(folder: str | Path) -> list[Path]:
    """The first images of a folder, by name.

    Raises:
        DataError: Where there is none.
    """
    files = sorted(p for p in Path(folder).glob('*') if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    if not files:
        raise DataError(f'{folder}: there is no image in it to show as an example ({", ".join(IMAGE_SUFFIXES)})')
    return files[:MOST_EXAMPLES]


def serve(demo: Demo, host: str = '127.0.0.1', port: int | None = None) -> Any:
    """Serves the page, from a thread of its own.

    Args:
        demo: What it is about.
        host: The address to bind to.
        port: The port; by default the first free one from 7860 on.

    Returns:
        The page (``gradio.Blocks``), whose ``local_url`` tells where it is and ``close()`` ends it.

    Raises:
        OptionError: Where gradio is not installed, or the port is taken.
    """
    gr = gradio_module(demo.folder)
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    # The middleware cuts a host at its first colon: of an address such as [::1] the bracket is left.
    hosts = ['localhost', '127.0.0.1', '[', host] if is_loopback(host) else ['*']  # else a name may lead here
    page = build_page(gr, demo).queue(max_size=WAITING, default_concurrency_limit=1)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=demo.limits.bytes,
            footer_links=[],
            ssr_mode=False,
            mcp_server=False,
            state_session_capacity=16,
            theme=_theme(gr),
            css=resource('viewer.css') + resource('page.css'),
            app_kwargs=dict(
                middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(_Headers)],
            ),
        )
    except OSError as error:
        raise OptionError(f'--port {port}: cannot be bound on {host} ({error}); name another one') from None
    return page


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


class _Headers:
    """Adds :data:`POLICY` to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(event: Any) -> None:
            if event['type'] == 'http.response.start':
                own = [(b'content-security-policy', POLICY.encode()), (b'referrer-policy', b'no-referrer')]
                event['headers'] = [*event.get('headers', ()), *own]
            await send(event)

        await self.app(scope, receive, send_with_policy)


def _theme(gr: Any) -> Any:
    """Fonts of the visitor's machine: none is fetched."""
    sans, mono = ('ui-sans-serif', 'system-ui', 'sans-serif'), ('ui-monospace', 'monospace')
    return gr.themes.Soft(primary_hue='indigo', secondary_hue='indigo', neutral_hue='slate', font=sans, font_mono=mono)
