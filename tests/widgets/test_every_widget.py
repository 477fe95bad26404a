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
