"""nbconvert's HTML, without folds or extensions, stands in for GitHub and VS Code."""

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter

PAGES = sorted((Path(__file__).parents[2] / "book").glob("*.ipynb"))
RAW = re.compile(r"\{[a-z][\w:-]*\}`|^ *:::|\(eq-|\]\(|^#+ |\*\*", flags=re.MULTILINE)


@pytest.fixture(scope="module", params=PAGES, ids=lambda path: path.stem)
def page(request) -> BeautifulSoup:
    """A chapter as nbconvert shows it."""
    notebook = nbformat.read(request.param, as_version=4)
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    return BeautifulSoup(body, "html.parser")


def test_no_markup_is_shown_raw(page):
    for cell in page.select(".jp-MarkdownCell"):
        for code in cell.select("code, pre"):
            code.decompose()
        text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "", cell.get_text(), flags=re.DOTALL)
        assert not RAW.search(text), text


def test_links_within_the_page_lead_somewhere(page):
    for link in page.select('.jp-MarkdownCell a[href^="#"]:not(.anchor-link)'):
        assert page.find(id=link["href"][1:]), link["href"]


def test_no_solution_is_shown_before_the_chapter_is_over(page):
    text = page.get_text()
    solutions = [match.start() for match in re.finditer(r"^ *# Solution \d", text, re.MULTILINE)]
    if not page.find(id=re.compile("^Exercise-")):
        assert not solutions
        return
    assert solutions
    last = max(match.start() for match in re.finditer(r"What to read", text))
    assert min(solutions) > last
