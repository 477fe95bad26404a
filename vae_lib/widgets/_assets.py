"""The text that a widget sends to the browser: its JavaScript and the shared style sheet.

The static page imports a widget's module from its embedded state, where relative imports lead
nowhere. So the shared files are put in front of the widget's own, in one module.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
SHARED = ("maths.js", "controls.js", "plane.js", "chart.js")  # each may use those before it


def module(name: str) -> str:
    """The ES module of one widget: the shared files, then ``name``, which exports ``render``."""
    return "\n".join((FOLDER / part).read_text(encoding="utf-8") for part in (*SHARED, name))


def style() -> str:
    """The style sheet that all widgets share."""
    return (FOLDER / "widgets.css").read_text(encoding="utf-8")
