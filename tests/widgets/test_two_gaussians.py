"""The touchable figure of chapter 6: its divergences against torch, its handles and its sliders."""

import itertools
import math

import harness
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_lib.widgets import TwoGaussians

EXPORTS = "klGaussians, signedAreas, integrand"
PAIRS = list(itertools.product([(-4.0, 0.3), (0.0, 1.0), (1.0, 0.7), (4.0, 3.0)], repeat=2))


def normal(pair) -> Normal:
    return Normal(*(torch.tensor(v, dtype=torch.float64) for v in pair))


def kl(a, b) -> float:
    return kl_divergence(normal(a), normal(b)).item()


def readings(page) -> list[str]:
    return page.locator("dd").all_inner_texts()


def words(nats: float) -> str:
    return f"{nats:.3f} nats = {nats / math.log(2):.3f} bits"


@pytest.fixture
def figure(browser_page):
    return harness.show(browser_page, TwoGaussians(), exports=EXPORTS)


def test_divergences_agree_with_torch(figure):
    got = figure.evaluate("(pairs) => pairs.map(([a, b]) => module.klGaussians(a, b))", PAIRS)
    want = [kl(a, b) for a, b in PAIRS]
    assert got == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_integrand_agrees_with_torch(figure):
    a, b = (1.0, 0.7), (0.0, 1.5)
    z = torch.linspace(-3, 5, 41, dtype=torch.float64)
    log_a, log_b = normal(a).log_prob(z), normal(b).log_prob(z)
    script = "([zs, a, b]) => zs.map((z) => module.integrand(z, a, b))"
    got = figure.evaluate(script, [z.tolist(), a, b])
    assert got == pytest.approx((log_a.exp() * (log_a - log_b)).tolist(), rel=1e-11, abs=1e-13)


def test_areas_are_signed_and_add_up_to_the_divergence(figure):
    areas = figure.evaluate("(pairs) => pairs.map(([a, b]) => module.signedAreas(a, b))", PAIRS)
    for (a, b), area in zip(PAIRS, areas, strict=True):
        assert area["positive"] >= 0 and area["negative"] >= 0
        assert area["positive"] - area["negative"] == pytest.approx(kl(a, b), rel=1e-9, abs=1e-9)
    # The positive area alone, against torch on a grid of its own.
    a, b = (1.0, 0.7), (0.0, 1.5)
    z = torch.linspace(-9, 11, 200_001, dtype=torch.float64)
    log_a, log_b = normal(a).log_prob(z), normal(b).log_prob(z)
    positive = torch.trapezoid((log_a.exp() * (log_a - log_b)).clamp(min=0), z).item()
    got = figure.evaluate("([a, b]) => module.signedAreas(a, b).positive", [a, b])
    assert got == pytest.approx(positive, abs=1e-5)


def test_both_directions_are_written_in_nats_and_bits(figure):
    q, p = harness.trait(figure, "q"), harness.trait(figure, "p")
    assert readings(figure) == [words(kl(q, p)), words(kl(p, q))]
    assert f"is {kl(q, p):.3f} nats" in figure.locator("p.vw-note").first.inner_text()


def test_shading_the_other_direction(figure):
    button = figure.get_by_role("button", name="Shade p log(p/q)")
    button.click()
    harness.settle(figure)
    assert harness.trait(figure, "shaded") == "p||q"
    assert button.get_attribute("aria-pressed") == "true"
    want = kl(harness.trait(figure, "p"), harness.trait(figure, "q"))
    assert f"is {want:.3f} nats" in figure.locator("p.vw-note").first.inner_text()


def test_swapping_swaps_the_numbers(figure):
    before = readings(figure)
    figure.get_by_role("button", name="Swap q and p").click()
    harness.settle(figure)
    assert readings(figure) == before[::-1] != before


def test_equal_gaussians_have_no_divergence(browser_page):
    page = harness.show(browser_page, TwoGaussians((0.5, 1.2), (0.5, 1.2)))
    assert readings(page) == [words(0.0)] * 2
    assert "NaN" not in page.locator(".vw").inner_html()


@pytest.mark.parametrize(
    ("handle", "name", "index", "sign"),
    [("mean", "q", 0, 1), ("width", "q", 1, 1), ("mean", "p", 0, 1), ("width", "p", 1, -1)],
)
def test_dragging_a_handle(figure, handle, name, index, sign):
    box = figure.locator(f".vw-grip.vw-{handle}.vw-of-{name}").bounding_box()
    chart = figure.locator(".vw-chart").bounding_box()
    before = harness.trait(figure, name)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    figure.mouse.move(x, y)
    figure.mouse.down()
    figure.mouse.move(x + chart["width"] / 16, y + 30)  # one unit of z
    figure.mouse.up()
    harness.settle(figure)
    after = harness.trait(figure, name)
    moved = before[index] + sign
    low = 0.3 if index else -4
    assert after[index] == pytest.approx(max(moved, low), abs=0.02)
    assert after[1 - index] == before[1 - index]
    q, p = harness.trait(figure, "q"), harness.trait(figure, "p")
    assert readings(figure) == [words(kl(q, p)), words(kl(p, q))]


def test_a_handle_stays_within_its_limits(figure):
    for name in ("q", "p"):
        for handle in ("mean", "width"):
            box = figure.locator(f".vw-grip.vw-{handle}.vw-of-{name}").bounding_box()
            figure.mouse.move(box["x"] + 14, box["y"] + 14)
            figure.mouse.down()
            figure.mouse.move(2000 if name == "q" else -900, 5)
            figure.mouse.up()
            harness.settle(figure)
    assert harness.trait(figure, "q") == [4, 3]
    assert harness.trait(figure, "p") == [-4, 3]


def test_keyboard_and_labels(figure):
    slider = figure.get_by_role("slider", name="std of q")
    slider.focus()
    figure.keyboard.press("ArrowRight")
    harness.settle(figure)
    assert harness.trait(figure, "q") == pytest.approx([1.0, 0.71])
    assert slider.get_attribute("aria-valuetext") == "0.71"
    figure.get_by_role("slider", name="mean of p").focus()
    figure.keyboard.press("Home")
    harness.settle(figure)
    assert harness.trait(figure, "p") == pytest.approx([-4, 1.5])
    assert (
        figure.get_by_role("img")
        .get_attribute("aria-label")
        .startswith("Densities of q = N(1.00, 0.71)")
    )


def test_by_touch(new_page):
    page = harness.show(
        new_page(has_touch=True, viewport={"width": 375, "height": 800}), TwoGaussians()
    )
    box = page.locator(".vw-grip.vw-mean.vw-of-q").bounding_box()
    session = page.context.new_cdp_session(page)
    x, y = box["x"] + 14, box["y"] + 14
    for kind, dx in (("touchStart", 0), ("touchMove", 20), ("touchMove", 40)):
        points = [{"x": x + dx, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    harness.settle(page)
    assert harness.trait(page, "q")[0] > 2


def test_leaving_takes_its_listeners_along(figure):
    assert figure.evaluate("window.model.listeners()") > 0
    figure.evaluate("window.leave()")
    assert figure.evaluate("window.model.listeners()") == 0


def test_python_moves_it_and_bad_values_are_refused():
    widget = TwoGaussians(q=(0, 1), p=(2, 0.5), shaded="p||q")
    assert widget.q == [0.0, 1.0]
    with pytest.raises(ValueError, match="standard deviation of q is 0"):
        widget.q = [0.0, 0.0]
    with pytest.raises(ValueError, match="mean of p is 9"):
        TwoGaussians(p=(9, 1))
    with pytest.raises(ValueError, match=r"p is .*nan"):
        TwoGaussians(p=(math.nan, 1))
    with pytest.raises(ValueError, match="must be a mean"):
        TwoGaussians(q=(0, 1, 2))
    with pytest.raises(ValueError, match="shaded is"):
        TwoGaussians(shaded="both")
