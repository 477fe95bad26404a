"""Which formulas within a line are symbols of the notation page, so that its entry can be shown.

A formula that is one symbol of that page's table carries the numbers of the rows that explain it,
and ``static/preview.js`` shows them beside it. A row whose meaning begins with "in chapter 12" or
ends with "(chapters 6 to 9)" holds there alone. A single Latin letter other than x and z means many
things, so it counts only where a row names its chapter.
"""

import functools
import re
from pathlib import Path
from typing import NamedTuple

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


@functools.cache
def entries(text: str) -> list[Entry]:
    """The rows of the table of symbols, all of them and in order: a page counts them likewise."""
    found = []
    rows = re.findall(r"^\|.*\|$", text.partition("## Symbols")[2], re.MULTILINE)
    for row in rows[2:]:  # behind the heading and the line below it
        first, *_, meaning = row.strip("| ").split(" | ")
        symbols = frozenset(map(same, re.findall(r"\$([^$]+)\$", first)))
        chapters = None
        if told := CHAPTERS.search(meaning):
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
    text = page.read_text("utf8") if page.exists() else ""
    app.env.symbols_moved = getattr(app.env, "notation", text) != text
    app.env.notation = text


def pages_to_write(app, env):
    """All pages hold numbers of the table's rows: write them anew when it has changed."""
    return sorted(env.found_docs) if env.symbols_moved else []


def attribute(formula: str, docname: str, env) -> str:
    """What a formula's element carries: `` data-symbol="3 5"``, or nothing."""
    number = re.search(r"/(\d\d)-", docname)
    chapter = int(number[1]) if number else None
    rows = (
        [] if docname.endswith("notation") else explained(formula, chapter, entries(env.notation))
    )
    return f' data-symbol="{" ".join(map(str, rows))}"' if rows else ""


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", read_table)
    app.connect("env-updated", pages_to_write)
