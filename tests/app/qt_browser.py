"""Chromium of PySide6 in a process of its own: a command a line comes in as JSON, and a JSON answer goes out.

``{"open": URL}``; ``{"run": SCRIPT}``, a function body, which may await, and whose JSON is the answer; ``{"picture":
FILE}``; ``{}`` for the files that were downloaded.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault('QT_QPA_PLATFORM', 'offscreen')
os.environ.setdefault('QTWEBENGINE_CHROMIUM_FLAGS', '--no-sandbox --disable-gpu')

from PySide6.QtCore import QUrl
from PySide6.QtWebEngineCore import QWebEngineProfile
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

WAIT = 60.0
"""Seconds until a page or a script is given up."""


def main() -> None:
    """Obeys until the input ends."""
    app = QApplication(sys.argv)
    view = QWebEngineView()
    view.resize(*map(int, sys.argv[1:3]))
    downloads: list[str] = []

    def accept(download: Any) -> None:
        download.setDownloadDirectory(sys.argv[3])
        download.accept()
        downloads.append(os.path.join(sys.argv[3], download.downloadFileName()))

    QWebEngineProfile.defaultProfile().downloadRequested.connect(accept)
    view.show()

    def wait(until: Callable[[], bool], seconds: float = WAIT) -> None:
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            app.processEvents()
            time.sleep(0.01)

    def open_page(url: str) -> dict[str, Any]:
        loaded: list[bool] = []
        view.loadFinished.connect(loaded.append)
        view.load(QUrl(url))
        wait(lambda: bool(loaded))
        return dict(v=loaded == [True])

    def run(script: str) -> dict[str, Any]:
        said: list[str] = []
        view.page().runJavaScript(_ASYNC % script)

        def answered() -> bool:
            view.page().runJavaScript('window.said', 0, lambda value: value and said.append(value))
            app.processEvents()
            return bool(said)

        wait(answered)
        return json.loads(said[0]) if said else dict(error='no answer in time')

    for line in sys.stdin:
        command = json.loads(line)
        if 'open' in command:
            answer = open_page(command['open'])
        elif 'run' in command:
            answer = run(command['run'])
        elif 'picture' in command:
            wait(lambda: False, seconds=0.5)  # until what was asked for is drawn
            answer = dict(v=view.grab().save(command['picture']))
        else:
            answer = dict(v=downloads)
        print(json.dumps(answer), flush=True)


_ASYNC = """
window.said = null;
(async () => { %s })().then(
  v => { window.said = JSON.stringify({ v }); },
  error => { window.said = JSON.stringify({ error: String(error) }); },
);
0
"""


if __name__ == '__main__':
    main()
