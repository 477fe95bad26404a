"""The λ plane: the divergence and its gradient against torch, and what moves them."""

import math

import harness
import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from vae_lib.widgets import LambdaPlane

POINTS = [
    ([0.0, 0.0, 0.0, 0.0], 0.0),
    ([-1.5, 1.0, 0.4, -1.8], 0.9),
    ([0.3, 0.2, -0.5, -0.7], -0.6),
]


def divergence(lam: torch.Tensor, rho: float) -> torch.Tensor:
    q = MultivariateNormal(lam[:2], torch.diag_embed((2 * lam[2:]).exp()))
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=torch.float64)
    return kl_divergence(q, MultivariateNormal(torch.zeros(2).double(), covariance))


def shown(page) -> float:
    text = page.locator("dd").first.inner_text()
    return float(text.removesuffix(" nats").replace("−", "-"))


@pytest.mark.parametrize(("lam", "rho"), POINTS)
def test_the_divergence_and_its_gradient_are_torchs(browser_page, lam, rho):
    page = harness.show(browser_page, LambdaPlane(), exports="meanFieldKl, meanFieldSlope")
    kl = page.evaluate("([lam, rho]) => window.module.meanFieldKl(lam, rho)", [lam, rho])
    slope = page.evaluate("([lam, rho]) => window.module.meanFieldSlope(lam, rho)", [lam, rho])
    at = torch.tensor(lam, dtype=torch.float64, requires_grad=True)
    want = divergence(at, rho)
    (gradient,) = torch.autograd.grad(want, at)
    assert kl == pytest.approx(want.item(), abs=1e-9)
    assert slope == pytest.approx(gradient.tolist(), abs=1e-9)


def test_going_down_ends_at_the_mean_field_optimum(browser_page):
    page = harness.show(browser_page, LambdaPlane(rho=0.9))
    before = shown(page)
    page.get_by_role("button", name="One step down").click()
    harness.settle(page)
    assert shown(page) < before
    for _ in range(10):
        page.get_by_role("button", name="40 steps down").click()
        harness.settle(page)
    assert harness.trait(page, "mean") == pytest.approx([0, 0], abs=0.02)
    best = 0.5 * torch.log(torch.tensor(1 - 0.81)).item()
    assert harness.trait(page, "log_std") == pytest.approx([best, best], abs=0.01)
    assert shown(page) == pytest.approx(-best, abs=0.002)


def test_both_handles_move_by_key_and_by_pointer(browser_page):
    page = harness.show(browser_page, LambdaPlane(rho=0.5, mean=(0, 0), log_std=(0, 0)))
    spreads, mean = page.locator(".vw-handle").all()
    spreads.press("ArrowLeft")
    assert harness.trait(page, "log_std")[0] == pytest.approx(-0.07)
    mean.press("ArrowUp")
    assert harness.trait(page, "mean")[1] == pytest.approx(0.12)
    harness.drag(page, page.locator(".vw-plane").nth(1), (0.5, 0.5), (0.75, 0.5))
    assert harness.trait(page, "mean") == pytest.approx([1.5, 0.0], abs=0.05)
    lam = torch.tensor([*harness.trait(page, "mean"), *harness.trait(page, "log_std")])
    assert shown(page) == pytest.approx(divergence(lam.double(), 0.5).item(), abs=0.0006)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"rho": 1.0}, "rho is"), ({"mean": [0.0]}, "mean has 1"), ({"log_std": [0, 0, 0]}, "3 num")],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LambdaPlane(**arguments)


def test_the_shading_is_the_divergence_in_bands_of_half_a_nat(browser_page):
    rho, lows = 0.6, (-2.6, 0.9)
    page = harness.show(browser_page, LambdaPlane(rho=rho, log_std=(0.7, 0.7)))
    least = -0.5 * math.log(1 - rho**2)
    for log_std in ([-0.3, -0.1], [-1.5, -0.2], [-0.6, -2.0], [0.3, -1.0]):
        kl = divergence(torch.tensor([0.0, 0.0, *log_std], dtype=torch.float64), rho).item()
        bands = 2 * (kl - least)
        assert abs(bands - round(bands)) > 0.05 or bands < 0.05, "choose a point inside a band"
        across, up = ((v - lows[0]) / (lows[1] - lows[0]) for v in log_std)
        alpha = page.evaluate(
            """([u, v]) => {
              const canvas = document.querySelector(".vw-plane canvas");
              const [x, y] = [u, 1 - v].map((w) => Math.round(w * canvas.width));
              return canvas.getContext("2d").getImageData(x, y, 1, 1).data[3];
            }""",
            [across, up],
        )
        assert alpha == pytest.approx(191 * math.exp(-math.floor(bands) / 3), abs=2)
