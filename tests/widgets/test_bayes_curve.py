"""The touchable figure of chapter 5: its sums against vae_lib.exact, and its controls."""

import math

import harness
import pytest
import torch

from vae_lib.distributions import gaussian_log_prob, standard_normal_log_prob
from vae_lib.exact import Grid, expectation_on_grid, line, log_evidence, log_posterior
from vae_lib.widgets import BayesCurve

GRID = line(-6, 6, 401)
NODES = GRID.nodes[:, 0]
CURVE = 2 * torch.stack([torch.cos(1.25 * NODES), torch.sin(1.25 * NODES)], -1)
POINTS = [(1.1, 1.6), (-2.0, 0.1), (0.0, 0.0), (3.0, -2.5)]


def widget(**options) -> BayesCurve:
    return BayesCurve(NODES, CURVE, (1.1, 1.6), 0.3, **options)


def exact(x, std: float, grid: Grid = GRID):
    """log p(x), the log-posterior, its mean and its standard deviation, in float64."""
    x = torch.tensor(x, dtype=torch.float64)
    logvar = torch.full((2,), 2 * math.log(std), dtype=torch.float64)
    joint = gaussian_log_prob(x, CURVE, logvar) + standard_normal_log_prob(grid.nodes)
    posterior = log_posterior(joint, grid)
    mean = expectation_on_grid(posterior, NODES, grid)
    variance = expectation_on_grid(posterior, (NODES - mean) ** 2, grid)
    return log_evidence(joint, grid).item(), posterior, mean.item(), variance.sqrt().item()


@pytest.mark.parametrize("std", [0.1, 0.3, 1.0])
def test_browser_sums_agree_with_quadrature_in_torch(browser_page, std):
    page = harness.show(browser_page, widget(), exports="bayesOnCurve, doublesOf")
    for x in POINTS:
        got = page.evaluate(
            """([x, std]) => {
              const [nodes, curve] = ["nodes", "curve"].map((n) => module.doublesOf(model.get(n)));
              const r = module.bayesOnCurve(nodes, curve, x, std);
              return { ...r, logPosterior: [...r.logPosterior] };
            }""",
            [x, std],
        )
        evidence, posterior, mean, spread = exact(x, std)
        assert got["logEvidence"] == pytest.approx(evidence, abs=1e-9)
        assert got["mean"] == pytest.approx(mean, abs=1e-9)
        assert got["spread"] == pytest.approx(spread, abs=1e-7)
        assert torch.allclose(torch.tensor(got["logPosterior"]).double(), posterior, atol=1e-4)


def test_shading_is_the_evidence(browser_page):
    page = harness.show(browser_page, widget(), exports="evidenceMap, doublesOf")
    side, box = 16, [-3.2, 3.2, -3.2, 3.2]
    got = page.evaluate(
        """([side, box]) => {
          const [nodes, curve] = ["nodes", "curve"].map((n) => module.doublesOf(model.get(n)));
          return [...module.evidenceMap(nodes, curve, 0.3, box, side)];
        }""",
        [side, box],
    )
    centres = (torch.arange(side) + 0.5) / side * 6.4 - 3.2
    want = torch.tensor([[exact((x, y), 0.3)[0] for x in centres] for y in centres.flip(0)])
    shares = (want - want.max()).exp()
    assert torch.allclose(torch.tensor(got).view(side, side), shares.float(), atol=1e-3)


def numbers(page) -> list[str]:
    return page.locator(".vw-readings dd").all_inner_texts()


def evidence_shown(page) -> float:
    return float(numbers(page)[0].split()[0].replace("−", "-"))


def test_drag_moves_x_and_the_numbers(browser_page):
    page = harness.show(browser_page, widget())
    assert evidence_shown(page) == pytest.approx(exact((1.1, 1.6), 0.3)[0], abs=0.006)
    box = page.locator(".vw-plane").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.up()
    harness.settle(page)
    x = harness.trait(page, "x")
    low, high = harness.trait(page, "extent")[:2]
    assert x == pytest.approx([low + (high - low) / 4, 0.0], abs=0.05)
    assert evidence_shown(page) == pytest.approx(exact(x, 0.3)[0], abs=0.006)


def test_touch_moves_x(new_page):
    page = harness.show(new_page(has_touch=True, viewport={"width": 375, "height": 800}), widget())
    box = page.locator(".vw-plane").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    harness.settle(page)
    assert harness.trait(page, "x") == pytest.approx([0, 0], abs=0.05)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_keyboard_moves_x_and_noise(browser_page):
    page = harness.show(browser_page, widget())
    handle = page.get_by_role("slider", name="observed point x")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    x = harness.trait(page, "x")
    assert x[0] > 1.1 and x[1] > 1.6 + 4 * (x[0] - 1.1)
    noise = page.get_by_role("slider", name="noise σ")
    noise.focus()
    page.keyboard.press("ArrowRight")
    harness.settle(page)
    assert harness.trait(page, "std") == pytest.approx(0.31)
    assert evidence_shown(page) == pytest.approx(exact(x, 0.31)[0], abs=0.006)
    assert "nats" in handle.get_attribute("aria-valuetext")


def test_places_are_buttons(browser_page):
    page = harness.show(browser_page, widget(places={"the centre": (0, 0)}))
    page.get_by_role("button", name="the centre").click()
    harness.settle(page)
    closed_form = -math.log(2 * math.pi * 0.3**2) - 2**2 / (2 * 0.3**2)
    assert evidence_shown(page) == pytest.approx(closed_form, abs=0.006)
    assert numbers(page)[2] == "0.00 ± 1.00"  # the likelihood is flat: the posterior is the prior


def test_python_moves_the_figure(browser_page):
    page = harness.show(browser_page, widget())
    page.evaluate("() => { model.set('x', [-2, 0.1]); model.set('std', 0.5); }")
    harness.settle(page)
    assert evidence_shown(page) == pytest.approx(exact((-2, 0.1), 0.5)[0], abs=0.006)
    assert page.get_by_role("slider", name="noise σ").input_value() == "0.5"


def test_it_repaints_in_the_dark_and_leaves_nothing_behind(browser_page):
    page = harness.show(browser_page, widget())
    pixels = "() => document.querySelector('.vw-plane canvas').toDataURL()"
    light = page.evaluate(pixels)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    harness.settle(page)
    harness.settle(page)
    assert page.evaluate(pixels) != light
    page.evaluate("window.leave()")
    assert page.evaluate("model.listeners()") == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nodes": NODES**3}, "even"),
        ({"nodes": NODES.flip(0)}, "rising"),
        ({"curve": CURVE[:10]}, "curve"),
        ({"x": (1, 2, 3)}, "2"),
        ({"std": 2.0}, "std_range"),
        ({"std": 0.0, "std_range": (0.0, 1.0)}, "above 0"),
        ({"z_range": (1, -1)}, "z_range"),
    ],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        BayesCurve(**{"nodes": NODES, "curve": CURVE} | options)
