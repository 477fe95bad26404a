"""What a link leads to is shown beside it: an equation, a work, an entry of the library."""

from pathlib import Path

import pytest
from book_site import symbols

CHAPTER = "book/08-the-elbo.html"
SAME_PAGE = 'article a[href="#equation-8-2"]:not(.headerlink)'
OTHER_PAGE = 'article a[href*="07-"][href*="#equation-"]'
WORK = 'article a[href*="references.html#"]'


def preview(page):
    return page.locator("#book-preview")


def rest(page, selector):
    """Point at the first such link, and wait until something has appeared."""
    link = page.locator(selector).first
    link.scroll_into_view_if_needed()
    page.wait_for_timeout(300)  # scrolling hides
    link.hover()
    preview(page).wait_for(state="visible")
    return link


@pytest.mark.parametrize(
    ("name", "selector", "text"),
    [
        (CHAPTER, SAME_PAGE, "(8.2)"),
        (CHAPTER, OTHER_PAGE, "(7."),
        (CHAPTER, WORK, "Cited in chapter"),
        ("book/10-the-vae.html", "article a.to-library", "fit"),
    ],
)
def test_pointing_at_a_link_shows_what_it_leads_to(open_page, name, selector, text):
    page = open_page(name)
    link = rest(page, selector)
    assert text in preview(page).inner_text()
    assert preview(page).locator("[id], a").count() == 0
    box = preview(page).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
    assert link.get_attribute("aria-describedby") == "book-preview"
    page.mouse.move(2, 2)
    preview(page).wait_for(state="hidden")
    assert link.get_attribute("aria-describedby") is None


def test_the_keyboard_shows_it_and_escape_hides_it(open_page):
    page = open_page(CHAPTER)
    page.locator(SAME_PAGE).first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    preview(page).wait_for(state="visible")
    page.keyboard.press("Escape")
    preview(page).wait_for(state="hidden")


def test_a_finger_follows_the_link_and_nothing_appears(open_page):
    page = open_page(CHAPTER, viewport={"width": 375, "height": 740}, has_touch=True)
    page.locator(SAME_PAGE).first.tap()
    page.wait_for_timeout(600)
    assert preview(page).is_hidden()
    assert page.evaluate("location.hash") == "#equation-8-2"


def test_in_a_folder_of_files_a_link_within_the_page_has_one(built_site, new_page):
    page = new_page(errors_count=False)  # a browser tells of the page that it may not read
    page.goto((built_site / CHAPTER).as_uri())
    rest(page, SAME_PAGE)
    page.mouse.move(2, 2)
    page.locator(WORK).first.hover()
    page.wait_for_timeout(800)
    assert preview(page).is_hidden()


def test_pointing_at_a_symbol_shows_its_entry_of_the_notation_page(open_page):
    notation = Path(__file__).parents[2] / "book" / "notation.md"
    (row,) = symbols.explained("p(x)", 8, symbols.entries(notation.read_text("utf8")))
    page = open_page(CHAPTER)
    rest(page, f'article .math[data-symbol="{row}"]')
    assert "the evidence" in preview(page).inner_text()
    assert preview(page).locator("[id], a, td").count() == 0
