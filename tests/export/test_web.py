"""The page in which an exported model runs: what is written, and what it answers in a browser."""

from __future__ import annotations

import base64
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import open_browser, wait_for
from mmengine.config import Config
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.errors import OptionError
from mmlmseg.export.web import RUNTIME, write_page
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.text.bank import TextBankEncoder
from mmlmseg.registry import MODELS

RUNTIME_OF_TESTS = 'MMLMSEG_ORT_WEB'
"""The environment variable that names an unpacked npm package onnxruntime-web."""


@pytest.fixture
def inferencer(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., LMSegInferencer]:
    def make(**head: Any) -> LMSegInferencer:
        steps = [
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(96, 64), keep_ratio=True),
            dict(type='PackSegInputs'),
        ]
        model = model_config(**head)
        config = Config(dict(model=model, default_scope='mmseg', test_pipeline=steps))
        built = MODELS.build(model)
        torch.save(dict(state_dict=built.state_dict()), tmp_path / 'tiny.pth')
        return LMSegInferencer(config, tmp_path / 'tiny.pth', 'cpu')

    return make


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """What looks like the runtime."""
    folder = tmp_path / 'package' / 'dist'
    folder.mkdir(parents=True)
    for name in RUNTIME:
        (folder / name).touch()
    return folder.parent


@pytest.mark.slow
def test_what_is_written(inferencer: Any, runtime: Path, tmp_path: Path, spaces: list[LabelSpace]) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / 'one.png')
    page = tmp_path / 'page'
    own = inferencer()
    *_, told = write_page(own, page, runtime, examples=str(tmp_path / 'one.png'), title='Mine')
    assert f'--directory {page}' in told
    offered = json.loads((page / 'page.json').read_text())
    assert offered['title'] == 'Mine'
    assert offered['examples'] == ['one.png']
    assert [space['name'] for space in offered['label_spaces']] == [space.name for space in spaces]
    assert offered['names'][:5] == list(spaces[0].names)
    assert len(offered['names']) == len(set(offered['names'])) > len(TextBankEncoder().bank.names) - 1
    rows = np.frombuffer((page / 'rows.bin').read_bytes(), '<f4').reshape(len(offered['names']), -1)
    expected = own.model.decode_head.text.eval().categories(['street']).rows[0, :-1]
    np.testing.assert_allclose(rows[:5], expected.detach().numpy(), atol=1e-6)
    for name in ('index.html', 'page.js', 'names.js', 'pixels.js', 'page.css', 'viewer.js', 'viewer.css', 'model.onnx'):
        assert (page / name).is_file(), name
    assert all((page / 'runtime' / name).is_file() for name in RUNTIME)


def test_what_cannot_be_is_refused(inferencer: Any, runtime: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r'does not hold ort\.wasm\.bundle\.min\.mjs .*npm pack onnxruntime-web'):
        list(write_page(inferencer(), tmp_path / 'page', tmp_path / 'nothing'))
    own_queries = inferencer(queries=dict(type='mmlmseg.LabelSpaceQueries', num_queries=4))
    with pytest.raises(OptionError, match='one label space: name it with --label-space, one of street, facade'):
        list(write_page(own_queries, tmp_path / 'page', runtime))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder ``page``."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / 'page'))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_address[1]}/'
        server.shutdown()


@pytest.mark.slow
def test_a_visit(inferencer: Any, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two label spaces and a typed list, a misspelt name among it; the answers are those of the model."""
    if RUNTIME_OF_TESTS not in os.environ:
        pytest.skip(f'no runtime: unpack the npm package onnxruntime-web and set {RUNTIME_OF_TESTS}')
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((120, 75), Image.Resampling.BILINEAR).save(tmp_path / 'noise.png')
    own = inferencer()
    list(write_page(own, tmp_path / 'page', os.environ[RUNTIME_OF_TESTS], examples=str(tmp_path / 'noise.png')))
    with open_browser(tmp_path) as browser:
        browser.open(served)
        wait_for(browser, "document.body.dataset.ready === 'model'")
        browser.run("document.querySelector('#examples img').click(); return 1")
        wait_for(browser, "!document.getElementById('run').disabled")
        browser.run("document.querySelectorAll('#spaces input')[1].click(); return 1")
        typed = (
            "const list = document.getElementById('classes'); list.value = 'Sky, hosue, cow'; list.oninput(); return 1"
        )
        browser.run(typed)
        assert 'hosue' in browser.run("return document.getElementById('unknown').innerText")
        browser.run("document.querySelector('#unknown button').click(); return 1")
        asked = browser.run("return document.getElementById('classes').value")
        assert asked == 'sky, house, cow'
        browser.run("document.getElementById('run').click(); return 1")
        wait_for(browser, "document.body.dataset.ready === 'answer'")
        links = browser.run(
            "return [...document.querySelectorAll('#files a')].map(({ download, href }) => [download, href])"
        )
        move = (
            "const mark = document.querySelector('.mv-mark'), box = mark.getBoundingClientRect(); "
            'mark.onmousemove({ clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }); '
            "return document.querySelector('.mv-note').innerText"
        )
        assert [name in browser.run(move) for name in ('street', 'facade', 'your classes')] == [True] * 3
    maps = {
        name: np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(',')[1]))))[..., 0] for name, url in links
    }
    small = np.asarray(Image.open(tmp_path / 'noise.png'))[..., ::-1]
    for file, question in (
        ('street.png', dict(label_space='street')),
        ('facade.png', dict(label_space='facade')),
        ('your classes.png', dict(classes=asked)),
    ):
        (expected,) = own(small, show_progress=False, **question)
        found = maps[file]
        assert found.shape == (60, 96)
        rows, columns = (np.arange(n) * m // n for n, m in zip(found.shape, expected.label_map.shape))
        assert (found == expected.label_map[np.ix_(rows, columns)]).mean() > 0.9  # of another size
