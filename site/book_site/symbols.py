"""Which formulas within a line are symbols of the notation page, so that its entry can be shown.

A formula that is one symbol of that page's table carries the numbers of the rows that explain it,
and ``static/preview.js`` shows them beside it. A row whose meaning begins with "in chapter 12" or
ends with "(chapters 6 to 9)" holds there alone. A single Latin letter other than x and z means many
things, so it counts only where a row names its chapter.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROW = re.compile(r"^\| (?P<symbols>[^`|]*\$[^`|]*?)\s*\|.*\| (?P<meaning>.*?) \|$", re.MULTILINE)
CHAPTERS = re.compile(
    r"^in chapter (?P<one>\d+)\b|\(chapters? (?P<first>\d+)(?: to (?P<last>\d+))?\)$"
)


class Entry(NamedTuple):
    """A row of the table: its symbols in TeX, and its chapters (None: all of the book)."""

    symbols: frozenset[str]
    chapters: range | None


def same(formula: str) -> str:
    """TeX without what does not change it."""
    return re.sub(r"\s+|\\,", "", formula)


def entries(text: str) -> list[Entry]:
    """The rows of the table of symbols, in order."""
    found = []
    for row in ROW.finditer(text.partition("## Symbols")[2]):
        symbols = frozenset(map(same, re.findall(r"\$([^$]+)\$", row["symbols"])))
        chapters = None
        if told := CHAPTERS.search(row["meaning"]):
            first = int(told["one"] or told["first"])
            chapters = range(first, int(told["last"] or first) + 1)
        found.append(Entry(symbols, chapters))
    return found


def explained(formula: str, chapter: int | None, table: list[Entry]) -> list[int]:
    """The rows that explain a formula in a chapter: those that name it, or else those for all."""
    rows = [(k, row) for k, row in enumerate(table) if same(formula) in row.symbols]
    if own := [k for k, row in rows if row.chapters and chapter in row.chapters]:
        return own
    if re.fullmatch(r"[A-Za-wyY]", same(formula)):
        return []
    return [k for k, row in rows if row.chapters is None]


def read_table(app):
    """Read the notation page once; a small book may have none."""
    page = Path(app.srcdir, "book/notation.md")
    app.env.symbols = entries(page.read_text("utf8")) if page.exists() else []


def attribute(formula: str, docname: str, env) -> str:
    """What a formula's element carries: `` data-symbol="3 5"``, or nothing."""
    number = re.search(r"/(\d\d)-", docname)
    chapter = int(number[1]) if number else None
    rows = [] if docname.endswith("notation") else explained(formula, chapter, env.symbols)
    return f' data-symbol="{" ".join(map(str, rows))}"' if rows else ""


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", read_table)
