"""What is long in a widget's state, out of the page and into scripts that pages share.

myst-nb writes the whole state of a page's widgets into its HTML: each figure's module, the shared
style sheet, each network. Here whatever is over 4 kB moves into ``_static/w-DIGEST.js``, named by
its content. A browser keeps such a script, a network that two figures or two pages use is stored
once, and the HTML is the text. ``static/widget-host.js`` asks for the pieces when the page itself
is there, and puts them back. They are classic scripts, so that this works over ``file://``. In
Jupyter nothing changes.
"""

import copy
import hashlib
import json
import os
import re
from pathlib import Path

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
LONG = 4096  # characters


class Shelf:
    """The folder of the shared scripts."""

    def __init__(self, folder: Path):
        self.folder = folder

    def hold(self, text: str) -> str:
        """Put a text into a script of its own, whole or not at all, and give its digest."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        path = self.folder / f"w-{digest}.js"
        script = f'(window.bookHeld ??= {{}})["{digest}"] = {json.dumps(text)};\n'
        if not path.exists() or path.read_text("utf8") != script:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_text(script, "utf8")
            part.replace(path)
        return digest


def lighten(stored: dict, shelf: Shelf) -> dict:
    """One model's state, with what is long in it held elsewhere.

    A buffer's ``data`` becomes ``held``, a digest; a long text leaves ``state`` for ``held_texts``.
    """
    stored = copy.deepcopy(stored)
    for buffer in stored.get("buffers", ()):
        if len(buffer["data"]) > LONG:
            buffer["held"] = shelf.hold(buffer.pop("data"))
    state = stored["state"]
    long = [name for name, value in state.items() if isinstance(value, str) and len(value) > LONG]
    if long:
        stored["held_texts"] = {name: shelf.hold(state.pop(name)) for name in long}
    return stored


def without_names(stored: dict) -> str:
    """What orders models: their names are drawn by chance, so that no two builds had one order."""
    return re.sub("[0-9a-f]{32}", "", json.dumps(stored, sort_keys=True))


def in_html(state: dict) -> str:
    """JSON that may stand in a script element: no text in it can end that element."""
    return json.dumps(state).replace("<", "\\u003c")


def lighten_page(app, pagename, templatename, context, doctree):
    """Replace the script with the widgets' state by a light one."""
    scripts, shelf = [], Shelf(Path(app.outdir, "_static"))
    for script in context.get("script_files", ()):
        if script.attributes.get("type") == WIDGET_STATE:
            whole = json.loads(script.attributes["body"])
            states = sorted(whole["state"].items(), key=lambda item: without_names(item[1]))
            light = {key: lighten(stored, shelf) for key, stored in states}
            body = in_html({**whole, "state": light})
            attributes = {**script.attributes, "body": body}
            script = type(script)(script.filename, priority=script.priority, **attributes)
        scripts.append(script)
    if scripts:
        context["script_files"] = scripts


def clear_shelf(app, exception):
    """Remove what no page asks for any more."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = (page.read_text("utf8") for page in out.rglob("*.html"))
    asked = {digest for page in pages for digest in re.findall(r'": "([0-9a-f]{16})"', page)}
    for script in (out / "_static").glob("w-*"):
        if script.stem.removeprefix("w-") not in asked or script.suffix != ".js":
            script.unlink(missing_ok=True)  # two builds may end at once


def setup(app):
    """Connect to Sphinx."""
    app.connect("html-page-context", lighten_page, priority=800)  # before scripts are deferred
    app.connect("build-finished", clear_shelf)
