"""What is long in a widget's state, out of the page and into scripts that pages share.

myst-nb writes the whole state of a page's widgets into its HTML: each figure's module, the shared
style sheet, each network. Here whatever is over 4 kB moves into ``_static/w-DIGEST.js``, named by
its content. A browser keeps such a script, a network that two figures or two pages use is stored
once, and the HTML is the text. They are classic scripts, so that a page works over ``file://``;
``static/widget-host.js``, which comes after them, puts the pieces back. In Jupyter nothing changes.
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
    """The folder of the shared scripts, and the names of those that one page needs."""

    def __init__(self, folder: Path):
        self.folder, self.names = folder, []

    def hold(self, text: str) -> str:
        """Put a text into a script of its own, whole or not at all, and give its digest."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = f"w-{digest}.js"
        path = self.folder / name
        script = f'(window.bookHeld ??= {{}})["{digest}"] = {json.dumps(text)};\n'
        if not path.exists() or path.read_text("utf8") != script:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_text(script, "utf8")
            part.replace(path)
        if name not in self.names:
            self.names.append(name)
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


def in_html(state: dict) -> str:
    """JSON that may stand in a script element: no text in it can end that element."""
    return json.dumps(state).replace("<", "\\u003c")


def lighten_page(app, pagename, templatename, context, doctree):
    """Replace the script with the widgets' state by a light one and those that it needs."""
    scripts, shelf = [], Shelf(Path(app.outdir, "_static"))
    for script in context.get("script_files", ()):
        if script.attributes.get("type") == WIDGET_STATE:
            whole = json.loads(script.attributes["body"])
            light = {key: lighten(stored, shelf) for key, stored in whole["state"].items()}
            body = in_html({**whole, "state": light})
            attributes = {**script.attributes, "body": body}
            script = type(script)(script.filename, priority=script.priority, **attributes)
        scripts.append(script)
    if shelf.names:
        kind = type(scripts[0])
        held = [kind(f"_static/{name}", priority=400) for name in shelf.names]
        context["script_files"] = held + scripts  # the host, which needs them, is among the others


def clear_shelf(app, exception):
    """Remove what no page asks for any more."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = (page.read_text("utf8") for page in out.rglob("*.html"))
    asked = {name for page in pages for name in re.findall(r"w-[0-9a-f]{16}\.js", page)}
    for script in (out / "_static").glob("w-*"):
        if script.name not in asked:
            script.unlink(missing_ok=True)  # two builds may end at once


def setup(app):
    """Connect to Sphinx."""
    app.connect("html-page-context", lighten_page, priority=800)  # before scripts are deferred
    app.connect("build-finished", clear_shelf)
