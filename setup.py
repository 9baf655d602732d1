"""Builds a wheel that mim understands; everything declarative is in setup.cfg."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build import build as _build
from setuptools.command.build_py import build_py as _build_py

ROOT = Path(__file__).resolve().parent
# mim looks for an installed package's configs, scripts and model index in the folder `.mim` of that package.
MIM_FOLDERS = ('configs', 'tools')
MIM_FILES = ('model-index.yml',)


class build(_build):  # noqa: N801
    """Builds outside the source tree.

    A `build/` folder left behind would hold a second copy of every config, and mim refuses a config name that it finds
    twice below an editable install.
    """

    def initialize_options(self) -> None:
        super().initialize_options()
        self.build_base = tempfile.mkdtemp(prefix='mmlmseg-build-')
        atexit.register(shutil.rmtree, self.build_base, ignore_errors=True)


class build_py(_build_py):  # noqa: N801
    """Adds `mmlmseg/.mim` to what is built; the source tree itself never holds one."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'mmlmseg' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        for name in MIM_FOLDERS:
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns('__pycache__', '*.pyc', '.*'))
        for name in MIM_FILES:
            shutil.copy2(ROOT / name, target / name)


setup(cmdclass={'build': build, 'build_py': build_py})
