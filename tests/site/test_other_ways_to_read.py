"""The book over file://, without scripts, on paper, and with large letters."""

import io
import re
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FOLDED = {"tags": ["hide-input"]}
SUM = " + ".join(f"a_{{{k}}}" for k in range(40))
ROW = " & ".join(f"a_{{{k}}} b_{{{k}}}" for k in range(24))
LONG = "total = " + " + ".join(f"number_{k:02d}" for k in range(9)) + "  # a remark at the end"
CELLS = [
    "# 1. One\n\nWords, and a formula: $a + b = c$.",
    ("from vae_lib.widgets import LambdaPlane\n\nplane = LambdaPlane(rho=0.9)\nplane", FOLDED),
    "## More\n\nA long line of code, which paper has to wrap.",
    (
        "\n".join(f"number_{k:02d} = {k}" for k in range(9)) + f"\n{LONG}\nprint(total)",
        {"tags": ["nbval-check-output"]},
    ),
    (
        "class Broken(LambdaPlane):\n"
        "    _esm = \"export default { render() { throw new Error('no such pixel'); } };\"\n\n\n"
        "Broken(rho=0.5)",
        FOLDED,
    ),
    f"## Long\n\n$$ s = {SUM} \\tag{{1.1}} $$\n\n"
    f"$$ \\begin{{matrix}} {ROW} \\end{{matrix}} \\tag{{1.2}} $$",
    "## Solutions\n\n### Solution 1.1",
    ("# Solution 1.1\nprint('Correct: it is so')", FOLDED),
]


@pytest.fixture(scope="module")
def chapter(module_book) -> Path:
    """The file of a page with a figure, a figure that cannot be drawn, a listing, a promise."""
    shutil.copytree(
        ROOT / "vae_lib" / "widgets",
        module_book.root / "vae_lib" / "widgets",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    module_book.notebook("01-one", *CELLS)
    module_book.build()
    return module_book.html / "book" / "01-one.html"


@pytest.fixture
def open_chapter(chapter, open_page):
    """Open it as a file; the error of its broken figure is expected."""
    opened = []

    def open_(link="", **options):
        opened.append(open_page(chapter.as_uri() + link, **options))
        return opened[-1]

    yield open_
    for page in opened:
        left = [error for error in page.watch.errors if "no such pixel" not in error]
        assert left == []
        page.watch.errors.clear()


def test_a_figure_is_drawn_and_answers_over_a_file_address(open_chapter):
    page = open_chapter()
    assert page.url.startswith("file://")
    figure = page.locator(".vw").first
    assert figure.get_by_role("slider").count() == 3
    kl = figure.locator(".vw-readings dd").first
    before = kl.text_content()
    figure.get_by_role("button", name="One step down").click()
    page.wait_for_function(
        "(old) => document.querySelector('.vw-readings dd').textContent !== old", arg=before
    )


def test_a_link_to_a_setting_works_over_a_file_address(open_chapter):
    page = open_chapter("#lambda-plane=rho:0.5,mean:1;2", viewport={"width": 900, "height": 500})
    figure = page.locator(".vw").first
    rho = figure.get_by_role("slider", name="correlation")
    assert rho.input_value() == "0.5"
    assert "1.0, 2.0" in figure.get_by_role("slider").nth(1).get_attribute("aria-valuetext")
    page.wait_for_function(
        "() => { const { top } = document.querySelector('.vw').getBoundingClientRect();"
        " return top > 40 && top < 120; }"
    )
    rho.press("ArrowLeft")
    figure.get_by_role("button", name="Link to this").click()
    figure.get_by_text("The address now holds this setting").wait_for()
    assert page.evaluate("location.hash") == "#lambda-plane=rho:0.45,mean:1;2"


def test_the_still_goes_when_the_figure_is_drawn_and_stays_when_it_cannot_be(open_chapter):
    page = open_chapter()
    assert page.locator(".vw").count() == 1
    stills = page.locator(".book-still img")
    assert stills.count() == 1, "of the figure that cannot be drawn"
    assert "0.50" in stills.get_attribute("alt")
    assert "no such pixel" in page.get_by_role("alert").text_content()


def test_without_scripts_each_figure_is_a_picture_with_words(chapter, new_page):
    page = new_page(java_script_enabled=False)
    page.goto(chapter.as_uri())
    stills = page.locator(".book-still")
    assert stills.count() == 2
    image = stills.first.locator("img")
    assert "KL(q ‖ p) over log s₁" in image.get_attribute("alt")
    assert "dark-light" in image.get_attribute("class")
    box = image.bounding_box()
    assert box["width"] == 600 and box["height"] == 280, "shown at half its pixels"
    shot = Image.open(io.BytesIO(image.screenshot())).convert("L")
    assert shot.getextrema()[0] < 60, "the picture has arrived"
    assert "JavaScript is off" in stills.first.inner_text()
    for name in ("--pst-color-background", "--pst-color-text-muted"):  # the button's and captions'
        read = f"getComputedStyle(document.documentElement).getPropertyValue('{name}')"
        assert page.evaluate(read).strip().startswith("#"), name


def test_search_engines_and_axe_find_the_picture_described(chapter, new_page):
    assert len(re.findall(r'alt="Left, KL\(q', chapter.read_text("utf8"))) == 2
    page = new_page()
    page.route("**/widget-host.js*", lambda route: route.abort())  # as if it had not come yet
    page.goto(chapter.as_uri())
    found = Axe().run(page, options={"preload": False}).response["violations"]
    assert [violation["id"] for violation in found] == []
    page.watch.errors.clear()


# ---- paper --------------------------------------------------------------------------------------

PAPER = {"viewport": {"width": 680, "height": 980}}  # what A4 has between its margins


def on_paper(page):
    page.emulate_media(media="print")
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    return page


def test_paper_shows_no_navigation_and_no_fold(open_chapter):
    page = on_paper(open_chapter(**PAPER))
    for selector in (
        ".bd-header-article",
        ".bd-sidebar",
        ".prev-next-area",
        ".bd-footer",
        "summary",
    ):
        shown = page.locator(selector).evaluate_all(
            "(all) => all.filter((n) => n.offsetHeight > 0)"
        )
        assert shown == [], selector
    assert page.get_by_text("LambdaPlane(rho=0.9)").is_visible() is False
    assert page.locator(".vw").is_visible()


def test_what_the_reader_has_unfolded_is_printed(open_chapter):
    page = open_chapter(**PAPER)
    page.locator("details.hide summary").first.click()
    on_paper(page)
    assert page.locator("details.hide").first.get_by_text("rho").first.is_visible()


def test_what_is_said_of_a_solution_is_shown_and_printed_with_it_only(open_chapter):
    page = open_chapter(**PAPER)
    said = page.locator(".cell_output", has_text="Correct: it is so")
    assert not said.is_visible()
    assert not on_paper(page).get_by_text("Correct: it is so").last.is_visible()
    assert not page.get_by_role("heading", name="Solution 1.1").last.is_visible(), "over nothing"
    page.emulate_media(media="screen")
    page.locator("details.hide summary").last.click()
    assert said.is_visible()
    on_paper(page)
    assert said.is_visible()


def test_a_long_formula_fits_on_paper(open_chapter):
    page = open_chapter(**PAPER)
    wide = "(all) => all.filter((node) => node.scrollWidth > node.clientWidth + 1).length"
    formulas = page.locator(".math-scroll")
    assert formulas.evaluate_all(wide) == 2, "on the screen they scroll"
    on_paper(page)
    assert formulas.evaluate_all(wide) == 0
    assert formulas.first.bounding_box()["height"] > 30, "one goes on in a second line"


def test_nothing_is_cut_at_the_edge_of_the_paper(open_chapter):
    page = on_paper(open_chapter(**PAPER))
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    beyond = page.evaluate(
        """() => [...document.querySelectorAll(".bd-article pre")]
          .filter((node) => node.scrollWidth > node.clientWidth + 1).length"""
    )
    assert beyond == 0
    remark = page.locator("pre .c1").get_by_text("a remark at the end").bounding_box()
    assert remark["x"] + remark["width"] <= 680


def test_promises_and_figures_are_kept_whole(open_chapter):
    page = on_paper(open_chapter(**PAPER))
    for selector in (".vw", ".book-widgets", ".book-still", ".tag_nbval-check-output .cell_output"):
        rule = "(node) => getComputedStyle(node).breakInside"
        assert page.locator(selector).first.evaluate(rule) == "avoid", selector


# The colour at the middle of the plane of log s, whose shading is blue: lighter in the dark.
SHADE = """() => {
  const canvas = document.querySelector(".vw-plane canvas");
  const [red, green, blue] = canvas.getContext("2d")
    .getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
  return [red, green, blue].join();
}"""


def test_a_dark_page_is_printed_light_and_is_dark_again(open_chapter):
    light = open_chapter().evaluate(SHADE)
    page = open_chapter(color_scheme="dark")
    dark = page.evaluate(SHADE)
    assert dark != light
    page.evaluate(
        f"""() => addEventListener("beforeprint", () => queueMicrotask(() => {{
          window.printed = [document.documentElement.dataset.theme, ({SHADE})()];
        }}))"""
    )
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert page.evaluate("window.printed") == ["light", light], "the canvas is painted anew in time"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(SHADE) == dark


def test_what_is_printed_is_the_figure_as_the_reader_left_it(open_chapter):
    page = open_chapter()
    page.get_by_role("button", name="40 steps down").click()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    moved = page.locator(".vw-readings dd").first.text_content()
    on_paper(page)
    assert page.locator(".vw-readings dd").first.inner_text() == moved
    assert page.locator(".vw .book-still").count() == 0


# ---- letters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("size", [16, 24])
def test_the_readers_own_size_of_letters_counts(chapter, new_page, size, width):
    page = new_page(viewport={"width": width, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Page.setFontSizes", {"fontSizes": {"standard": size}})
    page.goto(chapter.as_uri())
    page.wait_for_function("document.documentElement.dataset.widgets === 'ready'")
    font = "(node) => parseFloat(getComputedStyle(node).fontSize)"
    basis = 17 * size / 16
    assert page.locator("article p").first.evaluate(font) == pytest.approx(basis, abs=0.01)
    assert page.locator(".vw-note").first.evaluate(font) == pytest.approx(0.8125 * basis, abs=0.01)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.watch.errors.clear()
