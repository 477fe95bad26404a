"""A page that has another name now still leads to it: the setting ``book_moved``, old: new."""

from docutils.utils import relative_path
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def moved_pages(app):
    """At each old address, a page that goes to the new one at once, and says so."""
    if app.builder.format != "html":
        return
    for old, new in app.config.book_moved.items():
        if old in app.env.found_docs or new not in app.env.found_docs:
            LOGGER.warning("book_moved: %s has to be no page, and %s one", old, new)
            continue
        target = f"{relative_path(f'/{old}', f'/{new}')}.html"
        yield old, {"title": "This page has moved", "body": "", "target": target}, "moved.html"


def setup(app):
    """Connect to Sphinx."""
    app.add_config_value("book_moved", {}, "html", [dict])
    app.connect("html-collect-pages", moved_pages)
