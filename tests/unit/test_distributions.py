"""Log-probabilities and divergences against torch.distributions, scipy, Monte Carlo and limits."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributions as td
from torch.utils._python_dispatch import TorchDispatchMode

from vae_lib import distributions as ours

TINY = 1e-9
means = st.floats(-5, 5)
logvars = st.floats(-6, 4)


def gaussian(mu, logvar):
    return td.Independent(td.Normal(mu, (0.5 * logvar).exp()), 1)


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pixels(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, 784, generator=generator, dtype=torch.float64)


# KL divergences


def test_kl_to_standard_normal_is_that_of_torch():
    mu, logvar = draws(7, 3), draws(7, 3, seed=1)
    want = td.kl_divergence(gaussian(mu, logvar), gaussian(*torch.zeros(2, 7, 3).double()))
    torch.testing.assert_close(ours.kl_to_standard_normal(mu, logvar), want)


def test_kl_between_diagonal_gaussians_is_that_of_torch():
    mu_q, logvar_q, mu_p, logvar_p = draws(4, 7, 3)
    want = td.kl_divergence(gaussian(mu_q, logvar_q), gaussian(mu_p, logvar_p))
    torch.testing.assert_close(ours.kl_diagonal_gaussians(mu_q, logvar_q, mu_p, logvar_p), want)


def test_kl_broadcasts_one_prior_over_a_batch():
    mu_q, logvar_q = draws(2, 5, 7, 3)
    mu_p, logvar_p = draws(2, 3, seed=1)
    want = td.kl_divergence(gaussian(mu_q, logvar_q), gaussian(mu_p, logvar_p))
    got = ours.kl_diagonal_gaussians(mu_q, logvar_q, mu_p, logvar_p)
    assert got.shape == (5, 7)
    torch.testing.assert_close(got, want)


def test_kl_is_the_mean_log_ratio_of_samples():
    mu_q, logvar_q, mu_p, logvar_p = draws(4, 3, seed=3)
    z = ours.reparameterise(mu_q, logvar_q, draws(200_000, 3, seed=4))
    ratio = ours.gaussian_log_prob(z, mu_q, logvar_q) - ours.gaussian_log_prob(z, mu_p, logvar_p)
    error = ratio.std() / len(ratio) ** 0.5
    kl = ours.kl_diagonal_gaussians(mu_q, logvar_q, mu_p, logvar_p)
    assert error < 0.02 * kl, "the estimate is too rough to test anything"
    assert abs(ratio.mean() - kl) < 4 * error


@given(st.lists(st.tuples(means, logvars, means, logvars), min_size=1, max_size=6))
def test_kl_is_never_negative(parameters):
    q_and_p = torch.tensor(parameters, dtype=torch.float64).T
    assert ours.kl_diagonal_gaussians(*q_and_p) >= -TINY
    assert ours.kl_to_standard_normal(*q_and_p[:2]) >= -TINY


@given(st.lists(st.tuples(means, logvars), min_size=1, max_size=6))
def test_kl_is_zero_at_equality(parameters):
    mu, logvar = torch.tensor(parameters, dtype=torch.float64).T
    assert ours.kl_diagonal_gaussians(mu, logvar, mu, logvar) == 0


@given(means, logvars, means, logvars, st.floats(0.1, 10), means)
def test_kl_does_not_depend_on_the_units_of_z(mu_q, logvar_q, mu_p, logvar_p, scale, shift):
    """z -> scale z + shift moves both Gaussians and leaves KL alone."""
    before = torch.tensor([[mu_q], [logvar_q], [mu_p], [logvar_p]], dtype=torch.float64)
    after = before.clone()
    after[::2] = scale * before[::2] + shift
    after[1::2] += 2 * math.log(scale)
    torch.testing.assert_close(
        ours.kl_diagonal_gaussians(*after),
        ours.kl_diagonal_gaussians(*before),
        rtol=1e-7,
        atol=1e-7,
    )


def test_kl_stays_accurate_in_float32_next_to_equality():
    """For σ² = 1 + δ, KL is δ²/4: 2.5e-9 here, where σ² - 1 - log σ² computed plainly is noise."""
    kl = ours.kl_to_standard_normal(torch.zeros(1), torch.tensor([1e-4]))
    assert float(kl) == pytest.approx(2.5e-9, rel=0.05, abs=0)


# Log-probabilities


def test_gaussian_log_prob_is_that_of_torch_and_scipy():
    x, mu, logvar = draws(3, 7, 3)
    got = ours.gaussian_log_prob(x, mu, logvar)
    torch.testing.assert_close(got, gaussian(mu, logvar).log_prob(x))
    want = scipy.stats.norm.logpdf(x, mu, np.exp(0.5 * logvar.numpy())).sum(-1)
    np.testing.assert_allclose(got, want)


def test_standard_normal_log_prob_is_a_gaussian_at_the_origin():
    z = draws(5, 7, 2)
    want = scipy.stats.multivariate_normal(np.zeros(2), np.eye(2)).logpdf(z)
    np.testing.assert_allclose(ours.standard_normal_log_prob(z), want)
    torch.testing.assert_close(
        ours.standard_normal_log_prob(z),
        ours.gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z)),
    )


def test_bernoulli_log_prob_is_that_of_torch_and_scipy():
    x, logits = pixels(4).round(), 3 * draws(4, 784)
    got = ours.bernoulli_log_prob(x, logits)
    want = td.Independent(td.Bernoulli(logits=logits), 1).log_prob(x)
    torch.testing.assert_close(got, want)
    probabilities = torch.sigmoid(logits).numpy()
    np.testing.assert_allclose(got, scipy.stats.bernoulli.logpmf(x, probabilities).sum(-1))


def test_binary_cross_entropy_is_the_bernoulli_negative_log_likelihood():
    """Grey pixels included: there it is a score, but the same number."""
    x, logits = pixels(4), 3 * draws(4, 784)
    bce = torch.nn.functional.binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(-1)
    torch.testing.assert_close(-ours.bernoulli_log_prob(x, logits), bce)


def test_bernoulli_probabilities_of_all_images_sum_to_one():
    """With 782 pixels settled, the four images of the last two have total probability one."""
    logits = torch.full((784,), -1000.0, dtype=torch.float64)
    logits[:2] = torch.tensor([0.3, -1.2])
    x = torch.zeros(4, 784, dtype=torch.float64)
    x[:, :2] = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0))
    assert ours.bernoulli_log_prob(x, logits).logsumexp(0) == pytest.approx(0, abs=1e-12)


# Samples


def test_reparameterised_samples_have_the_moments_asked_for():
    mu, logvar = torch.tensor([1.0, -2.0]).double(), torch.tensor([-1.0, 2.0]).double()
    count = 100_000
    z = ours.reparameterise(mu, logvar, draws(count, 2))
    error = (0.5 * logvar).exp() / count**0.5
    assert ((z.mean(0) - mu).abs() < 4 * error).all()
    assert ((z.var(0).log() - logvar).abs() < 4 * (2 / count) ** 0.5).all()


def test_standard_normal_is_seeded_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    first, second = (
        ours.standard_normal((3, 2), torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


# Gradients


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (ours.kl_to_standard_normal, 2),
        (ours.kl_diagonal_gaussians, 4),
        (ours.gaussian_log_prob, 3),
        (ours.standard_normal_log_prob, 1),
        (ours.reparameterise, 3),
    ],
)
def test_gradients_agree_with_finite_differences(function, count):
    inputs = [draws(3, 2, seed=k).requires_grad_() for k in range(count)]
    assert torch.autograd.gradcheck(function, inputs)


def test_bernoulli_gradient_agrees_with_finite_differences():
    x, logits = pixels(1), draws(1, 784).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: ours.bernoulli_log_prob(x, v), [logits])


@settings(max_examples=30)
@given(means, logvars, st.floats(-3, 3))
def test_the_gradient_of_the_sample_is_the_score_in_closed_form(mu, logvar, eps):
    """dz/dμ = 1 and dz/dlogvar = σ ε / 2."""
    mu, logvar = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (mu, logvar))
    ours.reparameterise(mu, logvar, torch.tensor([eps], dtype=torch.float64)).sum().backward()
    assert mu.grad == 1
    assert logvar.grad.item() == pytest.approx(0.5 * math.exp(0.5 * logvar.item()) * eps)


# Extremes


@pytest.mark.parametrize("logvar", [-160.0, -80.0, 80.0])
def test_extreme_log_variances_stay_finite(logvar):
    mu, logvar = torch.zeros(1, 2), torch.full((1, 2), logvar)
    assert ours.kl_to_standard_normal(mu, logvar).isfinite().all()
    assert ours.gaussian_log_prob(mu, mu, logvar).isfinite().all()
    assert ours.reparameterise(mu, logvar, torch.ones(1, 2)).isfinite().all()


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_extreme_logits_stay_finite_and_so_do_their_gradients(size):
    logits = torch.tensor([[size], [-size]]).expand(2, 784).clone().requires_grad_()
    right, wrong = ours.bernoulli_log_prob(torch.ones(2, 784), logits)
    (right + wrong).backward()
    assert right.item() == pytest.approx(0, abs=1e-30), "a sure pixel, rightly so, costs nothing"
    assert wrong.item() == pytest.approx(-784 * size), "a sure pixel, wrongly so, costs its logit"
    assert logits.grad.isfinite().all()


# Shapes


@pytest.mark.parametrize("batch", [(), (1,), (5,), (2, 5)])
def test_one_value_for_each_example(batch):
    v = draws(*batch, 3)
    assert ours.kl_to_standard_normal(v, v).shape == batch
    assert ours.kl_diagonal_gaussians(v, v, v, v).shape == batch
    assert ours.gaussian_log_prob(v, v, v).shape == batch
    assert ours.standard_normal_log_prob(v).shape == batch
    assert ours.bernoulli_log_prob(pixels(*batch), draws(*batch, 784)).shape == batch


def test_samples_of_the_code_broadcast_against_a_batch():
    x, logits = pixels(5), draws(10, 5, 784)
    got = ours.bernoulli_log_prob(x, logits)
    assert got.shape == (10, 5)
    torch.testing.assert_close(got[3], ours.bernoulli_log_prob(x, logits[3]))


# Bad input


def test_last_dimensions_that_differ_are_named():
    with pytest.raises(ValueError, match=r"mu \[4, 3\], logvar \[4, 1\]"):
        ours.kl_to_standard_normal(torch.zeros(4, 3), torch.zeros(4, 1))
    with pytest.raises(ValueError, match="eps"):
        ours.reparameterise(torch.zeros(4, 3), torch.zeros(4, 3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="logvar_p"):
        ours.kl_diagonal_gaussians(*[torch.zeros(4, 3)] * 3, torch.zeros(4, 1))
    with pytest.raises(ValueError, match="mu"):
        ours.gaussian_log_prob(torch.zeros(4, 3), torch.zeros(4, 1), torch.zeros(4, 3))


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (ours.bernoulli_log_prob, 2),
        (ours.continuous_bernoulli_log_prob, 2),
        (ours.gaussian_log_prob, 3),
        (ours.kl_to_standard_normal, 2),
        (ours.kl_diagonal_gaussians, 4),
        (ours.reparameterise, 3),
    ],
)
def test_no_argument_of_one_variable_is_spread_over_all(function, count):
    for k in range(count):
        tensors = [torch.zeros(4, 1 if k == i else 3) for i in range(count)]
        with pytest.raises(ValueError, match="last dimensions differ"):
            function(*tensors)


def test_pixels_that_are_no_floats_are_refused():
    for function in (ours.bernoulli_log_prob, ours.continuous_bernoulli_log_prob):
        with pytest.raises(
            ValueError, match=r"x has dtype torch.uint8: convert it with \.float\(\)"
        ):
            function(torch.zeros(2, 5, dtype=torch.uint8), torch.zeros(2, 5))
        with pytest.raises(ValueError, match=r"x \[2, 4\], logits \[2, 5\]"):
            function(torch.zeros(2, 4), torch.zeros(2, 5))


def test_what_is_no_tensor_is_named():
    with pytest.raises(TypeError, match=r"x is a ndarray: torch.as_tensor\(x\)"):
        ours.bernoulli_log_prob(np.zeros((2, 5)), torch.zeros(2, 5))
    with pytest.raises(TypeError, match="logvar is a float"):
        ours.gaussian_log_prob(torch.zeros(2, 5), torch.zeros(5), 0.0)
    with pytest.raises(TypeError, match="z is a list"):
        ours.standard_normal_log_prob([0.0])
    with pytest.raises(TypeError, match=r"generator is a int: pass torch\.Generator"):
        ours.standard_normal((2, 3), 0)


# Fast, and right in every precision


def plain_bernoulli(x, logits):
    """The textbook's stable form, with log1p."""
    return -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.1, 1.0, 5.0, 15.0, 30.0, 90.0, 800.0])
@pytest.mark.parametrize("guess", ["any", "right", "wrong"])
def test_log_of_one_plus_e_errs_no_more_than_log1p(dtype, size, guess):
    """A picture's error against the truth, in roundings of its own terms: the same for both.

    The truth is float64's log1p in extended sums. log(1 + e) may add half a rounding of 1 for each
    pixel; log1p has its own from the logits.
    """
    logits = (size * draws(20, 784, seed=2)).to(dtype)
    x = {"any": pixels(20).round(), "right": (logits > 0), "wrong": (logits < 0)}[guess].to(dtype)
    exact = plain_bernoulli(x.double(), logits.double()).numpy().astype(np.longdouble).sum(-1)
    eps = torch.finfo(dtype).eps
    scale = plain_bernoulli(x, logits).abs().sum(-1).double().numpy()
    for function in (ours.bernoulli_log_prob, lambda x, v: plain_bernoulli(x, v).sum(-1)):
        error = np.abs(function(x, logits).double().numpy() - exact)
        assert (error <= eps * (784 / 2 + 2 * scale)).all()


def test_a_sure_picture_costs_what_it_should():
    """784 pixels at log-odds 9, all right: 784 log(1 + exp(-9)), to 784 half roundings of 1."""
    x, logits = torch.ones(784), torch.full((784,), 9.0)
    want = -784 * math.log1p(math.exp(-9))
    assert float(ours.bernoulli_log_prob(x, logits)) == pytest.approx(want, abs=784 * 6e-8)


def test_the_bernoulli_gradient_is_x_minus_pi_for_any_logit():
    logits = torch.tensor([0.0, -0.0, 1e-9, 3.0, -3.0, 50.0, -50.0, 1e30, -1e30]).double()
    for value in (0.0, 1.0, 0.3):
        leaf = logits.clone().requires_grad_()
        ours.bernoulli_log_prob(torch.full_like(logits, value), leaf).backward()
        torch.testing.assert_close(leaf.grad, value - logits.sigmoid())


class Sizes(TorchDispatchMode):
    """How many numbers each operation makes."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **kwargs or {})
        self.seen += [t.numel() for t in [result] if isinstance(t, torch.Tensor)]
        return result


def test_a_table_of_every_x_at_every_node_is_the_likelihood():
    x, logits = pixels(5), 30 * draws(7, 1, 784)
    for function in (ours.bernoulli_log_prob, ours.continuous_bernoulli_log_prob):
        got = function(x, logits)
        assert got.shape == (7, 5)
        torch.testing.assert_close(got, function(x, logits.expand(7, 5, 784)))
        # In float32 the matrix product would cancel too much, and is not used.
        single, one = function(x.float(), logits.float()), logits.float().expand(7, 5, 784)
        assert torch.equal(single, function(x.float(), one))
        torch.testing.assert_close(single.double(), got, rtol=1e-6, atol=1e-3)
        with Sizes() as sizes:
            function(x, logits)
        assert max(sizes.seen) <= 7 * 784, "a table is never written out for every pair"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_comes_back_in_float32_as_float32_has_it(dtype):
    x, v = pixels(4).round().to(dtype), draws(4, 784, seed=6).to(dtype)
    for function, inputs in (
        (ours.bernoulli_log_prob, (x, v)),
        (ours.continuous_bernoulli_log_prob, (x, v)),
        (ours.gaussian_log_prob, (x, v, v)),
        (ours.standard_normal_log_prob, (v,)),
        (ours.kl_to_standard_normal, (v, v)),
        (ours.kl_diagonal_gaussians, (x, v, v, v)),
    ):
        got = function(*inputs)
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, function(*(part.float() for part in inputs)))
    assert ours.wide(x.double()).dtype == torch.float64


def test_a_tiny_variance_in_float16_is_right():
    """log σ² = -60: 1 / σ² is 1e26, beyond float16, whose 0 · ∞ would be NaN."""
    at, logvar = torch.zeros(2, dtype=torch.float16), torch.full((2,), -60.0, dtype=torch.float16)
    assert float(ours.gaussian_log_prob(at, at, logvar)) == pytest.approx(60 - ours.LOG_2PI)


# The continuous Bernoulli


def test_continuous_bernoulli_is_that_of_torch_away_from_a_half():
    logits = torch.tensor([-9.0, -5, -2, -0.9, 0.9, 2, 5, 9], dtype=torch.float64)
    x = torch.linspace(0, 1, 9, dtype=torch.float64)[:, None]
    want = td.ContinuousBernoulli(logits=logits).log_prob(x)
    got = ours.continuous_bernoulli_log_prob(x[..., None], logits[:, None])
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("logit", [0.0, 1e-12, 1e-4, -0.01, 0.59, 0.61, -3.0, 40.0, -700.0])
def test_continuous_bernoulli_integrates_to_one(logit):
    nodes, weights = np.polynomial.legendre.leggauss(200)
    x = torch.from_numpy((nodes + 1) / 2)[:, None]
    density = ours.continuous_bernoulli_log_prob(x, torch.tensor([logit]).double()).exp()
    assert float(density @ torch.from_numpy(weights / 2)) == pytest.approx(1, abs=1e-9)


def test_continuous_bernoulli_is_stable_about_a_half():
    """Values and gradients in float32 are float64's; at l = 0 the density is 1, its slope x - ½."""
    logits = torch.cat([s * torch.logspace(-12, 2, 300) for s in (-1, 1)] + [torch.zeros(1)])
    x = torch.tensor([[0.0], [0.3], [1.0]])
    results = []
    for dtype in (torch.float32, torch.float64):
        leaf = logits.to(dtype).requires_grad_()
        value = ours.continuous_bernoulli_log_prob(x.to(dtype)[..., None], leaf[:, None])
        results.append((value.double(), torch.autograd.grad(value.sum(), leaf)[0].double()))
    torch.testing.assert_close(*[value for value, _ in results], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(*[slope for _, slope in results], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(results[1][0][:, -1], torch.zeros(3).double())
    assert float(results[1][1][-1]) == pytest.approx(float((x - 0.5).sum()))


def test_the_series_near_a_half_is_exact_to_rounding():
    """log(sinh(h) / h) in extended precision, on both sides of where the series ends."""
    h = torch.linspace(-0.5, 0.5, 400, dtype=torch.float64)
    wide = h.numpy().astype(np.longdouble)
    error = ours._log_sinhc(h).numpy() - np.log(np.sinh(wide) / wide)
    assert np.abs(error).max() < 1e-15
    assert ours._log_sinhc(torch.zeros(1)).item() == 0


def test_half_precision_logits_are_sampled_in_float32():
    for dtype in (torch.float16, torch.bfloat16):
        logits = torch.linspace(-3, 3, 50).to(dtype)
        generators = [torch.Generator().manual_seed(1) for _ in range(2)]
        x = ours.continuous_bernoulli_sample(logits, generators[0])
        assert x.dtype == torch.float32
        assert torch.equal(x, ours.continuous_bernoulli_sample(logits.float(), generators[1]))


def test_continuous_bernoulli_gradient_agrees_with_finite_differences():
    logits = torch.tensor([0.0, 1e-3, 0.59999, 0.60001, -0.6, 4.0, -20.0]).double()
    x = torch.rand(7, generator=torch.Generator().manual_seed(1)).double()
    function = lambda v: ours.continuous_bernoulli_log_prob(x, v)  # noqa: E731
    assert torch.autograd.gradcheck(function, [logits.requires_grad_()])


@pytest.mark.parametrize("logit", [-1000.0, -4.0, -1e-6, 0.0, 1e-6, 4.0, 1000.0])
def test_continuous_bernoulli_samples_have_the_mean_of_the_density(logit):
    """E[x] = 1 / (1 - exp(-l)) - 1 / l, and ½ at l = 0."""
    logits = torch.full((100_000,), logit, dtype=torch.float64)
    x = ours.continuous_bernoulli_sample(logits, torch.Generator().manual_seed(2))
    want = 0.5 if abs(logit) < 1e-3 else 1 / -math.expm1(-max(logit, -600)) - 1 / logit
    assert ((x >= 0) & (x <= 1)).all()
    assert float(x.mean()) == pytest.approx(want, abs=4 * float(x.std()) / 100_000**0.5 + 1e-12)


# The Gaussian q


def test_a_diagonal_gaussian_samples_and_knows_its_density():
    mu, logvar = draws(2, 4, 3)
    q, eps = ours.DiagonalGaussian(mu, logvar), draws(6, 4, 3, seed=1)
    assert q.kl is None
    assert torch.equal(q.sample(eps), ours.reparameterise(mu, logvar, eps))
    want = gaussian(mu, logvar).log_prob(q.sample(eps))
    torch.testing.assert_close(q.log_prob(q.sample(eps)), want)


def test_noise_comes_in_the_type_asked_for():
    g = torch.Generator().manual_seed(0)
    assert ours.standard_normal((2,), g).dtype == torch.float32
    assert ours.standard_normal((2,), g, torch.float64).dtype == torch.float64


# What transforms functions can transform these


@pytest.mark.parametrize("function", [ours.bernoulli_log_prob, ours.continuous_bernoulli_log_prob])
def test_likelihoods_can_be_mapped_compiled_and_exported(function):
    x, logits = pixels(4).float(), draws(4, 784).float()
    want = function(x, logits)
    torch.testing.assert_close(torch.func.vmap(function)(x, logits), want)
    compiled = torch.compile(function, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, logits), want)

    class Module(torch.nn.Module):
        def forward(self, x, logits):
            return function(x, logits)

    program = torch.export.export(Module(), (x, logits))
    torch.testing.assert_close(program.module()(x, logits), want)
