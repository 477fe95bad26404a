"""Predict first: what would tell is covered until there is a guess; the truth is the figure's."""

import re

import examples
import harness
import pytest
from axe_playwright_python.sync_playwright import Axe

from vae_lib.widgets import TwoGaussians

# Of each figure: the reading that the question asks for, and what is shown from the beginning.
ASKED = {
    "two_gaussians": ("KL(p ‖ q)", ".vw-chart"),
    "gradient_spread": ("worth one", None),
    "bound_ladder": ("below log p(x)", ".vw-row"),
    "rate_distortion": ("rate R", ".vw-rd-row"),
}
each = pytest.mark.parametrize("name", ASKED)
GUESS, SKIP = "This is my guess", "Show it without a guess"


def asking(page, name, **options):
    figure = examples.ALL[name]()
    figure.ask = True
    return harness.show(page, figure, **options)


def guess(page):
    """Choose something, if nothing is chosen yet, and answer."""
    side = page.locator(".vw-guess [aria-pressed]")
    if side.count():
        side.first.click()
    page.get_by_role("button", name=GUESS).click()
    harness.settle(page)


def test_a_verdict_says_of_which_setting_it_speaks(browser_page):
    page = asking(browser_page, "two_gaussians")
    guess(page)
    before = panel(page)
    page.get_by_role("slider", name="mean of q").press("ArrowRight")
    harness.settle(page)
    assert panel(page) == f"At the setting that was asked about: {before}"


def panel(page) -> str:
    return page.locator(".vw-guess").inner_text()


def reading(page, words: str) -> str:
    row = page.locator(".vw-readings div").filter(has_text=words)
    return row.locator("dd").inner_text()


def said(page) -> str:
    """All that a screen reader is given."""
    return page.locator("body").aria_snapshot()


@each
def test_what_would_tell_is_covered_before_and_shown_after(browser_page, name):
    words, shown = ASKED[name]
    page = asking(browser_page, name)
    page.wait_for_timeout(500)  # until announcements would have been made
    for selector in ("dl.vw-readings", "p.vw-note", ".vw-unseen", ".vw-sliders", ".vw-slider"):
        for node in page.locator(f".vw > :not(.vw-guess) {selector}, .vw > {selector}").all():
            if node.evaluate("(node) => !node.closest('.vw-guess')"):
                assert node.evaluate("(node) => getComputedStyle(node).visibility") == "hidden"
    # The scale of the integrand, one of two, is a part of the picture.
    assert not re.search(r"\d nats(?! per unit)|nats =", said(page)), "a number is told"
    if shown:
        assert page.locator(shown).first.is_visible()
    else:
        assert page.locator(".vw-chart path").first.is_hidden()
    guess(page)
    assert page.locator("dl.vw-readings").is_visible() and page.locator(".vw-chart").is_visible()
    assert page.locator(".vw-covered, [inert]").count() == 0
    truth = reading(page, words)
    assert truth.split(" = ")[0] in panel(page)
    assert panel(page).startswith("You guessed")


@each
def test_it_can_be_shown_without_a_guess(browser_page, name):
    page = asking(browser_page, name)
    page.get_by_role("button", name=SKIP).click()
    harness.settle(page)
    truth = reading(page, ASKED[name][0]).split(" = ")[0]
    assert truth in panel(page) and "guess" not in panel(page)
    assert page.locator(".vw-guess button:visible").count() == 0


@each
def test_the_keyboard_answers(browser_page, name):
    page = asking(browser_page, name)
    page.keyboard.press("Tab")
    if name == "two_gaussians":
        assert page.get_by_role("button", name=GUESS).is_disabled()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
    else:
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == GUESS
    page.keyboard.press("Enter")
    harness.settle(page)
    assert page.evaluate("document.activeElement.textContent") == panel(page), "it is read out"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.vw') !== null")


@each
def test_a_figure_drawn_again_does_not_ask_again(browser_page, name):
    page = asking(browser_page, name)
    guess(page)
    saved = page.evaluate("window.model.saved")
    assert saved and harness.trait(page, "ask") is False, "a kernel hears of it"
    page.get_by_role("button", name="Reset", exact=True).click()
    assert harness.trait(page, "ask") is False
    page.evaluate(
        """() => {
          const el = document.createElement("div");
          document.getElementById("host").after(el);
          window.module.default.render({ model: window.model, el });
        }"""
    )
    harness.settle(page)
    assert page.locator(".vw-guess:visible").count() == 1  # the first one, with its verdict
    assert page.get_by_role("button", name=GUESS).count() == 0


@each
def test_nothing_moves_by_more_than_the_panel(browser_page, name):
    page = asking(browser_page, name)
    foot, height = page.locator(".vw-foot"), page.locator(".vw-guess").bounding_box()["height"]
    before = foot.bounding_box()["y"]
    guess(page)
    assert abs(foot.bounding_box()["y"] - before) <= height


@each
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_a_telephone(new_page, name, theme):
    page = new_page(viewport={"width": 375, "height": 700}, reduced_motion="reduce")
    asking(page, name, theme=theme)
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        options = {
            "rules": {rule: {"enabled": False} for rule in ("page-has-heading-one", "region")}
        }
        violations = Axe().run(page, options=options).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in violations] == []
        if page.get_by_role("button", name=GUESS).count():
            guess(page)


def test_the_verdict_says_how_far_off(new_page):
    told = {}
    for name in ("gradient_spread", "bound_ladder"):
        page = asking(new_page(), name)
        page.locator(".vw-guess input").press("Home")
        page.get_by_role("button", name=GUESS).click()
        told[name] = panel(page), reading(page, ASKED[name][0])
    verdict, truth = told["gradient_spread"]
    assert verdict == f"You guessed 1.0; it is {truth}: {truth} times too low."
    verdict, truth = told["bound_ladder"]
    assert verdict == f"You guessed 0.00 nats; it is {truth}: {truth} too low."


@pytest.mark.parametrize(
    ("q", "want"),
    [
        (
            (1.0, 0.7),
            "You guessed KL(q ‖ p), but KL(p ‖ q) is the larger: 2.054 nats against 0.593",
        ),
        ((1.0, 2.0), "You guessed right, KL(q ‖ p) is the larger: "),
        ((0.0, 1.5), "You guessed KL(q ‖ p), but both are 0.000 nats."),
    ],
)
def test_a_side_is_right_or_wrong(browser_page, q, want):
    page = harness.show(browser_page, TwoGaussians(q, (0.0, 1.5), ask=True))
    guess(page)
    assert panel(page).startswith(want)


def test_the_question_speaks_of_the_figure_as_it_stands(browser_page):
    page = asking(browser_page, "bound_ladder")
    assert "K = 16" in panel(page)
    page.evaluate("model.set('power', 3)")
    assert "K = 8" in panel(page)
    page.get_by_role("button", name=SKIP).click()
    assert reading(page, "below log p(x)") in panel(page)
    page.evaluate("model.set('ask', true)")
    assert page.get_by_role("button", name=GUESS).is_visible(), "a kernel may ask again"


def test_on_paper_a_figure_asks_nothing(browser_page):
    page = asking(browser_page, "two_gaussians")
    page.emulate_media(media="print")
    assert page.locator(".vw-guess").is_hidden()
    assert page.locator("dl.vw-readings").is_visible()
