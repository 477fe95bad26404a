"""Log-probabilities and divergences against torch.distributions, scipy, Monte Carlo and limits."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributions as td

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
    ("x", "words"),
    [
        (torch.full((2, 784), 255.0), "divide bytes by 255"),
        (torch.full((2, 784), -0.5), "outside"),
        (torch.full((2, 784), math.nan), "NaN"),
        (torch.zeros(0, 784), "empty"),
        (torch.zeros(2, 784, dtype=torch.uint8), "float"),
    ],
)
def test_pixels_that_are_no_pixels_are_refused(x, words):
    with pytest.raises(ValueError, match=words):
        ours.bernoulli_log_prob(x, torch.zeros(len(x), 784))


def test_images_that_are_not_flat_are_refused():
    with pytest.raises(ValueError, match="flatten"):
        ours.bernoulli_log_prob(torch.zeros(2, 28, 28), torch.zeros(2, 28, 28))
