"""A browser without a window that runs scripts in a page: Playwright's, Selenium's or PySide6's, whichever is here."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

QT_PYTHON = 'MMLMSEG_QT_PYTHON'
"""The environment variable that names a Python with PySide6, where the one that runs the tests has none."""


class Browser(Protocol):
    """A page."""

    def open(self, url: str) -> None:
        """Loads it."""

    def run(self, script: str) -> Any:
        """Runs the body of a JavaScript function, which may await; returns what that returns."""

    def picture(self, file: Path) -> None:
        """Writes what is seen as PNG."""


def wait_for(browser: Browser, condition: str, seconds: float = 60) -> Any:
    """Waits until an expression is true; returns its value."""
    end = time.monotonic() + seconds
    while not (value := browser.run(f'const found = {condition}; return found instanceof Node || found')):
        if time.monotonic() > end:
            raise AssertionError(f'in {seconds} s there was no {condition}; the page says: {_text(browser)}')
        time.sleep(0.2)
    return value


def _text(browser: Browser) -> str:
    return browser.run('return document.body.innerText')[:2000]


@contextmanager
def open_browser(folder: Path, size: tuple[int, int] = (1400, 1000)) -> Iterator[Browser]:
    """The first browser that starts; without one the test is skipped."""
    for start in (_playwright, _selenium, _qt):
        if (opened := start(folder, size)) is not None:
            browser, close = opened
            try:
                yield browser
            finally:
                close()
            return
    pytest.skip(f'no browser: install playwright, selenium (with a Chromium) or PySide6, or set {QT_PYTHON}')


def _playwright(folder: Path, size: tuple[int, int]) -> tuple[Browser, Any] | None:
    if importlib.util.find_spec('playwright') is None:
        return None
    from playwright.sync_api import Error, sync_playwright

    started = sync_playwright().start()
    try:
        page = started.chromium.launch().new_page(viewport=dict(width=size[0], height=size[1]))
    except Error:
        started.stop()
        return None

    class OfPlaywright:
        def open(self, url: str) -> None:
            page.goto(url)

        def run(self, script: str) -> Any:
            return page.evaluate(f'async () => {{ {script} }}')

        def picture(self, file: Path) -> None:
            page.screenshot(path=file)

    return OfPlaywright(), started.stop


def _selenium(folder: Path, size: tuple[int, int]) -> tuple[Browser, Any] | None:
    if importlib.util.find_spec('selenium') is None:
        return None
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException

    options = webdriver.ChromeOptions()
    for option in ('--headless=new', '--no-sandbox', f'--window-size={size[0]},{size[1]}'):
        options.add_argument(option)
    try:
        driver = webdriver.Chrome(options=options)
    except WebDriverException:
        return None
    driver.set_script_timeout(60)

    class OfSelenium:
        def open(self, url: str) -> None:
            driver.get(url)

        def run(self, script: str) -> Any:
            return driver.execute_script(f'return (async () => {{ {script} }})()')

        def picture(self, file: Path) -> None:
            driver.save_screenshot(str(file))

    return OfSelenium(), driver.quit


def _qt(folder: Path, size: tuple[int, int]) -> tuple[Browser, Any] | None:
    here = sys.executable if importlib.util.find_spec('PySide6') is not None else None
    python = os.environ.get(QT_PYTHON, here)
    if python is None:
        return None
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    process = subprocess.Popen(
        [python, str(Path(__file__).with_name('qt_browser.py')), *map(str, size), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(**command: Any) -> Any:
        stdin.write(json.dumps(command) + '\n')
        stdin.flush()
        answer = json.loads(stdout.readline())
        if 'error' in answer:
            raise AssertionError(f'{command}: {answer["error"]}')
        return answer.get('v')

    class OfQt:
        def open(self, url: str) -> None:
            assert ask(open=url), f'{url} cannot be opened'

        def run(self, script: str) -> Any:
            return ask(run=script)

        def picture(self, file: Path) -> None:
            ask(picture=str(file))

    def close() -> None:
        with suppress(OSError):
            stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()

    return OfQt(), close
