"""The bound of K samples: its arithmetic against torch, and the ways to choose digit and K."""

import math

import examples
import harness
import pytest
import torch

from vae_lib.widgets import BoundLadder

EXPORTS = "weigh, ladder"


def in_torch(log_w: torch.Tensor, size: int) -> tuple[float, float]:
    """L_K and the effective sample size over groups of ``size``, by torch."""
    groups = log_w.double().reshape(-1, size)
    bound = (groups.logsumexp(1) - math.log(size)).mean()
    share = groups.softmax(1)
    return bound.item(), (1 / (share**2).sum(1)).mean().item()


def shown(page) -> list[float]:
    texts = page.locator("dd").all_inner_texts()
    return [float(text.split(" ")[0].replace("−", "-")) for text in texts]


def test_the_sums_agree_with_torch(browser_page):
    widget = examples.bound_ladder()
    page = harness.show(browser_page, widget, exports=EXPORTS)
    log_w = examples.log_weights()[:, 0].float()
    for size in (1, 8, 256):
        got = page.evaluate("([w, K]) => module.ladder(w, K)", [log_w.tolist(), size])
        assert [got["bound"], got["effective"]] == pytest.approx(in_torch(log_w, size), abs=1e-5)
        assert widget._ladder(size) == pytest.approx(in_torch(log_w, size), abs=1e-5)
    assert shown(page)[0] == pytest.approx(in_torch(log_w, 16)[0], abs=0.006)


def test_weights_far_below_one_do_not_vanish(browser_page):
    page = harness.show(browser_page, examples.bound_ladder(), exports=EXPORTS)
    got = page.evaluate("() => module.weigh([-5000, -5000 + Math.log(3)], 0, 2)")
    assert got["log"] == pytest.approx(-5000 + math.log(2))
    assert got["effective"] == pytest.approx(16 / 10)


def test_keys_choose_k_and_a_click_the_digit(browser_page):
    page = harness.show(browser_page, examples.bound_ladder())
    slider = page.get_by_role("slider", name="samples K")
    slider.focus()
    page.keyboard.press("ArrowRight")
    harness.settle(page)
    assert harness.trait(page, "power") == 5
    assert slider.get_attribute("aria-valuetext") == "32"
    page.get_by_role("button", name="digit 3").click()
    harness.settle(page)
    assert harness.trait(page, "chosen") == 2
    want = in_torch(examples.log_weights()[:, 2].float(), 32)
    bound, gap, level, effective = shown(page)
    assert bound == pytest.approx(want[0], abs=0.006)
    assert effective == pytest.approx(want[1], abs=0.06)
    assert round(100 * bound) + round(100 * gap) == round(100 * level)


def test_the_grip_drags_k(browser_page):
    page = harness.show(browser_page, examples.bound_ladder())
    width = page.locator(".vw-chart").bounding_box()["width"]
    box = page.locator(".vw-mean").bounding_box()
    page.mouse.move(box["x"] + 14, box["y"] + 14)
    page.mouse.down()
    page.mouse.move(box["x"] + 14 + 2 * width / 8, box["y"] + 14, steps=6)
    page.mouse.up()
    harness.settle(page)
    assert harness.trait(page, "power") == 6


def test_another_run_changes_its_curve_alone(browser_page):
    page = harness.show(browser_page, examples.bound_ladder())
    harness.settle(page)
    curves = [page.locator(f".vw-chart .vw-curve.{name}") for name in ("q", "posterior", "prior")]
    before = [curve.get_attribute("d") for curve in curves]
    page.get_by_role("button", name="Another run").click()
    harness.settle(page)
    after = [curve.get_attribute("d") for curve in curves]
    assert after[0] != before[0] and after[1:] == before[1:]


def test_python_moves_it(browser_page):
    widget = examples.bound_ladder()
    page = harness.show(browser_page, widget)
    widget.chosen, widget.power = 1, 2
    harness.push(page, widget, "chosen", "power")
    want = in_torch(examples.log_weights()[:, 1].float(), 4)
    assert shown(page)[0] == pytest.approx(want[0], abs=0.006)


def test_wrong_tables_are_named():
    log_w, level, images = examples.log_weights(), torch.zeros(5), examples.digits(5)
    for arguments, message in (
        ((log_w[:100], level, images), "power of 2"),
        ((log_w[:, 0], level, images), "not \\[K, B\\]"),
        ((log_w, level[:3], images), "log_px has shape"),
        ((log_w, level, images[:2]), "2 images"),
        ((log_w * torch.nan, level, images), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            BoundLadder(*arguments)
    with pytest.raises(ValueError, match="power 9"):
        BoundLadder(log_w, level, images, power=9)
