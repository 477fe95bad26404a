"""Two gradients and their spread: the page's draws against torch, and the ways to choose S."""

import examples
import harness
import pytest
import torch

from vae_lib.widgets import GradientSpread

EXPORTS = "perDrawVariances, meansOf, deviation"


def per_draw(dimension: int, baseline: bool, draws: int = 2**19) -> torch.Tensor:
    """Gradients by mu_1 of E|z|² with autograd, by either way: [2, draws], mu = 1."""
    g = torch.Generator().manual_seed(dimension)
    eps = torch.randn(draws, dimension, generator=g, dtype=torch.float64)
    mu = torch.ones_like(eps).requires_grad_()
    z = mu + eps
    f = (z**2).sum(1)
    (path,) = torch.autograd.grad(f.sum(), mu)
    log_q = torch.distributions.Normal(mu, 1.0).log_prob(z.detach()).sum(1)
    weight = f.detach() - (2 * dimension if baseline else 0)
    (score,) = torch.autograd.grad((weight * log_q).sum(), mu)
    return torch.stack([score[:, 0], path[:, 0]])


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("dimension", [1, 3, 8])
def test_variances_are_those_of_torch_s_gradients(browser_page, dimension, baseline):
    page = harness.show(browser_page, examples.gradient_spread(), exports=EXPORTS)
    got = page.evaluate("([d, b]) => module.perDrawVariances(d, b)", [dimension, baseline])
    want = per_draw(dimension, baseline).var(1).tolist()
    assert [got["score"], got["path"]] == pytest.approx(want, rel=0.03)
    widget = GradientSpread(4, dimension, baseline=baseline)
    assert widget._variances() == (got["score"], got["path"])


@pytest.mark.parametrize(("samples", "dimension", "baseline"), [(1, 1, False), (64, 4, True)])
def test_means_scatter_about_the_gradient_as_they_should(
    browser_page, samples, dimension, baseline
):
    page = harness.show(browser_page, examples.gradient_spread(), exports=EXPORTS)
    means = page.evaluate(
        """([s, d, b]) => {
          const all = { score: [], path: [] };
          for (let seed = 0; seed < 40; seed++) {
            const { score, path } = module.meansOf(s, d, b, seed);
            all.score.push(...score);
            all.path.push(...path);
          }
          return [all.score, all.path];
        }""",
        [samples, dimension, baseline],
    )
    means = torch.tensor(means, dtype=torch.float64)
    want = per_draw(dimension, baseline).var(1) / samples
    error = (want / means.shape[1]) ** 0.5
    assert ((means.mean(1) - 2).abs() < 4 * error).all()
    assert means.var(1).tolist() == pytest.approx(want.tolist(), rel=0.12)
    got = page.evaluate("(v) => module.deviation(v)", means[0, :200].tolist())
    assert got == pytest.approx(float(means[0, :200].std()), rel=1e-9)


def shown(page) -> list[str]:
    return page.locator("dd").all_inner_texts()


def test_keys_choose_the_number_of_draws_and_the_dimension(browser_page):
    page = harness.show(browser_page, examples.gradient_spread(samples=1))
    assert shown(page)[0].startswith("5.477, measured") and shown(page)[2] == "7.5"
    page.get_by_role("slider", name="draws S").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    harness.settle(page)
    assert harness.trait(page, "samples") == 16
    assert shown(page)[0].startswith("1.369, ") and shown(page)[1].startswith("0.500, ")
    page.get_by_role("slider", name="dimension D").focus()
    page.keyboard.press("End")
    harness.settle(page)
    assert harness.trait(page, "dimension") == 8
    assert shown(page)[2] == "95.0"


def test_the_baseline_and_new_draws(browser_page):
    page = harness.show(browser_page, examples.gradient_spread(samples=4))
    before = shown(page)
    page.get_by_role("button", name="Draw again").click()
    harness.settle(page)
    again = shown(page)
    assert again != before and again[2] == before[2]
    page.get_by_role("button", name="Baseline E f").click()
    harness.settle(page)
    assert harness.trait(page, "baseline") is True
    assert shown(page)[2] == "4.5"
    pressed = page.locator("[aria-pressed=true]").all_inner_texts()
    assert pressed == ["Baseline E f"]


def test_dots_out_of_sight_are_counted(browser_page):
    page = harness.show(
        browser_page, examples.gradient_spread(samples=1, dimension=8), exports=EXPORTS
    )
    out = page.evaluate(
        "() => module.meansOf(1, 8, false, 0).score.filter((v) => Math.abs(v - 2) > 20).length"
    )
    assert out > 0
    assert f"{out} of the upper dots lie outside" in page.locator(".vw-note").inner_text()


def test_python_moves_it(browser_page):
    widget = examples.gradient_spread()
    page = harness.show(browser_page, widget)
    widget.samples, widget.baseline = 256, True
    harness.push(page, widget, "samples", "baseline")
    assert page.get_by_role("slider", name="draws S").get_attribute("aria-valuetext") == "256"
    label = page.locator(".vw-chart svg").get_attribute("aria-label")
    assert "256 gradients" in label and shown(page)[1].startswith("0.125, ")


@pytest.mark.parametrize("samples", [0, 3, 512])
def test_other_numbers_of_draws_are_refused(samples):
    with pytest.raises(ValueError, match=f"samples is {samples}"):
        GradientSpread(samples)


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match="dimension is 9"):
        GradientSpread(1, 9)
