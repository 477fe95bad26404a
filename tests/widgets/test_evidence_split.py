"""The evidence, split: quadrature in the browser against torch, and the ways to move q."""

import io

import examples
import harness
import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributions import Normal

from vae_lib.widgets import EvidenceSplit

EXPORTS = "splitEvidence, bestGaussian, readGrid"
GRID = "module.readGrid(model)"


def in_torch(m: float, s: float) -> tuple[float, float, float]:
    """log p(x), ELBO and KL by the same quadrature, each from its own definition."""
    nodes, _, joint, weights = examples.toy()
    log_px = torch.logsumexp(joint + weights, 0)
    log_q = Normal(torch.tensor(m).double(), torch.tensor(s).double()).log_prob(nodes)
    mass = (log_q + weights).exp()
    elbo = (mass * (joint - log_q)).sum()
    kl = (mass * (log_q - (joint - log_px))).sum()
    return log_px.item(), elbo.item(), kl.item()


def shown(page) -> list[float]:
    texts = page.locator("dd").all_inner_texts()
    return [float(text.removesuffix(" nats").replace("−", "-")) for text in texts]


def assert_consistent(page):
    log_px, elbo, kl = in_torch(harness.trait(page, "mean"), harness.trait(page, "std"))
    got = shown(page)
    assert got == pytest.approx([elbo, kl, log_px], abs=0.0016)
    assert round(1000 * got[0]) + round(1000 * got[1]) == round(1000 * got[2])  # as written


@pytest.mark.parametrize(("m", "s"), [(0.0, 1.0), (0.8, 0.3), (-2.0, 0.7), (1.5, 0.1)])
def test_quadrature_agrees_with_torch_and_adds_up(browser_page, m, s):
    page = harness.show(browser_page, examples.evidence_split(), exports=EXPORTS)
    script = f"([m, s]) => module.splitEvidence({GRID}, m, s)"
    got = page.evaluate(script, [m, s])
    log_px, elbo, kl = in_torch(m, s)
    assert [got["logPx"], got["elbo"], got["kl"]] == pytest.approx([log_px, elbo, kl], abs=1e-6)
    assert got["elbo"] + got["kl"] == pytest.approx(got["logPx"], abs=1e-9)
    assert got["kl"] >= 0


def test_the_identity_holds_even_where_q_leaves_the_grid(browser_page):
    page = harness.show(browser_page, examples.evidence_split(), exports=EXPORTS)
    got = page.evaluate(f"() => module.splitEvidence({GRID}, 5.8, 2.4)")
    assert got["elbo"] + got["kl"] == pytest.approx(got["logPx"], abs=1e-9)


def test_the_kl_is_zero_when_the_posterior_is_a_gaussian_and_q_is_it(browser_page):
    """A linear-Gaussian model: p(z) = N(0, 1), p(x|z) = N(z, 1), x = 1; posterior N(1/2, 1/2)."""
    nodes, prior, _, weights = examples.toy()
    joint = prior + Normal(nodes, 1.0).log_prob(torch.tensor(1.0).double())
    widget = EvidenceSplit(nodes, joint, weights, mean=0.5, std=0.5**0.5)
    page = harness.show(browser_page, widget, exports=EXPORTS)
    log_px = Normal(0.0, 2**0.5).log_prob(torch.tensor(1.0)).item()
    assert shown(page) == pytest.approx([log_px, 0, log_px], abs=0.0011)
    best = page.evaluate(f"() => module.bestGaussian({GRID}, [-6, 6], [0.05, 2.4])")
    assert best == pytest.approx([0.5, 0.5**0.5], abs=1e-3)


def test_keys_on_the_sliders_move_q(browser_page):
    page = harness.show(browser_page, examples.evidence_split())
    before = shown(page)
    page.get_by_role("slider", name="mean m").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.get_by_role("slider", name="width s").focus()
    page.keyboard.press("PageDown")
    harness.settle(page)
    assert harness.trait(page, "mean") == pytest.approx(0.2)
    assert harness.trait(page, "std") < 1
    assert shown(page)[2] == before[2] and shown(page)[:2] != before[:2]
    assert_consistent(page)


def test_the_grips_drag_q(browser_page):
    page = harness.show(browser_page, examples.evidence_split())
    width = page.locator(".vw-chart").bounding_box()["width"]
    for name, nats in ((".vw-mean", 1.0), (".vw-width", -0.5)):
        box = page.locator(name).bounding_box()
        page.mouse.move(box["x"] + 14, box["y"] + 14)
        page.mouse.down()
        page.mouse.move(box["x"] + 14 + nats * width / 12, box["y"] + 14, steps=6)
        page.mouse.up()
        harness.settle(page)
    assert harness.trait(page, "mean") == pytest.approx(1.0, abs=0.03)
    assert harness.trait(page, "std") == pytest.approx(0.5, abs=0.04)
    assert_consistent(page)


def test_a_finger_drags_q(new_page):
    page = new_page(has_touch=True, viewport={"width": 375, "height": 800})
    harness.show(page, examples.evidence_split())
    harness.swipe(page, page.locator(".vw-mean"), (0.5, 0.5), (1.5, 0.5), (2.5, 0.5))
    assert harness.trait(page, "mean") > 0.5
    assert_consistent(page)


def test_best_gaussian_beats_a_search_in_torch(browser_page):
    page = harness.show(browser_page, examples.evidence_split())
    page.get_by_role("button", name="Best Gaussian").click()
    harness.settle(page)
    _, elbo, _ = in_torch(harness.trait(page, "mean"), harness.trait(page, "std"))
    rivals = [in_torch(m / 20, s / 20)[1] for m in range(-60, 61, 2) for s in range(2, 40)]
    assert elbo >= max(rivals)
    assert_consistent(page)


def test_the_bar_is_as_wide_as_the_numbers_say(browser_page):
    page = harness.show(browser_page, examples.evidence_split(mean=0.9, std=0.6, span=4.0))
    kl = shown(page)[1]
    assert kl < 4
    share = page.evaluate(
        """() => document.querySelector(".vw-part-kl").getBoundingClientRect().width
          / document.querySelector(".vw-split").clientWidth"""
    )
    assert share == pytest.approx(kl / 4, abs=0.01)
    label = page.locator(".vw-split").get_attribute("aria-label")
    assert f"KL {kl:.3f}" in label


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_two_parts_of_the_bar_look_different_in_forced_colours(new_page, scheme):
    page = new_page(forced_colors="active", color_scheme=scheme)
    harness.show(page, examples.evidence_split(mean=0.9, std=0.5), scheme)
    page.locator(".vw-split div").evaluate_all("(all) => all.forEach((n) => (n.textContent = ''))")
    seen = []
    for part in (".vw-part-elbo", ".vw-part-kl"):
        shot = Image.open(io.BytesIO(page.locator(part).screenshot())).convert("L")
        seen.append(np.asarray(shot)[6:-6, 6:-6] > 127)  # without the borders
    plain, hatched = (min(area.mean(), 1 - area.mean()) for area in seen)
    assert plain == 0 and 0.05 < hatched < 0.4, "one part is plain, the other hatched"


def test_python_moves_q(browser_page):
    widget = examples.evidence_split()
    page = harness.show(browser_page, widget)
    widget.mean, widget.std = -0.4, 0.25
    harness.push(page, widget, "mean", "std")
    assert_consistent(page)
    assert page.get_by_role("slider", name="mean m").input_value() == "-0.4"


def test_wrong_tables_are_named():
    nodes, _, joint, weights = examples.toy()
    for arguments, message in (
        ((nodes, joint[:5], weights), "log_joint has shape \\[5\\]"),
        ((nodes.flip(0), joint, weights), "rise"),
        ((nodes, joint * torch.nan, weights), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            EvidenceSplit(*arguments)
    with pytest.raises(ValueError, match="std is 0"):
        EvidenceSplit(nodes, joint, weights, std=0)
