"""The page as it is served: to whom, what a request may name, and driven in a browser."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, open_browser, wait_for
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.app.page import Demo
from mmlmseg.app.serve import is_loopback, serve
from mmlmseg.app.uploads import Limits
from mmlmseg.errors import OptionError

pytest.importorskip('gradio', reason='gradio is an extra: pip install "mmlmseg[app]"')
pytestmark = pytest.mark.slow  # gradio alone takes seconds to import


@pytest.fixture
def page(inferencer: LMSegInferencer, photo: Path, tmp_path: Path) -> Iterator[Any]:
    folder = tmp_path / 'kept'
    folder.mkdir()
    served = serve(Demo(inferencer, folder, Limits(megabytes=1, megapixels=0.1), examples=[photo]))
    yield served
    served.close()


def client(page: Any) -> Any:
    import httpx

    return httpx.Client(base_url=page.local_url, timeout=30)


def called(page: Any, name: str, data: list[Any]) -> dict[str, Any]:
    """Calls a handler as the page does, past the components that a visitor sees; returns the last event."""
    (number,) = [d['id'] for d in page.config['dependencies'] if d['api_name'] == name]
    with client(page) as web:
        asked = dict(data=data, fn_index=number, session_hash='visitor', event_data=None, trigger_id=None)
        web.post('gradio_api/queue/join', json=asked).raise_for_status()
        with web.stream('GET', 'gradio_api/queue/data', params=dict(session_hash='visitor')) as events:
            for line in events.iter_lines():
                if line.startswith('data:') and (event := json.loads(line[5:]))['msg'] == 'process_completed':
                    return event
    raise AssertionError('no answer')


def test_this_machine_alone_reaches_it(page: Any) -> None:
    assert page.server_name == '127.0.0.1'
    with client(page) as web:
        assert web.get('').status_code == 200
        assert web.get('', headers=dict(host='evil.example')).status_code == 400  # a name that was made to lead here


@pytest.mark.parametrize(
    ('host', 'own'), [('127.0.0.1', True), ('::1', True), ('localhost', True), ('0.0.0.0', False), ('10.0.0.7', False)]
)
def test_addresses_of_this_machine(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def test_nothing_is_fetched_from_elsewhere(page: Any) -> None:
    with client(page) as web:
        assert "default-src 'self'" in web.get('').headers['content-security-policy']
        assert web.get('config').json()['analytics_enabled'] is False


def test_no_file_of_the_server_is_handed_out(page: Any, tmp_path: Path) -> None:
    (tmp_path / 'secret.png').write_bytes(b'secret')
    with client(page) as web:
        for path in ('/etc/passwd', str(tmp_path / 'secret.png'), f'{tmp_path}/kept/../secret.png', 'setup.cfg'):
            assert web.get(f'gradio_api/file={path}').status_code in (403, 404), path


ELSEWHERE = 'http://127.0.0.1:1/a.png'


@pytest.mark.parametrize('place', [1, 3])  # of the uploads, and of the class list, where no file belongs
@pytest.mark.parametrize('named', ['secret.png', ELSEWHERE])
def test_no_file_that_a_request_names_is_opened_or_fetched(
    page: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], named: str, place: int
) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / 'secret.png')
    path = named if named == ELSEWHERE else str(tmp_path / named)
    file = dict(path=path, url=path, orig_name='a.png', meta=dict(_type='gradio.FileData'))
    data: list[Any] = [None, None, ['street'], '', 'classes', 0, 0.8, 0.8, 0, '']
    data[place] = [file] if place == 1 else file
    event = called(page, 'add', data)
    assert event['success'] is False
    said = str(event['output']) + capfd.readouterr().err
    assert ('is an address' if named == ELSEWHERE else 'InvalidPathError') in said


def test_uploads_have_a_limit(page: Any) -> None:
    with client(page) as web:
        answer = web.post('gradio_api/upload', files=dict(files=('a.png', bytes(2 << 20))))
    assert answer.status_code == 413


def test_a_port_that_is_taken_is_told(inferencer: LMSegInferencer, tmp_path: Path) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f'--port {port}'):
            serve(Demo(inferencer, tmp_path), port=port)


def upload(browser: Browser, photo: Path) -> None:
    """Hands a file to the page as dropping it does."""
    content = base64.b64encode(photo.read_bytes()).decode()
    browser.run(f"""
        const bytes = Uint8Array.from(atob('{content}'), letter => letter.charCodeAt(0));
        const files = new DataTransfer();
        files.items.add(new File([bytes], '{photo.name}', {{ type: 'image/png' }}));
        const input = document.querySelector('#upload input[type=file]');
        input.files = files.files;
        input.dispatchEvent(new Event('change', {{ bubbles: true }}));
    """)


def write(browser: Browser, where: str, text: str) -> None:
    browser.run(f"""
        const field = document.querySelector('{where} textarea, {where} input');
        field.value = {json.dumps(text)};
        field.dispatchEvent(new Event('input', {{ bubbles: true }}));
    """)


def point_at(browser: Browser, kind: str) -> None:
    browser.run(f"""
        const mark = document.querySelector('.mv-mark'), box = mark.getBoundingClientRect();
        const place = {{ bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }};
        mark.dispatchEvent(new MouseEvent('{kind}', place));
    """)


def test_a_visit(page: Any, photo: Path, tmp_path: Path) -> None:
    with open_browser(tmp_path) as browser:
        browser.open(page.local_url)
        wait_for(
            browser, "document.querySelector('#upload input[type=file]') && document.querySelector('#spaces input')"
        )
        upload(browser, photo)
        wait_for(browser, "document.querySelector('.mv-ready')")
        assert browser.run("return document.querySelectorAll('.mv-layers section').length") == 1

        write(browser, '#classes', 'sky, motorbke')
        browser.run("document.querySelector('#run').click()")
        wait_for(browser, "document.querySelector('#near input')")
        browser.run("document.querySelector('#near input').click()")
        wait_for(browser, "document.querySelectorAll('.mv-layers section').length === 2")

        point_at(browser, 'mousemove')
        note = browser.run("return document.querySelector('.mv-note').innerText")
        assert 'street' in note
        assert 'custom' in note
        assert 'query' in note
        point_at(browser, 'click')
        wait_for(browser, "document.querySelectorAll('#pixel tr').length > 3")

        before = browser.run("return document.querySelector('.mv-picture').toDataURL()")
        browser.run("document.querySelectorAll('.mv-layers section input[type=checkbox]').forEach(box => box.click())")
        assert browser.run("return document.querySelector('.mv-picture').toDataURL()") != before

        browser.run("document.querySelectorAll('#show input')[1].click()")
        wait_for(browser, "document.querySelector('#groups')?.offsetParent")
        for _ in range(5):  # a component that has just appeared may be drawn anew under one's hands
            write(browser, '#groups', 'street + nowhere')
            browser.run(
                "document.querySelector('#groups textarea, #groups input').dispatchEvent(new FocusEvent('blur'))"
            )
            with suppress(AssertionError):
                wait_for(browser, "document.querySelector('#message').innerText.includes('nowhere')", 10)
                break
        else:
            pytest.fail('an unknown exclusive group is not told')
        write(browser, '#groups', '')

        saved = "(document.querySelector('#file a')?.href || '')"
        for kind, start in (('COCO json', '{"images"'), ('PNG', '\x89PNG')):
            browser.run(f"[...document.querySelectorAll('button')].find(b => b.innerText === '{kind}').click()")
            ending = 'json' if 'json' in kind else 'png'
            wait_for(browser, f"{saved}.endsWith('{ending}')")
            content = browser.run(f"""
                const bytes = new Uint8Array(await (await fetch({saved})).arrayBuffer());
                return String.fromCharCode(...bytes.slice(0, 9));
            """)
            assert content.startswith(start)

        browser.run("document.querySelector('#examples .thumbnail-item').click()")
        wait_for(browser, "document.querySelectorAll('#images .thumbnail-item').length === 2")
        browser.run("document.querySelectorAll('#images .thumbnail-item')[0].click()")
        wait_for(browser, "document.querySelector('.mv-ready') && !document.querySelector('#message .error')")

        fetched = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
        assert fetched
        assert [name for name in fetched if not name.startswith((page.local_url, 'data:', 'blob:'))] == []
