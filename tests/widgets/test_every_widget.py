"""What holds for each touchable figure: readable, reachable, small enough, and one of many."""

import ast
from pathlib import Path

import anywidget
import examples
import harness
import pytest
from axe_playwright_python.sync_playwright import Axe

from vae_lib import widgets

each = pytest.mark.parametrize("name", examples.ALL)


def test_every_figure_of_the_library_is_tested_here():
    shown = {type(make()).__name__ for make in examples.FIGURES}
    classes = (getattr(widgets, name) for name in widgets.__all__)
    assert shown == {kind.__name__ for kind in classes if issubclass(kind, anywidget.AnyWidget)}


@each
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(new_page, name, theme):
    page = harness.show(new_page(), examples.ALL[name](), theme)
    # Rules for whole pages do not apply to a figure alone in one.
    options = {"rules": {rule: {"enabled": False} for rule in ("page-has-heading-one", "region")}}
    violations = Axe().run(page, options=options).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in violations] == []


@each
def test_a_digit_is_the_same_in_dark_mode_but_the_page_is_not(new_page, name):
    tiles, backgrounds = [], []
    for theme in ("light", "dark"):
        page = harness.show(new_page(), examples.ALL[name](), theme)
        harness.settle(page)
        if page.locator("canvas.vw-digit").count():
            tiles.append(harness.tile(page))
        script = "() => getComputedStyle(document.querySelector('.vw')).backgroundColor"
        backgrounds.append(page.evaluate(script))
    assert not tiles or tiles[0] == tiles[1]
    assert backgrounds[0] != backgrounds[1]


@each
def test_jupyterlab_dark_theme_counts_too(browser_page, name):
    page = harness.show(browser_page, examples.ALL[name]())
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    script = "() => getComputedStyle(document.querySelector('.vw')).backgroundColor"
    assert page.evaluate(script) == "rgb(20, 24, 30)"


@each
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375])
def test_it_fits_a_telephone(new_page, name, width, theme):
    page = new_page(viewport={"width": width, "height": 700})
    harness.show(page, examples.ALL[name](), theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".vw :is(button, input, canvas, dd, output)")]
          .filter((node) => node.getBoundingClientRect().right > innerWidth).length"""
    )
    assert outside == 0


@each
def test_every_control_can_be_focused_and_seen(browser_page, name):
    page = harness.show(browser_page, examples.ALL[name]())
    controls = page.evaluate(
        """() => [...document.querySelectorAll(".vw :is(button, input, [tabindex])")]
          .filter((node) => !node.disabled && node.offsetParent).length"""
    )
    seen = set()
    for _ in range(controls):
        page.keyboard.press("Tab")
        style = page.evaluate(
            """() => {
              const node = document.activeElement;
              node.dataset.visit ??= Math.random();
              const { outlineStyle, outlineWidth } = getComputedStyle(node);
              return [node.dataset.visit, outlineStyle, parseFloat(outlineWidth)];
            }"""
        )
        seen.add(style[0])
        assert style[1] != "none" and style[2] >= 2, "the focus does not show"
    assert len(seen) == controls


@each
def test_two_views_of_one_model_stay_together(browser_page, name):
    """JupyterLab shows one widget in several places; on a page, ids must not clash either."""
    page = harness.show(browser_page, examples.ALL[name]())
    page.evaluate(
        """async () => {
          const el = document.body.appendChild(document.createElement("div"));
          await window.module.default.render({ model, el });
        }"""
    )
    harness.settle(page)
    slider = page.locator(".vw").first.get_by_role("slider").first
    if not slider.count():
        pytest.skip("this figure has no slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    harness.settle(page)
    texts = [
        page.locator(".vw").nth(i).get_by_role("slider").first.get_attribute("aria-valuetext")
        for i in (0, 1)
    ]
    assert texts[0] == texts[1]
    assert page.evaluate(
        "() => { const ids = [...document.querySelectorAll('[id]')].map((n) => n.id);"
        " return ids.length === new Set(ids).size; }"
    )


def test_widgets_import_nothing_else_of_the_library():
    for path in Path(widgets.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [n for n in names if n.startswith("vae_lib") and "widgets" not in n], path


@each
def test_modules_import_nothing(name):
    source = examples.ALL[name]()._esm
    assert "import " not in source.replace("important", "") and "http:" not in source.replace(
        "http://www.w3.org", ""
    )
    assert "innerHTML" not in source and "eval(" not in source


SCROLLABLE = "document.body.style.paddingBlock = '900px'; scrollTo(0, 700)"


@each
def test_a_swipe_scrolls_where_it_does_not_begin_on_the_handle(new_page, name):
    page = new_page(has_touch=True, viewport={"width": 375, "height": 700})
    harness.show(page, examples.ALL[name](), "light")
    planes = page.locator(".vw-plane")
    if not planes.count():
        pytest.skip("this figure has no plane")
    page.evaluate(SCROLLABLE)
    plane = planes.first
    moved = "() => window.model.saved"
    before, top = page.evaluate(moved), page.evaluate("scrollY")
    # A corner where no handle is, then up by more than the plane is high.
    harness.swipe(page, plane, *[(0.08, 0.92 - 0.1 * k) for k in range(12)])
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > top + 40, "the page did not scroll"
    assert page.evaluate(moved) == before, "the swipe moved the handle"


@pytest.mark.parametrize(
    "name", ["latent_pad", "bayes_curve", "ancestral_sampling", "lambda_plane"]
)
def test_a_tap_on_a_plane_and_a_drag_of_its_handle_move_it(new_page, name):
    page = new_page(has_touch=True, viewport={"width": 375, "height": 700})
    harness.show(page, examples.ALL[name](), "light")
    page.evaluate(SCROLLABLE)
    plane, handle = page.locator(".vw-plane").first, page.locator(".vw-handle").first

    def place():
        box, mark = plane.bounding_box(), handle.bounding_box()
        x, y = (mark[a] + mark[b] / 2 - box[a] for a, b in (("x", "width"), ("y", "height")))
        return x / box["width"], y / box["height"]

    harness.swipe(page, plane, (0.25, 0.3))
    assert place() == pytest.approx((0.25, 0.3), abs=0.02), "a tap puts the handle there"
    top = page.evaluate("scrollY")
    harness.swipe(page, plane, place(), *[(0.25 + 0.05 * k, 0.3 + 0.05 * k) for k in range(9)])
    assert place() == pytest.approx((0.65, 0.7), abs=0.02), "the handle follows the finger"
    assert page.evaluate("scrollY") == top, "and the page stays where it is"


def look(page, selector: str, part: str | None = None) -> list[str]:
    """The background colours, as drawn, of all elements of a kind, or of their ``::before``."""
    return page.evaluate(
        """([selector, part]) => [...document.querySelectorAll(selector)]
          .map((node) => getComputedStyle(node, part).backgroundColor)""",
        [selector, part],
    )


@each
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_keep_what_a_background_said(new_page, name, scheme):
    page = new_page(forced_colors="active", color_scheme=scheme)
    harness.show(page, examples.ALL[name](), scheme)
    paper = look(page, ".vw")[0]
    for selector in (".vw-handle", ".vw-z", ".vw-grip:not(.vw-of-p)"):
        assert paper not in look(page, selector, "::before"), f"{selector} has vanished"
    dots = look(page, ".vw-class", "::before")
    assert len(set(dots)) == len(dots) and paper not in dots, "classes look alike"
    toggles = page.locator("[aria-pressed]:visible")
    if toggles.count():
        toggles.nth(1).click()
        page.mouse.move(0, 0)
        page.wait_for_timeout(200)  # of the change of colour
        pressed, others = (
            set(look(page, f'.vw [aria-pressed="{state}"]')) for state in ("true", "false")
        )
        assert pressed and not pressed & others, "a pressed button looks like the others"
    text = page.evaluate(
        """() => {
          const probe = document.querySelector(".vw").appendChild(document.createElement("i"));
          probe.style.cssText = "forced-color-adjust: none; color: CanvasText";
          return getComputedStyle(probe).color;
        }"""
    )
    lines = page.evaluate(
        """() => [...document.querySelectorAll(".vw-curve, .vw-ring, .vw-q-area, .vw-axes")]
          .map((node) => getComputedStyle(node).stroke)"""
    )
    drawn = set(lines) - {"none"}  # a curve without a stroke is not seen
    assert drawn <= {text}, "a line is drawn in a colour that the reader did not choose"


MOVED = """() => {
  window.before = {};
  const set = model.set;
  model.set = (name, value) => {
    if (!(name in before)) before[name] = JSON.stringify(model.get(name));
    set(name, value);
  };
}"""
BACK = (
    "() => Object.entries(before).map(([name, text]) => JSON.stringify(model.get(name)) === text)"
)


@pytest.mark.parametrize("name", [name for name in examples.ALL if name != "draw_digit"])  # Clear
def test_reset_puts_back_what_was_moved(browser_page, name):
    page = harness.show(browser_page, examples.ALL[name]())
    page.evaluate(MOVED)
    movable = page.locator(".vw [role=slider], .vw input[type=range]:enabled")
    places = range(min(movable.count(), 2))
    for place in places:
        movable.nth(place).press("ArrowRight")
        movable.nth(place).press("ArrowUp")
    harness.settle(page)
    if not places:
        page.locator(".vw button:enabled").first.click()
    assert page.evaluate("Object.keys(before).length"), "nothing has moved"
    assert not all(page.evaluate(BACK)), "something differs from the beginning"
    page.get_by_role("button", name="Reset", exact=True).last.click()
    harness.settle(page)
    if name != "train_vae":  # whose settings are the reader's, and whose run begins again
        assert all(page.evaluate(BACK))
