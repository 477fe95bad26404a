"""What the browser computes, against torch, scipy and known values."""

import examples
import harness
import pytest
import torch
from scipy import stats
from torch import nn
from torch.distributions import Normal, kl_divergence

from vae_lib import widgets

EXPORTS = (
    "readMlp, runMlp, bernoulliNll, klToStandardNormal, logNormal, normalDraws, halfToFloat,"
    "logIntegral, relativeEntropy, RADIUS_95, fixed, tuple, floatsOf, sigmoid, softplus"
)
ACTIVATIONS = [nn.SiLU, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity]


@pytest.fixture
def maths(browser_page):
    return harness.show(browser_page, examples.evidence_split(), exports=EXPORTS)


def test_every_float16_is_read_exactly(maths):
    numbers = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(torch.float16).double()
    finite = numbers.isfinite()
    got = maths.evaluate(
        "() => Array.from({ length: 65536 }, (_, i) => module.halfToFloat(i))"
        ".map((v) => Number.isFinite(v) ? v : 0)"
    )
    assert got == torch.where(finite, numbers, 0).tolist()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_networks_agree_with_torch(browser_page, activation):
    """Logits within 1e-5 of torch in float64, with the same float16-rounded weights."""
    decoder = examples.network(2, 256, 128, 784, activation=activation, seed=7)
    page = harness.show(browser_page, widgets.LatentPad({"VAE": decoder}), exports=EXPORTS)
    z = torch.tensor([[0.0, 0.0], [1.5, -0.5], [-3.0, 3.0], [20.0, -20.0]])
    got = page.evaluate(
        """(zs) => {
          const { spec, weights } = model.get("pads")[0];
          const layers = module.readMlp(spec, weights);
          return zs.map((z) => Array.from(module.runMlp(layers, Float32Array.from(z))));
        }""",
        z.tolist(),
    )
    want = examples.as_sent(decoder)(z.double())
    assert (torch.tensor(got, dtype=torch.float64) - want).abs().max() <= 1e-5


def test_bytes_at_any_offset_are_read(maths):
    """JupyterLab hands over views into a message, which need not start at a multiple of four."""
    got = maths.evaluate(
        """() => {
          const message = new Uint8Array(11);
          message.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 3);
          return Array.from(module.floatsOf(new DataView(message.buffer, 3, 8)));
        }"""
    )
    assert got == [1.5, -2]


def test_bernoulli_nll_is_binary_cross_entropy(maths):
    x, logits = examples.digits(1)[0], 30 * examples.codes(784, 1)[:, 0]
    got = maths.evaluate("([x, l]) => module.bernoulliNll(x, l)", [x.tolist(), logits.tolist()])
    want = nn.functional.binary_cross_entropy_with_logits(
        logits.double(), x.double(), reduction="sum"
    )
    assert got == pytest.approx(want.item(), rel=1e-9)


def test_kl_to_the_prior_agrees_with_torch(maths):
    mu, logvar = torch.tensor([0.3, -1.7]).double(), torch.tensor([-4.0, 0.5]).double()
    got = maths.evaluate(
        "([mu, logvar]) => module.klToStandardNormal(mu, logvar)", [mu.tolist(), logvar.tolist()]
    )
    want = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum()
    assert got == pytest.approx(want.item(), rel=1e-12)


def test_log_density_agrees_with_torch(maths):
    z = torch.linspace(-9, 9, 19, dtype=torch.float64)
    got = maths.evaluate("(zs) => zs.map((z) => module.logNormal(z, 0.7, 0.2))", z.tolist())
    want = Normal(torch.tensor(0.7).double(), torch.tensor(0.2).double()).log_prob(z)
    assert torch.tensor(got, dtype=torch.float64) == pytest.approx(want, rel=1e-6)


def test_log_integral_survives_very_small_densities(maths):
    logs = torch.tensor([-1000.0, -1001.0, -2000.0]).double()
    got = maths.evaluate("(v) => module.logIntegral(v, [0, 0.5, 0])", logs.tolist())
    want = torch.logsumexp(logs + torch.tensor([0, 0.5, 0]), 0)
    assert got == pytest.approx(want.item(), rel=1e-14)
    assert maths.evaluate("module.logIntegral([-Infinity], [0]) === -Infinity")


def test_relative_entropy_on_a_grid_is_the_closed_form(maths):
    z = torch.linspace(-12, 12, 2001, dtype=torch.float64)
    q, p = Normal(0.5, 0.8), Normal(-0.3, 1.4)
    got = maths.evaluate(
        "([q, p, w]) => module.relativeEntropy(q, p, w)",
        [q.log_prob(z).tolist(), p.log_prob(z).tolist(), [float((z[1] - z[0]).log())] * 2001],
    )
    assert got == pytest.approx(kl_divergence(q, p).item(), rel=1e-6)


def test_the_ring_holds_95_percent(maths):
    assert maths.evaluate("module.RADIUS_95") == pytest.approx(stats.chi2(2).ppf(0.95) ** 0.5)


def test_normal_draws_are_normal_and_repeat(maths):
    script = """(seed) => {
      const draw = module.normalDraws(seed);
      return Array.from({ length: 20000 }, draw);
    }"""
    first, again, other = (maths.evaluate(script, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert stats.kstest(first, "norm").pvalue > 1e-3
    assert abs(stats.pearsonr(first[:-1], first[1:]).statistic) < 4 / 20000**0.5


@pytest.mark.parametrize(
    ("value", "text"), [(1.005, "1.00"), (-0.001, "0.00"), (-2.5, "−2.50"), (12, "12.00")]
)
def test_numbers_are_written_with_a_true_minus_and_no_negative_zero(maths, value, text):
    assert maths.evaluate("(v) => module.fixed(v)", value) == text
