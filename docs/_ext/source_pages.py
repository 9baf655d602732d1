"""Links from a page to files outside of `docs/` lead to pages of the site that show these files.

Pages are also read in the repository, where a link is a path (`../configs/lmseg/lmseg_r18.py`). Such a file becomes a
page with its text, a folder a page with its list; a file that has a page of its own (`pages_of_files` in `conf.py`)
leads there. A path that is not there stays as it is, and Sphinx warns of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

FOLDER = '_sources_shown'  # of the pages, below the root of the site
LEXERS = {'.py': 'python', '.yml': 'yaml', '.sh': 'bash', '.json': 'json', '.md': 'markdown'}


class LinksToSources(SphinxTransform):
    """Turns links that leave `docs/` into links to pages of the site, while a page is read."""

    default_priority = 1  # ahead of all that looks at references

    def apply(self, **kwargs: Any) -> None:
        """Called by Sphinx."""
        for kind in (addnodes.download_reference, addnodes.pending_xref):
            for node in list(self.document.findall(kind)):
                path, _, anchor = str(node.get('reftarget', '')).partition('#')
                target = self.file_outside(path) if path and node.get('reftype') == 'myst' else None
                if target is not None:
                    node.replace_self(self.reference(node, target, anchor))

    def file_outside(self, path: str) -> Path | None:
        """The file or folder that a link means, relative to the root of the repository; None for one of `docs/`."""
        docs = Path(self.env.srcdir)
        beside = Path(self.env.doc2path(self.env.docname)).parent
        for start in (beside, docs.parent):  # a page that includes README.md has links from there
            target = (start / path).resolve()
            if not target.exists():
                target = target.with_name(f'{target.name}.md')  # of a page, the reader of Markdown leaves this away
            if target.exists() and target.is_relative_to(docs.parent) and not target.is_relative_to(docs):
                return target.relative_to(docs.parent)
        return None

    def reference(self, node: nodes.Element, target: Path, anchor: str) -> nodes.Element:
        """What stands in the place of a link."""
        page = self.config.pages_of_files.get(target.as_posix())
        if page is not None:
            attributes = dict(refdomain='doc', reftype='myst', refdoc=self.env.docname, refexplicit=True)
            return addnodes.pending_xref('', *node.children, reftarget=page, reftargetid=anchor or None, **attributes)
        shown_sources(self.app).add(target.as_posix())
        builder: Any = self.app.builder
        uri = builder.get_relative_uri(self.env.docname, f'{FOLDER}/{target.as_posix()}')
        text = nodes.inline('', '', *node.children[0].children)
        return nodes.reference('', '', text, refuri=uri, internal=True)


def shown_sources(app: Sphinx) -> set[str]:
    """Paths of all files and folders that pages link to."""
    if not hasattr(app.env, 'shown_sources'):
        app.env.shown_sources = set()  # type: ignore[attr-defined]
    return app.env.shown_sources  # type: ignore[attr-defined]


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    """The pages of shown files; those listed on the page of a folder as well."""
    root = Path(app.srcdir).parent
    waiting, seen = sorted(shown_sources(app)), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if (root / path).is_dir():
            entries = listed(root / path)
            waiting += [entry.relative_to(root).as_posix() for entry in entries]
            body = folder_body(app, path, [entry.relative_to(root).as_posix() for entry in entries])
        else:
            body = file_body(app, root / path)
        yield f'{FOLDER}/{path}', dict(title=path, body=f'<h1>{escape(path)}</h1>\n{body}'), 'page.html'


def listed(folder: Path) -> list[Path]:
    """What the page of a folder lists: folders and texts, without what is hidden or made by running the code."""
    return [
        entry
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(('.', '__pycache__')) and (entry.is_dir() or entry.suffix in LEXERS)
    ]


def folder_body(app: Sphinx, path: str, entries: list[str]) -> str:
    """A list of links."""
    builder: Any = app.builder
    uris = (builder.get_relative_uri(f'{FOLDER}/{path}', f'{FOLDER}/{entry}') for entry in entries)
    links = (f'<li><a href="{uri}">{escape(Path(entry).name)}</a></li>' for uri, entry in zip(uris, entries))
    return f'<ul>{"".join(links)}</ul>'


def file_body(app: Sphinx, file: Path) -> str:
    """The coloured text of a file."""
    builder: Any = app.builder
    return builder.highlighter.highlight_block(file.read_text(encoding='utf-8'), LEXERS.get(file.suffix, 'text'))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_config_value('pages_of_files', {}, 'env')
    app.add_transform(LinksToSources)
    app.connect('html-collect-pages', pages)
    return dict(parallel_read_safe=False, parallel_write_safe=True)
