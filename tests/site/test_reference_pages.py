"""The library's reference in a browser: whole, legible on a telephone, linked both ways."""

from pathlib import Path

import pytest
from accessibility import axe_violations
from bs4 import BeautifulSoup

NAMES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "book" / "reference").glob("*.md")
)
PHONE = {"width": 375, "height": 740}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_lists_its_modules_and_fits_a_telephone(open_page, name):
    page = open_page(f"book/reference/{name}.html", viewport=PHONE)
    assert page.locator("dl.py > dt").count() > 0
    assert page.get_by_text("On the site this page lists").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, scheme):
    assert axe_violations(open_page("book/reference/training.html", color_scheme=scheme)) == []


def test_a_chapter_links_to_an_entry_and_the_entry_back(built_site):
    def soup(name):
        return BeautifulSoup((built_site / "book" / name).read_text("utf8"), "html.parser")

    link = soup("10-the-vae.html").select_one("a.to-library")
    place, _, anchor = link["href"].partition("#")
    entry = soup(place).find(id=anchor)
    assert link.get_text().split("(")[0].split(".")[-1] == anchor.split(".")[-1]
    back = entry.parent.select("a[href*='10-the-vae.html']")
    assert back, "the entry names no chapter that uses it"
    assert entry.select_one(".viewcode-link"), "the entry does not lead to its source"
