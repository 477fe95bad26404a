"""The front door: a first screen with all that counts, and a map that is true."""

import json
import re
from pathlib import Path

import pytest
import yaml
from book_site import landing
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"


def cells(name: str, kind: str) -> str:
    content = json.loads((BOOK / f"{name}.ipynb").read_text("utf8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in content if cell["cell_type"] == kind)


def table() -> list[list[str]]:
    """The rows of the landing page's table, without its head."""
    rows = re.findall(r"^\| (.*) \|$", cells("intro", "markdown"), flags=re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"\s*\|\s?", row)] for row in rows[2:]]


def chapters() -> dict[int, tuple[str, list[int], str]]:
    """Number -> (file, what it builds on, what can be touched), as the table has it."""
    found = {}
    for first, needs, touch in table():
        if match := re.match(r"\[(\d+)\. .*\]\(([\w-]+)\.ipynb\)", first):
            found[int(match[1])] = (match[2], [int(n) for n in needs.split(", ") if n], touch)
    return found


# ---- the table in the notebook ------------------------------------------------------------------


def test_the_table_has_the_chapters_and_parts_of_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    wanted = []
    for part in toc["parts"]:
        files = [entry["file"].removeprefix("book/") for entry in part["chapters"]]
        if numbered := [file for file in files if file[:2].isdigit()]:
            wanted += [f"**{part['caption']}**", *numbered]
    links = (re.search(r"\(([\w-]+)\.ipynb\)", first) for first, *_ in table())
    shown = [link[1] if link else first for link, (first, *_) in zip(links, table(), strict=True)]
    assert shown == wanted


def test_the_titles_are_the_chapters_own():
    for first, *_ in table():
        if match := re.match(r"\[(.*)\]\(([\w-]+)\.ipynb\)", first):
            assert f"# {match[1]}" == cells(match[2], "markdown").splitlines()[0]


def test_a_chapter_builds_on_earlier_ones_that_its_text_names():
    for number, (file, needs, _) in chapters().items():
        text = cells(file, "markdown")
        assert needs == sorted(set(needs))
        for need in needs:
            assert need < number
            assert re.search(rf"\]\({need:02d}-|[Cc]hapter {need}\b", text), f"{file}: {need}"


def test_what_can_be_touched_is_there_to_be_touched():
    for file, _, touch in chapters().values():
        made = re.search(r"from vae_lib\.widgets import", cells(file, "code"))
        assert bool(touch) == bool(made), file


# ---- the map ------------------------------------------------------------------------------------


def test_lines_that_run_side_by_side_have_lanes_of_their_own():
    lines = [(1, 3), (3, 5), (2, 4), (1, 9), (4, 8)]
    found = landing.lanes(lines)
    assert found[1, 3] == found[3, 5] == 0, "one ends where the other begins"
    for a in lines:
        for b in lines:
            if a < b and found[a] == found[b]:
                assert a[1] <= b[0] or b[1] <= a[0], (a, b)
    assert landing.lanes([]) == {}


def test_what_other_lines_imply_is_not_drawn():
    assert landing.direct([(1, 2), (2, 3), (1, 3), (1, 4), (3, 5), (1, 5)]) == [
        (1, 2),
        (2, 3),
        (1, 4),
        (3, 5),
    ]
    assert landing.direct([]) == []


@pytest.mark.parametrize(("words", "expected"), [(0, 5), (100, 5), (1500, 10), (3300, 20)])
def test_minutes_follow_from_the_words(words, expected):
    assert landing.minutes(words) == expected


def test_the_map_shows_each_chapter_with_its_minutes_and_follows_its_words(mini_book):
    rows = "| **Codes** | | |\n| [1. One](01-one.ipynb): first | | a dot |\n"
    rows += "| [2. Two](02-two.ipynb) | | |\n| [3. Three](03-three.ipynb) | 1, 2 | |\n"
    intro = "# Mini\n\n[Start](01-one.ipynb) · [Go](02-two.ipynb)\n\n"
    intro += f"| Chapter | | |\n|---|---|---|\n{rows}"
    for number, name in ((2, "Two"), (3, "Three")):
        mini_book.notebook(f"{number:02d}-{name.lower()}", f"# {number}. {name}")
    mini_book.notebook("01-one", "# 1. One\n\n" + "word " * 3000)
    mini_book.notebook("intro", intro)
    mini_book.build()
    soup = BeautifulSoup(mini_book.page("intro"), "html.parser")
    stations = soup.select(".book-map .map-station")
    assert [station.a["href"] for station in stations] == [
        "01-one.html",
        "02-two.html",
        "03-three.html",
    ]
    facts = [
        " ".join(station.select_one(".map-facts").get_text(" ").split()) for station in stations
    ]
    assert facts == ["20 min Touch a dot", "5 min", "5 min · builds on 1, 2"]
    rows = sorted(line["style"] for line in soup.select(".map-lines span"))
    assert rows == [
        "grid-row:2/4;--lane:1",
        "grid-row:3/4;--lane:0",
    ]
    assert [a.get_text() for a in soup.select("p.ways a")] == ["Start", "Go"]
    assert soup.find("table") is None
    mini_book.notebook("01-one", "# 1. One\n\n" + "word " * 6000)
    mini_book.build()
    assert "40 min" in mini_book.page("intro")


def test_lines_end_at_the_dots_of_their_stations(open_page):
    for width in (1280, 375):
        page = open_page("book/intro.html", viewport={"width": width, "height": 800})
        ends = page.evaluate(
            """() => {
              const dots = [...document.querySelectorAll(".map-station")].map((node) => {
                const style = getComputedStyle(node, "::before");
                return node.getBoundingClientRect().top + parseFloat(style.top)
                  + parseFloat(style.height) / 2;
              });
              return [...document.querySelectorAll(".map-lines span")].map((line) => {
                const box = line.getBoundingClientRect();
                const off = (y) => Math.min(...dots.map((dot) => Math.abs(dot - y)));
                return Math.max(off(box.top), off(box.bottom));
              });
            }"""
        )
        assert len(ends) >= 8
        assert max(ends) < 2.5


# ---- the first screen ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "whole"), [(1280, 900, True), (375, 800, False)], ids=["desk", "phone"]
)
def test_the_first_screen_says_what_it_is_has_two_ways_on_and_a_live_figure(
    open_page, width, height, whole
):
    page = open_page("book/intro.html", viewport={"width": width, "height": height})
    sentence = page.locator("article p").first
    assert sentence.inner_text().count(".") == 1
    ways = page.locator("p.ways a")
    assert ways.all_inner_texts() == ["Start at chapter 1", "Draw a digit"]
    for part in (sentence, ways.first, ways.last):
        box = part.bounding_box()
        assert 0 <= box["y"] <= height - box["height"]
    pads = page.locator(".vw-plane")
    assert pads.count() == 2
    for pad in [pads.first, *([pads.last] if whole else [])]:
        box = pad.bounding_box()
        assert box["y"] + box["height"] <= height
    handle = page.get_by_role("slider").first
    before = handle.get_attribute("aria-valuetext")
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert handle.get_attribute("aria-valuetext") != before
    assert page.evaluate("scrollY") == 0


def test_the_sidebar_has_the_parts(open_page):
    page = open_page("book/intro.html")
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    shown = page.locator(".bd-links .caption-text").all_text_contents()
    assert shown == [part["caption"] for part in toc["parts"]]
