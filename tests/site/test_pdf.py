"""The book as one PDF: its pages in order, numbered, with links that stay inside."""

import importlib.util
from pathlib import Path

import pytest
import yaml
from pypdf import PdfReader

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["book/07-variational-inference", "book/08-the-elbo", "book/formulas"]


@pytest.fixture(scope="module")
def printer():
    """scripts/make_pdf.py as a module."""
    place = ROOT / "scripts" / "make_pdf.py"
    spec = importlib.util.spec_from_file_location("make_pdf", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pdf(printer, built_site, chromium, tmp_path_factory):
    """Three pages of the book."""
    path = tmp_path_factory.mktemp("pdf") / "book.pdf"
    printer.make(built_site, PAGES, path, chromium)
    assert [found.name for found in path.parent.iterdir()] == ["book.pdf"]
    return PdfReader(path)


def starts(pdf) -> list[int]:
    return [pdf.get_destination_page_number(entry) for entry in pdf.outline]


def test_every_page_of_the_contents_is_printed(printer):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    pages = printer.pages_of(toc)
    assert pages[:2] == ["book/intro", "book/01-autoencoders"] and len(pages) == len(set(pages))
    files = (path.relative_to(ROOT) for path in (ROOT / "book").glob("**/*.*[bd]"))
    assert {path.with_suffix("").as_posix() for path in files} == set(pages)


def test_chapters_follow_one_another_and_their_titles_are_the_outline(pdf):
    titles = [entry.title for entry in pdf.outline]
    assert titles[0].startswith("7. ") and titles[1].startswith("8. ")
    assert starts(pdf)[0] == 0 and starts(pdf) == sorted(set(starts(pdf)))
    for title, start in zip(titles, starts(pdf), strict=True):
        assert title.split()[-1] in pdf.pages[start].extract_text()


def test_pages_are_numbered(pdf):
    for number, page in enumerate(pdf.pages, start=1):
        assert page.extract_text().split()[-1] == str(number)


def test_formulas_solutions_and_figures_are_there(pdf):
    text = "".join(page.extract_text() for page in pdf.pages)
    assert "(8.5)" in text and "def solution_" in text
    assert sum(len(page.images) for page in pdf.pages) >= 5


def test_links_stay_inside(pdf):
    links = [
        entry.get_object()
        for page in pdf.pages
        for entry in page.get("/Annots", [])
        if entry.get_object().get("/Subtype") == "/Link"
    ]
    assert [link for link in links if "file:" in str(link.get("/A", {}).get("/URI", ""))] == []
    goals = {link["/A"]["/D"][0].idnum for link in links if link.get("/A", {}).get("/S") == "/GoTo"}
    by_number = {page.indirect_reference.idnum: k for k, page in enumerate(pdf.pages)}
    assert starts(pdf)[1] in {by_number[goal] for goal in goals}  # chapter 7 leads to chapter 8
