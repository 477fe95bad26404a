"""Small repairs to the pages that the theme makes, a page for what is missing, and one check."""

import html
import json
import re
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from PIL import Image
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDE = 740  # pixels: a figure of several panels, which on a small screen scrolls in its box


def first_words(doctree, limit: int = 200) -> str:
    """The start of a page's first paragraphs in plain words, whole, without formulas."""
    text = ""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if isinstance(paragraph.parent, nodes.section) and not list(paragraph.findall(nodes.math)):
            text = f"{text} {paragraph.astext()}".strip()
        if len(text) > limit / 2:
            break
    return textwrap.shorten(text, limit, placeholder=" …")


def describe(app, pagename, templatename, context, doctree):
    """Write the page's description, for search engines and for previews of links."""
    title = re.sub(r"<[^>]*>", "", context.get("title") or pagename.capitalize())
    text = html.escape(first_words(doctree) or f"{title}: {app.config.html_title}", quote=True)
    if doctree:
        context["meta"] = {**(context.get("meta") or {}), "og:description": text}
    tag = f'<meta name="description" content="{text}" />\n'
    context["metatags"] = context.get("metatags", "") + tag


def add_sizes(app, body: str) -> str:
    """Give figures their size in the markup, so that the text does not jump when they arrive.

    A figure's notebook says at which size to show it (half its pixels, for sharp screens); any
    other picture is shown pixel for pixel. As attributes and not as a style, sizes give way on a
    narrow screen. All but the first are fetched when the reader comes near.
    """
    sources = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    first = iter(["<img"])

    def sized(match: re.Match) -> str:
        tag, source = match[0], sources.get(match[1])
        if source is None or source.suffix != ".png":
            return tag
        said = re.search(r' style="width: (\d+)px; height: (\d+)px;?"', tag)
        if said:
            width, height = said.groups()
            tag = tag.replace(said[0], "")
        else:
            with Image.open(source) as image:
                width, height = image.size
        start = next(first, '<img loading="lazy"')
        tag = tag.replace("<img", f'{start} width="{width}" height="{height}"', 1)
        return f'<div class="wide-figure">{tag}</div>' if int(width) > WIDE else tag

    return re.sub(r'<img [^>]*src="[^">]*_images/([^">]+)"[^>]*>', sized, body)


def mend_markup(app, pagename, templatename, context, doctree):
    """Mend what accessibility and speed checks find in the HTML that others write."""
    body = context.get("body", "")
    # An empty corner of a table heads nothing.
    body = re.sub(r'<th class="head">\s*(?:<p>\s*</p>)?\s*</th>', "<td></td>", body)
    # A folded cell is named by the words on it.
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    # The parameters of a function are no list of definitions.
    body = re.sub(r'<dt class="sig .*?</dt>', without_list, body, flags=re.DOTALL)
    context["body"] = add_sizes(app, body)


def without_list(heading: re.Match) -> str:
    """A signature whose parameters have lines, and no list, of their own."""
    html = re.sub(r"<dl>", '<div class="sig-lines">', heading[0])
    html = re.sub(r"<dd>", "<div>", html)
    return re.sub(r"</d[ld]>", "</div>", html)


def name_toggles(app, pagename, templatename, context, doctree):
    """Give what unfolds a page's own pages in the sidebar a name."""
    if make := context.get("generate_toctree_html"):

        def named(*args, **kwargs):
            html = str(make(*args, **kwargs))
            return html.replace("<summary>", '<summary aria-label="Pages below this one">')

        context["generate_toctree_html"] = named


def is_translations(script) -> bool:
    """Whether a script is Sphinx's translations.js."""
    return "translations.js" in str(script.filename or "")


def defer_scripts(app, pagename, templatename, context, doctree):
    """Let text be painted before scripts are fetched; the search page needs its own in order.

    Left out is translations.js, which puts English in the place of English and evaluates a string,
    as a content policy may forbid.
    """
    scripts = [s for s in context.get("script_files", ()) if not is_translations(s)]
    context["script_files"] = scripts
    if pagename == "search":
        return

    def deferred(script):
        # A copy: Sphinx shares these objects between all pages.
        attributes = {**script.attributes, "defer": "defer"}
        return type(script)(script.filename, priority=script.priority, **attributes)

    def may_wait(script) -> bool:
        name = str(script.filename or "")
        return name and "documentation_options" not in name and "type" not in script.attributes

    context["script_files"] = [deferred(s) if may_wait(s) else s for s in scripts]


def missing_page(app):
    """The page that a host shows for an address that does not exist; see templates/404.html."""
    if app.builder.format == "html":
        address = app.config.html_baseurl or ""
        root = {"site_root": urlsplit(address).path or "/", "site_is_known": bool(address)}
        yield "404", {"title": "Page not found", "body": "", **root}, "404.html"


def check_widgets(app, doctree, docname):
    """Warn where a page shows a widget whose state is not stored on it: it would stay empty."""
    if app.builder.format != "html":
        return
    wanted = set()
    for node in doctree.findall(nodes.raw):
        if WIDGET_VIEW in node.astext():
            wanted.update(re.findall(r'"model_id":\s*"(\w+)"', node.astext()))
    if not wanted:
        return
    scripts = app.env.nb_metadata.get(docname, {}).get("js_files", {})
    body = scripts.get("ipywidgets_state", (None, {}))[1].get("body", "{}")
    absent = wanted - set(json.loads(body).get("state", {}))
    if absent:
        LOGGER.warning("the state of %d widget(s) is missing", len(absent), location=docname)


def setup(app):
    """Connect to Sphinx."""
    app.connect("html-page-context", describe, priority=400)  # before opengraph
    app.connect("html-page-context", mend_markup)
    app.connect("html-page-context", defer_scripts, priority=900)
    app.connect("html-page-context", name_toggles, priority=900)
    app.connect("html-collect-pages", missing_page)
    app.connect("doctree-resolved", check_widgets)
