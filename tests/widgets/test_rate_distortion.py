"""The rate-distortion curve: what the page decodes is what torch decodes, at every β."""

import examples
import harness
import pytest
import torch

from vae_lib.widgets import RateDistortion

BETAS = (0.5, 1.0, 4.0)
DECODERS = [examples.network(3, 16, 784, seed=20 + k) for k in range(3)]
COUNT = len(examples.digits())


def draws(page, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The page's ε and z for a seed, [5, 3] each."""
    given = page.evaluate(
        """([seed, count, size]) => {
          const { eps, z } = module.latentDraws(seed, count, size);
          return [eps, z].map((rows) => rows.map((row) => Array.from(row)));
        }""",
        [seed, COUNT, 3],
    )
    eps, z = (torch.tensor(rows, dtype=torch.float64) for rows in given)
    return eps, z


def assert_consistent(page):
    chosen, seed = harness.trait(page, "chosen"), harness.trait(page, "seed")
    eps, z = draws(page, seed)
    g = torch.Generator().manual_seed(6)
    mu, logvar = [torch.randn(2, 5, 3, generator=g) for _ in BETAS][chosen].double()
    decode = examples.as_sent(DECODERS[chosen])
    rows = (decode(mu + (0.5 * logvar).exp() * eps), decode(z))
    for r, row in enumerate(rows, start=1):
        for i, logits in enumerate(row):
            grey = 255 * (1 - logits.sigmoid())
            painted = torch.tensor(harness.tile(page, r * COUNT + i))
            assert (painted - grey).abs().max() <= 1.01
    point = [(9.25, 31.5), (6.0, 34.25), (0.5, 45.125)][chosen]
    written = page.locator(".vw-readings dd").all_inner_texts()
    numbers = [float(text.removesuffix(" nats")) for text in written]
    assert numbers == pytest.approx([*point, sum(point)], abs=0.006)
    assert f"β = {BETAS[chosen]:g}:" in page.locator(".vw-chart svg").get_attribute("aria-label")


def shown(page):
    return harness.show(page, examples.rate_distortion(), exports="latentDraws")


def test_it_opens_at_one_with_the_digits_as_they_are(browser_page):
    page = shown(browser_page)
    assert harness.trait(page, "chosen") == 1
    for i, digit in enumerate(examples.digits()):
        assert harness.tile(page, i) == (255 * (1 - digit)).int().tolist()
    assert_consistent(page)


def test_the_page_s_draws_are_standard_normal(browser_page):
    page = shown(browser_page)
    some = torch.cat([torch.cat(draws(page, seed)) for seed in range(200)])
    assert some.mean().abs() < 0.06 and (some.std() - 1).abs() < 0.05
    assert some[:10].unique().numel() == 30


def test_keys_move_beta(browser_page):
    page = shown(browser_page)
    knob = page.get_by_role("slider", name="weight β")
    knob.focus()
    page.keyboard.press("ArrowRight")
    harness.settle(page)
    assert harness.trait(page, "chosen") == 2
    assert knob.get_attribute("aria-valuetext") == "4"
    assert_consistent(page)


def test_a_point_of_the_curve_can_be_clicked_and_carries_the_marker(browser_page):
    page = shown(browser_page)
    page.locator(".vw-rd-point").first.click()
    harness.settle(page)
    assert harness.trait(page, "chosen") == 0
    point, marker = (
        page.locator(name).first.bounding_box() for name in (".vw-rd-point", ".vw-rd-marker")
    )
    for axis, size in (("x", "width"), ("y", "height")):
        centres = [box[axis] + box[size] / 2 for box in (point, marker)]
        assert centres[0] == pytest.approx(centres[1], abs=0.6)
    assert_consistent(page)


@pytest.mark.parametrize("chosen", range(3))
def test_the_line_through_the_marker_has_slope_minus_beta(browser_page, chosen):
    page = shown(browser_page)
    page.evaluate("(chosen) => window.model.set('chosen', chosen)", chosen)
    harness.settle(page)
    ends, dots = page.evaluate(
        """() => [
          document.querySelector(".vw-chart .q").getAttribute("d").match(/[-\\d.]+/g).map(Number),
          [...document.querySelectorAll(".vw-rd-point")].map(
            (dot) => ["cx", "cy"].map((name) => Number(dot.getAttribute(name)))),
        ]"""
    )
    (x1, y1), (x2, y2) = dots[0], dots[2]  # from pixels to nats
    nats_across, nats_down = (9.25 - 0.5) / (x1 - x2), (45.125 - 31.5) / (y1 - y2)
    slope = -(ends[3] - ends[1]) * nats_down / ((ends[2] - ends[0]) * nats_across)
    assert slope == pytest.approx(-BETAS[chosen], rel=0.02)


def test_the_button_draws_again(browser_page):
    page = shown(browser_page)
    before = harness.tile(page, 2 * COUNT)
    page.get_by_role("button", name="Draw z again").click()
    harness.settle(page)
    assert harness.trait(page, "seed") == 1
    assert harness.tile(page, 2 * COUNT) != before
    assert_consistent(page)


def test_python_moves_it(browser_page):
    widget = examples.rate_distortion()
    page = harness.show(browser_page, widget, exports="latentDraws")
    widget.chosen, widget.seed = 0, 3
    harness.push(page, widget, "chosen", "seed")
    assert_consistent(page)


def test_it_leaves_nothing_behind(browser_page):
    page = shown(browser_page)
    page.evaluate("window.leave()")
    assert page.evaluate("window.model.listeners()") == 0


def built(**changed):
    g = torch.Generator().manual_seed(6)
    given = {
        "decoders": dict(zip(BETAS, DECODERS, strict=True)),
        "points": {b: (1.0, 40.0) for b in BETAS},
        "posteriors": {b: tuple(torch.randn(2, 5, 3, generator=g)) for b in BETAS},
        "images": examples.digits(),
    }
    return RateDistortion(**(given | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"decoders": {1.0: DECODERS[0]}}, "at least two"),
        ({"points": {1.0: (1.0, 2.0)}}, "points are of β"),
        ({"posteriors": {}}, "posteriors are of β"),
        ({"points": {b: (float("nan"), 2.0) for b in BETAS}}, "nats are wanted"),
        ({"points": {b: (-1.0, 2.0) for b in BETAS}}, "nats are wanted"),
        ({"images": examples.digits()[:4]}, "mu of β = 0.5 has shape"),
        ({"images": examples.digits(13)}, "N <= 12"),
        ({"beta": 3.0}, "beta is 3.0"),
        (
            {"decoders": dict(zip(BETAS, [*DECODERS[:2], examples.network(3, 196)], strict=True))},
            "take one size",
        ),
    ],
)
def test_wrong_arguments_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        built(**changed)
