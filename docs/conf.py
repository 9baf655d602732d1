"""The docs site, built by `make docs`: the pages of this folder, the files they link to, and the docstrings."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'docs' / '_ext')]

from mmcv.transforms.utils import cache_randomness  # noqa: E402

from mmlmseg.version import __version__  # noqa: E402

# Methods that mmcv decorates cannot be looked at on their class; here they are what they decorate.
cache_randomness.__get__ = lambda decorated, *_: decorated.func

project = 'mmlmseg'
author = copyright = 'the authors of mmlmseg'
release = version = __version__

extensions = [
    'myst_parser',
    'sphinx_copybutton',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'source_pages',
]
exclude_patterns = ['_build', 'results/*.md']  # tables that stand in benchmarks.md
myst_heading_anchors = 4
myst_enable_extensions = ['colon_fence']
# What a page links to that stands elsewhere in the repository, and has a page here.
pages_of_files = {'README.md': 'index', 'CHANGELOG.md': 'changelog', 'CONTRIBUTING.md': 'contributing'}

# Docstrings are written for readers of code: `name` is code, and types stand in the signature.
default_role = 'code'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
autodoc_member_order = 'bysource'

html_theme = 'furo'
html_title = f'mmlmseg {release}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False
html_copy_source = False
