"""Every page of the book in a real browser with every outside request blocked."""

import io
import json
import os
import re
from functools import cache, lru_cache
from html.parser import HTMLParser
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from accessibility import COLOURS, LAYOUT, axe_violations
from book_site.theme import pages_of
from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "_build" / "screenshots"
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 740}, "has_touch": True},
}
RULES = {"light": None, "dark": COLOURS, "phone": LAYOUT}  # what may differ from "light"


def source_of(page_name: str) -> Path:
    """The notebook or Markdown file of a page."""
    notebook = ROOT / f"{page_name}.ipynb"
    return notebook if notebook.exists() else ROOT / f"{page_name}.md"


def markdown_of(page_name: str) -> str:
    """The text of a page's source, without code."""
    text = source_of(page_name).read_text("utf8")
    if source_of(page_name).suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@lru_cache(maxsize=1)  # the tests of a page come together
def soup_of(built_site, page_name: str) -> BeautifulSoup:
    """A page as it was written; to be read only."""
    return BeautifulSoup((built_site / f"{page_name}.html").read_text("utf8"), "html.parser")


class Anchors(HTMLParser):
    """Where the links of a page lead, and the places in it that a link can lead to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text("utf8"))

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.places.add(told.get("id"))
        if tag == "a" and told.get("href"):
            self.links.append(told["href"])


anchors_of = cache(Anchors)  # most pages link to the same few: each is read once


# Pictures further down are fetched when the reader comes near.
ALL_PICTURES = """() => Promise.all([...document.images].map(image => {
  image.loading = "eager";
  return image.decode();
})).then(() => null)"""
AT_REST = "() => new Promise(done => setTimeout(() => requestAnimationFrame(done), 200))"


def formulas_are_set(page):
    """By the build: no script does it, and none that is heavy is loaded."""
    assert page.locator(".katex").count() > 0
    assert page.locator(".math-error, .katex-error").count() == 0
    assert page.evaluate("document.fonts.check('16px KaTeX_Main')")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    heavy = re.compile(r"mathjax|katex[^/]*\.js|require|fontawesome|searchindex", re.IGNORECASE)
    assert [name for name in loaded if heavy.search(name)] == []


def widgets_are_drawn(page, soup):
    """Each from the state that the page stores."""
    views = soup.find_all("script", type="application/vnd.jupyter.widget-view+json")
    stored = soup.find("script", type="application/vnd.jupyter.widget-state+json")
    states = json.loads(stored.string)["state"]
    assert {json.loads(view.string)["model_id"] for view in views} <= set(states)
    boxes = page.locator(".book-widgets")
    assert boxes.count() == len(views)
    assert all(boxes.nth(k).bounding_box()["height"] > 40 for k in range(boxes.count()))


def a_folded_cell_opens_by_keyboard(page):
    folded = page.locator("details.hide").first
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert folded.evaluate("details => details.open")
    page.keyboard.press("Enter")
    assert not folded.evaluate("details => details.open")


LETTERS = 120 * 1024  # bytes on a page, formulas not counted
FACES = """() => performance.getEntriesByType("resource")
  .filter((entry) => entry.name.includes("/faces/"))
  .map((entry) => [entry.name, entry.decodedBodySize])"""


def letters_are_light(page):
    faces = page.evaluate(FACES)
    assert any("source-serif" in name for name, _ in faces)
    assert 0 < sum(size for _, size in faces) <= LETTERS


def what_it_holds_is_there_and_works(page, soup, page_name):
    """Its formulas, figures to touch and folded cells."""
    source = source_of(page_name).read_text("utf8")
    has_view = soup.find("script", type="application/vnd.jupyter.widget-view+json") is not None
    assert has_view == (re.search(r"vae_lib\.widgets|ipywidgets", source) is not None)
    if "$" in markdown_of(page_name):
        formulas_are_set(page)
    if has_view:
        widgets_are_drawn(page, soup)
    if soup.select("details.hide summary"):
        a_folded_cell_opens_by_keyboard(page)


@pytest.mark.parametrize("look", LOOKS)
def test_a_page_is_whole_accessible_and_fits(open_page, built_site, page_name, look):
    page = open_page(f"{page_name}.html", **LOOKS[look])
    scheme = page.evaluate("document.documentElement.dataset.theme")
    assert scheme == ("dark" if look == "dark" else "light")

    page.evaluate(ALL_PICTURES)
    if os.environ.get("BOOK_SCREENSHOTS"):  # for a person to look at: they take a third of the time
        folder = SCREENSHOTS / page_name.replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{look}.png", full_page=True)
        page.evaluate(AT_REST)  # it resizes the page, and the page answers
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "page scrolls sideways"
    )
    assert page.locator(".book-notice[role=alert]").all_text_contents() == []
    if look == "light":  # once, and before axe, which leaves code and formulas hidden
        letters_are_light(page)
        what_it_holds_is_there_and_works(page, soup_of(built_site, page_name), page_name)
    assert axe_violations(page, RULES[look]) == [], "axe-core's accessibility rules are broken"


def test_axe_finds_code_that_is_too_pale_and_a_box_that_no_key_scrolls(open_page):
    page = open_page("book/01-autoencoders.html")
    page.add_style_tag(content=".highlight .k { color: #ddd !important }")
    assert {text.split(":")[0] for text in axe_violations(page, COLOURS)} == {"color-contrast"}
    page.add_style_tag(content="main p { height: 1em; width: 99px; overflow: scroll }")
    rules = {text.split(":")[0] for text in axe_violations(page, LAYOUT)}
    assert rules == {"scrollable-region-focusable"}


STOPS = """() => {
  const all = "a[href], button, input, select, summary, textarea, [tabindex]";
  const seen = [...document.querySelectorAll(all)].filter((node) => node.tabIndex >= 0
    && !node.disabled && node.checkVisibility({ visibilityProperty: true })
    && (node.type !== "radio" || node.checked));
  seen.forEach((node, place) => (node.dataset.stop = place));
  return seen.length;
}"""
HERE = """() => {
  const node = document.activeElement;
  const { top, bottom, left, right } = node.getBoundingClientRect();
  const shown = bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
  const marked = [node, ...node.querySelectorAll("*")].map((part) => getComputedStyle(part))
    .some(({ outlineStyle, boxShadow }) => outlineStyle !== "none" || boxShadow !== "none");
  return [node.dataset.stop ?? null, shown && marked ? "" : node.outerHTML.slice(0, 120)];
}"""


@pytest.mark.parametrize("name", ["intro", "10-the-vae"])
def test_the_keyboard_comes_to_everything_and_is_seen_there(open_page, name):
    page = open_page(f"book/{name}.html")
    stops, visited, unseen = page.evaluate(STOPS), set(), []
    for _ in range(2 * stops):
        page.keyboard.press("Tab")
        stop, fault = page.evaluate(HERE)
        if stop in visited:
            break
        if fault:  # a link that slides into the page needs a moment
            page.wait_for_timeout(300)
            _, fault = page.evaluate(HERE)
        if stop is not None:
            visited.add(stop)
            unseen += [fault] if fault else []
    assert stops > 40
    assert len(visited) == stops, "else it is caught, or passes something by"
    assert unseen == []


# ---- ways to look, in pairs ----------------------------------------------------------------------

OF_EACH_KIND = ["intro", "05-bayes-and-the-evidence", "10-the-vae", "15-the-road-to-diffusion"]
OF_EACH_KIND += ["notation", "reference/training"]
SCHEMES = ("light", "dark", "forced colours")
WIDTHS = (1280, 768, 375, 320)


class Way(NamedTuple):
    """A page, and how it is looked at."""

    page: str
    scheme: str
    width: int
    zoom: int
    script: bool
    motion: str

    def options(self) -> dict:
        """Playwright's. A browser that zooms has fewer, larger pixels; a telephone's has not."""
        return {
            "color_scheme": "dark" if self.scheme == "dark" else "light",
            "forced_colors": "active" if self.scheme == "forced colours" else "none",
            "viewport": {"width": self.width // self.zoom, "height": 900 // self.zoom},
            "device_scale_factor": self.zoom,
            "java_script_enabled": self.script,
            "reduced_motion": self.motion,
        }


WAYS = [
    Way(
        page=page,
        scheme=SCHEMES[(p + w) % 3],
        width=width,
        zoom=1 + (p + w) % 2 if width > 400 else 1,
        script=(p + w // 2) % 2 == 0,
        motion=("reduce", "no-preference")[(p // 2 + (w + 1) // 2) % 2],
    )
    for p, page in enumerate(OF_EACH_KIND)
    for w, width in enumerate(WIDTHS)
]
# Text that lies beyond the screen, or beyond a box that neither shows it nor scrolls. A formula
# counts by the parts between which it can be broken: its accents stand outside boxes of their own.
CUT = """() => {
  const main = document.querySelector("main"), pieces = [...main.querySelectorAll(".base")];
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT), range = new Range();
  for (let node; (node = walker.nextNode());)
    if (node.data.trim() && !node.parentElement.closest(".katex")) pieces.push(node);
  return pieces.filter((piece) => {
    const element = piece.nodeType === 1 ? piece : piece.parentElement;
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    range.selectNodeContents(piece);
    const { left, right, width } = (piece === element ? piece : range).getBoundingClientRect();
    let from = 0, to = innerWidth;
    for (let box = element; box !== document.body; box = box.parentElement) {
      const { overflowX } = getComputedStyle(box), edges = box.getBoundingClientRect();
      if (/auto|scroll/.test(overflowX)) return false;
      if (/hidden|clip/.test(overflowX)) {
        from = Math.max(from, edges.left);
        to = Math.min(to, edges.right);
      }
    }
    const forEyes = to - from > 1;
    return forEyes && width > 0 && (left < from - 1 || right > to + 1);
  }).map((piece) => piece.textContent.trim());
}"""
FIGURES = """() => [...document.querySelectorAll(".vw, .book-still img, article .cell_output img")]
  .filter((node) => node.offsetHeight > 20 && node.naturalWidth !== 0).length"""
MOVING = """() => document.getAnimations().filter(({ playState }) => playState === "running").length
  + (getComputedStyle(document.documentElement).scrollBehavior === "smooth")"""


def test_each_two_ways_to_look_come_together_on_some_page():
    for one, other in combinations(Way._fields, 2):
        together = {(getattr(way, one), getattr(way, other)) for way in WAYS}
        apart = [{getattr(way, name) for way in WAYS} for name in (one, other)]
        if {one, other} != {"width", "zoom"}:
            assert together == set(product(*apart)), f"{one} and {other}"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)))
def test_nothing_is_lost_however_a_page_is_looked_at(open_page, built_site, way):
    page = open_page(f"book/{way.page}.html", **way.options())
    page.evaluate("[...document.images].forEach((image) => (image.loading = 'eager'))")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(CUT) == []
    soup = soup_of(built_site, f"book/{way.page}")
    figures = len(soup.find_all("script", type="application/vnd.jupyter.widget-view+json"))
    pictures = len(soup.select("article .cell_output img")) - len(soup.select(".book-still img"))
    assert page.evaluate(FIGURES) == figures + pictures, "alive or as a picture"
    if way.motion == "reduce":
        assert page.evaluate(MOVING) == 0
    if way.script and way.zoom == 1:
        colours = [] if way.scheme == "forced colours" else COLOURS
        assert axe_violations(page, LAYOUT + colours) == []


def test_every_figure_says_what_is_seen(built_site, page_name):
    for image in soup_of(built_site, page_name).select("article img"):
        assert len(image.get("alt", "").split()) >= 3, image["src"]
        assert "dark-light" in image.get("class", []), image["src"]


def test_figures_have_two_pixels_for_each_one_shown(built_site, page_name):
    """They are sharp on any screen, and their size is known before they arrive."""
    for image in soup_of(built_site, page_name).select("article img"):
        with Image.open((built_site / page_name).parent / image["src"]) as file:
            for shown, pixels in zip((image["width"], image["height"]), file.size, strict=True):
                assert int(shown) == pixels // 2, image["src"]


def test_no_page_names_another_host_for_what_it_loads(built_site, page_name):
    soup = soup_of(built_site, page_name)
    loaded = [tag.get("src") or "" for tag in soup.find_all(["script", "img", "iframe", "source"])]
    loaded += [
        tag.get("href") or "" for tag in soup.find_all("link") if "canonical" not in tag["rel"]
    ]
    assert [url for url in loaded if re.match(r"(https?:)?//", url)] == []


def test_every_internal_link_leads_somewhere(built_site):
    """Of every file that is a page, the reference, the search and old addresses among them."""
    pages = pages_of(built_site)
    assert len(pages) > 40
    lost = []
    for here in pages:
        for href in anchors_of(here).links:
            target, _, fragment = href.partition("#")
            if re.match(r"[a-z]+:|//", target):
                continue
            path = (here.parent / target).resolve() if target else here
            there = path.is_file() and (path.suffix != ".html" or not fragment)
            if not there and not (path.is_file() and fragment in anchors_of(path).places):
                lost.append(f"{here.relative_to(built_site)}: {href}")
    assert lost == []


def test_a_page_describes_itself(built_site, page_name):
    soup = soup_of(built_site, page_name)
    description = soup.find("meta", attrs={"name": "description"})["content"]
    assert 20 <= len(description) <= 210
    assert "\\" not in description, "TeX in the description"
    assert soup.find("meta", property="og:title")["content"]
    assert soup.html["lang"] == "en-GB"


def test_a_chapter_is_offered_as_the_notebook_it_is(built_site, page_name):
    if source_of(page_name).suffix != ".ipynb":
        pytest.skip("not a notebook")
    link = soup_of(built_site, page_name).select_one("a.btn-download-source-button[href]")
    offered = built_site / Path(page_name).parent / link["href"]
    assert offered.read_text("utf8") == source_of(page_name).read_text("utf8")


def test_figures_keep_their_pixels_in_the_dark(module_book, open_page):
    from book_server import serve

    source = (
        "from PIL import Image\npicture = Image.linear_gradient('L').resize((200, 100))\npicture"
    )
    module_book.notebook(
        "01-one",
        "# 1. One",
        (source, {"mystnb": {"image": {"alt": "A grey ramp", "classes": "dark-light"}}}),
    )
    module_book.build()
    with serve(module_book.html) as url:
        page = open_page(f"{url}/book/01-one.html", color_scheme="dark")
        image = page.locator("article img.dark-light")
        assert image.evaluate("element => getComputedStyle(element).filter") == "none"
        shot = Image.open(io.BytesIO(image.screenshot())).convert("L")
    seen = np.asarray(shot, dtype=int)
    pad_y, pad_x = ((have - want) // 2 for have, want in zip(seen.shape, (100, 200), strict=True))
    inner = seen[pad_y : pad_y + 100, pad_x : pad_x + 200]
    truth = np.asarray(Image.linear_gradient("L").resize((200, 100)), dtype=int)
    assert np.abs(inner - truth).max() <= 2
    assert seen[seen.shape[0] // 2, 1] == 255, "the card around a figure is white"


def test_the_search_finds_a_word_of_the_book(open_page):
    page = open_page("search.html?q=autoencoder")
    results = page.locator("#search-results ul.search li a")
    results.first.wait_for()
    assert any("/book/" in link.evaluate("link => link.href") for link in results.all())


def test_the_search_box_opens_by_keyboard_and_leads_to_the_results(open_page):
    page = open_page("book/intro.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("autoencoder")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=autoencoder*")
    page.locator("#search-results ul.search li a").first.wait_for()


def test_a_missing_page_is_told_at_any_depth(open_page, site_url):
    page = open_page("no/such/page.html")
    assert page.get_by_role("heading", name="Page not found").is_visible()
    links = page.locator("article a")
    assert links.first.evaluate("link => link.href") == f"{site_url}/book/intro.html"
    sheets = page.evaluate("[...document.styleSheets].every(sheet => sheet.cssRules.length > 0)")
    assert sheets, "a style sheet was not found"
    page.watch.errors = [error for error in page.watch.errors if "404" not in error]
    assert page.watch.errors == []
