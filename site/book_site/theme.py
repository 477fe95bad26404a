"""The theme's style sheet without what nothing uses, and its script without what book.js does.

Text is painted when its style sheets have come. Of the theme's, 65 kB on their way, the pages use a
third: a selector stays if each class and each id in it is a word of some page or script.
"""

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pydata_sphinx_theme
import tinycss2
from sphinx.errors import ExtensionError

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
SHEET, SCRIPT = "styles/pydata-sphinx-theme.css", "scripts/pydata-sphinx-theme.js"
ICONS = "fontawesome.js"  # copied by Sphinx and loaded by no page (templates/static)

PUT_TOGETHER = {"bs-tooltip-auto"}  # by a script, from two words

# Makes a stop for the Tab key of each box that scrolls, and asks again when a figure changes: each
# time the browser lays out the whole page, with what is folded.
STOPS = r'"complete"===document\.readyState\?(\w+)\(\):window\.addEventListener\("load",\1\)'


def pages_of(out: Path) -> list[Path]:
    """The pages in a folder. (Sphinx copies templates of the theme beside its files.)"""
    return [path for path in out.rglob("*.html") if "_static" not in path.relative_to(out).parts]


def words_of(out: Path) -> set[str]:
    """All that can be the name of a class or an id in the pages and scripts of a folder."""
    files = [*pages_of(out), *(path for path in out.glob("_static/**/*.js") if path.name != ICONS)]
    found = {word for path in files for word in re.findall(r"[\w-]+", path.read_text("utf8"))}
    return found | PUT_TOGETHER


def selectors(prelude: list) -> list[list]:
    """What stands before a rule's brace, cut at its commas."""
    parts = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def names(selector: list) -> set[str]:
    """The classes and ids without which a selector finds nothing; what ``:not()``, ``:is()`` and
    the like hold is no such thing."""
    found = {token.value for token in selector if token.type == "hash"}
    pairs = pairwise(selector)
    return found | {ident.value for dot, ident in pairs if dot == "." and ident.type == "ident"}


def trimmed(rules: list, words: set[str]) -> str:
    """The rules of a style sheet that are used; what is no rule with a selector stays."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            used = [part for part in selectors(rule.prelude) if names(part) <= words]
            if used:
                head = ",".join(tinycss2.serialize(part).strip() for part in used)
                kept.append(f"{head}{{{tinycss2.serialize(rule.content)}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = trimmed(tinycss2.parse_rule_list(rule.content or []), words)
            if inner:
                head = tinycss2.serialize(rule.prelude)
                kept.append(f"@{rule.at_keyword}{head}{{{inner}}}")
        elif rule.type == "at-rule":
            kept.append(rule.serialize())
    return "".join(kept)


def without_stops(script: str) -> str:
    """The theme's script without its stops for the Tab key."""
    lighter, found = re.subn(STOPS, "0", script)
    if found != 1:
        raise ExtensionError(f"{SCRIPT} is another than book_site/theme.py knows: mend STOPS there")
    return lighter


def lighten(app, exception):
    """Write both when all pages are there, and tell the pages' addresses of them what they hold."""
    static = Path(app.outdir, "_static")
    if exception is not None or app.builder.format != "html" or not (static / SHEET).exists():
        return
    rules = tinycss2.parse_stylesheet((THEME / SHEET).read_text("utf8"))
    texts = {
        SHEET: trimmed(rules, words_of(Path(app.outdir))),
        SCRIPT: without_stops((THEME / SCRIPT).read_text("utf8")),
    }
    for name, text in texts.items():
        (static / name).write_text(text, "utf8")
    for page in pages_of(Path(app.outdir)):
        before = page.read_text("utf8")
        after = with_digests(before, texts)
        if after != before:
            page.write_text(after, "utf8")


def with_digests(page: str, texts: dict[str, str]) -> str:
    """A page whose links to some files end in a digest, so that no browser shows an older one."""
    for name, text in texts.items():
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        page = re.sub(rf'({re.escape(name)})(\?v=\w+)?"', rf'\1?v={digest}"', page)
    return page


def setup(app):
    """Connect."""
    app.connect("build-finished", lighten)
