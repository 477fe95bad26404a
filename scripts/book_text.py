"""The text of the whole book at once: equation numbers, citations, links to headings.

``scripts/tidy_notebooks.py`` calls ``rewrite``. In the notebooks and pages of ``book/``

* a new equation is written ``\\tag{?name}`` and cited as ``(?name)``; all equations are
  then numbered in the order of their chapter, and every reference in the book follows;
* a citation is a link to ``references.md#key``. Its text comes from ``references.bib``:
  ``[](references.md#key)`` becomes "Burda et al., 2016" and ``[()](references.md#key)`` "Burda et
  al. (2016)". A citation that has a text keeps its form;
* a link to a heading gets JupyterLab's form of its name, ``08-the-elbo.ipynb#The-same-in-code``;
* ``references.md`` lists the works, below what is written by hand above the first of them.

What leads nowhere is an error, and then no file is changed.
"""

import difflib
import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote, unquote

import nbformat
from pybtex.backends.markdown import Backend
from pybtex.database import BibliographyData, Entry, parse_file
from pybtex.style.formatting.plain import Style
from pybtex.style.template import FieldIsMissing

TAG = re.compile(r"\\tag\{([^}]*)\}")
CODE = r"^(?:```|~~~).*?^(?:```|~~~)|`+[^`]*`+"
SKIPPED = rf"{CODE}|\$\$.*?\$\$|\$[^$]*\$|(?<=\])\([^)\s]*\)"  # code, formulas, targets of links
REFERENCE = re.compile(
    rf"(?P<skipped>{SKIPPED})|\((?P<label>\d+\.\d+|\?[a-z][a-z0-9-]*)\)", re.DOTALL | re.MULTILINE
)
IN_CODE = re.compile(r"(?<=[ \"#])\((\d+\.\d+|\?[a-z][a-z0-9-]*)\)")  # "see (8.4)", not f(8.4)
CITATION = re.compile(r"\[([^\[\]]*)\]\(references\.md#([^)\s]*)\)")
HEADING_LINK = re.compile(r"\]\(([\w-]+\.(?:ipynb|md))?#([^)\s]+)\)")
FIRST_WORK = re.compile(r'^<a id="', re.MULTILINE)


class BookError(Exception):
    """What an author has to put right; the message names the place."""


class Page:
    """A notebook or a Markdown file: its texts can be replaced, and are then written whole."""

    def __init__(self, path: Path):
        self.path = path
        number = re.match(r"(\d+)-", path.name)
        self.chapter = int(number[1]) if number else None
        self.notebook = nbformat.read(path, as_version=4) if path.suffix == ".ipynb" else None
        self.source = path.read_text("utf8")

    def replace(self, pattern: re.Pattern, function, code: bool = False) -> None:
        """Replace what matches in the text, or in the code, by ``function(match, page)``."""

        def replaced(text: str) -> str:
            return pattern.sub(lambda match: function(match, self), text)

        if self.notebook is None:
            self.source = self.source if code else replaced(self.source)
            return
        for cell in self.notebook.cells:
            if cell.cell_type == ("code" if code else "markdown"):
                cell.source = replaced(cell.source)

    @property
    def text(self) -> str:
        """All that is not code."""
        if self.notebook is None:
            return self.source
        cells = (cell for cell in self.notebook.cells if cell.cell_type == "markdown")
        return "\n\n".join(cell.source for cell in cells)

    @property
    def prose(self) -> str:
        """The text without what stands in fences and code spans."""
        return re.sub(CODE, "", self.text, flags=re.DOTALL | re.MULTILINE)

    def write(self) -> None:
        """Write the file if it has changed."""
        content = self.source if self.notebook is None else nbformat.writes(self.notebook) + "\n"
        write(self.path, content)


def write(path: Path, content: str) -> None:
    """Replace a file at once, unless it says this already."""
    if not path.exists() or path.read_text("utf8") != content:
        temporary = path.with_suffix(".tmp")
        temporary.write_text(content, "utf8")
        os.replace(temporary, path)


def read(book: Path) -> list[Page]:
    """Every notebook and page of the book, in the order of their names."""
    return [Page(path) for path in sorted([*book.glob("*.ipynb"), *book.glob("*.md")])]


def rewrite(book: Path) -> None:
    """Bring the text of every page into order; see above.

    Raises:
        BookError: what leads nowhere, or stands twice. Nothing is then written.
    """
    pages = read(book)
    number_equations(pages)
    works = parse_file(str(book / "references.bib"))
    cite(pages, works)
    name_headings(pages)
    for page in pages:
        if page.path.name == "references.md":
            page.source = bibliography(page.source, pages, works)
    for page in pages:
        page.write()


# Equations


def new_numbers(pages: list[Page]) -> dict[str, str]:
    """The number that each equation's tag, a number or ``?name``, is to have."""
    numbers = {}
    for page in pages:
        for k, label in enumerate(TAG.findall(page.text), start=1):
            if page.chapter is None:
                raise BookError(f"{page.path.name}: only chapters have equation numbers: {label}")
            if not re.fullmatch(r"\d+\.\d+|\?[a-z][a-z0-9-]*", label):
                raise BookError(rf"{page.path.name}: \tag{{{label}}} is neither 8.4 nor ?name")
            if label in numbers:
                raise BookError(rf"{page.path.name}: \tag{{{label}}} stands twice in the book")
            numbers[label] = f"{page.chapter}.{k}"
    return numbers


def number_equations(pages: list[Page]) -> None:
    """Number all equations in order, and let every reference follow, in one substitution."""
    numbers = new_numbers(pages)

    def in_text(match: re.Match, page: Page) -> str:
        if match["skipped"]:
            return TAG.sub(lambda tag: rf"\tag{{{numbers[tag[1]]}}}", match[0])
        if match["label"] not in numbers:
            near = difflib.get_close_matches(match["label"], numbers)
            raise BookError(
                f"{page.path.name}: {match[0]} names no equation"
                + (f"; there are {', '.join(near)}" if near else "")
            )
        return f"({numbers[match['label']]})"

    for page in pages:
        page.replace(REFERENCE, in_text)
        page.replace(IN_CODE, lambda match, _: f"({numbers.get(match[1], match[1])})", code=True)


# Citations


def names(entry: Entry) -> str:
    """The authors as a citation names them: one, two, or the first "et al."."""
    people = entry.persons.get("author") or entry.persons.get("editor")
    if not people or "year" not in entry.fields:
        raise BookError(f"references.bib: {entry.key} has no author, or no year")
    last = [
        " ".join(str(name) for name in (*person.rich_prelast_names, *person.rich_last_names))
        for person in people
    ]
    return " and ".join(last) if len(last) <= 2 else f"{last[0]} et al."


def short_names(works: BibliographyData) -> dict[str, tuple[str, str]]:
    """(authors, year) of each work; works that would be cited alike get 2014a, 2014b."""
    found = {key: (names(entry), entry.fields["year"]) for key, entry in works.entries.items()}
    alike: dict[tuple[str, str], list[str]] = {}
    for key in sorted(found):
        alike.setdefault(found[key], []).append(key)
    for (authors, year), keys in alike.items():
        if len(keys) > 1:
            letters = zip(keys, "abcdefgh", strict=False)
            found |= {key: (authors, year + letter) for key, letter in letters}
    return found


def without_marks(names: tuple[str, str]) -> list[str]:
    """Names as a catalogue sorts them: é with e, and no capitals."""
    parts = (unicodedata.normalize("NFKD", name) for name in names)
    return ["".join(c for c in part if not unicodedata.combining(c)).casefold() for part in parts]


def cite(pages: list[Page], works: BibliographyData) -> None:
    """Write the text of every citation."""
    short = short_names(works)

    def citation(match: re.Match, page: Page) -> str:
        text, key = match.groups()
        if key not in short:
            near = difflib.get_close_matches(key, short, n=3, cutoff=0.4)
            raise BookError(
                f"{page.path.name}: references.bib has no {key!r}"
                + (f"; it has {', '.join(near)}" if near else "")
            )
        authors, year = short[key]
        is_textual = re.search(r"\(\w*\)$", text)
        shown = f"{authors} ({year})" if is_textual else f"{authors}, {year}"
        return f"[{shown}](references.md#{key})"

    for page in pages:
        page.replace(CITATION, citation)


class Plain(Backend):
    """pybtex's Markdown, without a backslash before every full stop."""

    symbols = Backend.symbols | {"ndash": "–", "newblock": " ", "nbsp": " "}

    def format_str(self, text: str) -> str:
        """Escape what Markdown would take for markup."""
        return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)


def bibliography(source: str, pages: list[Page], works: BibliographyData) -> str:
    """The page of references: its head as it is, then every work and the chapters that cite it."""
    start = FIRST_WORK.search(source)
    head = source[: start.start()] if start else source.rstrip() + "\n\n"
    entries = []
    short = short_names(works)
    in_order = sorted(works.entries.values(), key=lambda entry: without_marks(short[entry.key]))
    try:
        formatted = list(Style().format_entries(in_order))
    except FieldIsMissing as error:
        raise BookError(f"references.bib: {error}") from None
    for work in formatted:
        link = f"](references.md#{work.key})"
        citing = [page for page in pages if link in page.text and page.chapter]
        listed = ", ".join(f"[{page.chapter}]({page.path.name})" for page in citing)
        where = f" Cited in chapter{'s' * (len(citing) > 1)} {listed}." if citing else ""
        text = work.text.render(Plain())
        entries.append(f'<a id="{work.key}"></a>{text}{where}\n')
    return head + "\n".join(entries)


# Links to headings


def heading_names(page: Page) -> dict[str, str]:
    """Each heading's name in a link as JupyterLab makes it, by its letters and digits alone."""
    titles = re.findall(r"^#{1,6} +(.*?)\s*$", page.prose, flags=re.MULTILINE)
    plain = (re.sub(r"[*`]", "", title) for title in titles)
    return {bare(title): quote(title.replace(" ", "-"), safe="!?,;:'&=+~/@") for title in plain}


def bare(name: str) -> str:
    """A heading, or its name in a link of any form, without all but letters and digits."""
    return re.sub(r"[^\w]|_", "", unquote(name)).casefold()


def name_headings(pages: list[Page]) -> None:
    """Give each link to a heading JupyterLab's form; nbconvert, GitHub and the site know it too."""
    known = {page.path.name: heading_names(page) for page in pages}

    def link(match: re.Match, page: Page) -> str:
        target = match[1] or page.path.name
        if target == "references.md":
            return match[0]
        if target not in known:
            raise BookError(f"{page.path.name}: there is no {target}")
        if bare(match[2]) not in known[target]:
            near = difflib.get_close_matches(bare(match[2]), known[target], n=1)
            hint = f"; did you mean {known[target][near[0]]}?" if near else ""
            raise BookError(f"{page.path.name}: {target} has no heading {match[2]}{hint}")
        return f"]({match[1] or ''}#{known[target][bare(match[2])]})"

    for page in pages:
        page.replace(HEADING_LINK, link)
