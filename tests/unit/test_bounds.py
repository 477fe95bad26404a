"""The ELBO against closed forms, against quadrature, and as a bound."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_lib import exact
from vae_lib.bounds import elbo, elbo_terms, reconstruction_terms
from vae_lib.data import binarise, load_digits
from vae_lib.distributions import (
    gaussian_log_prob,
    kl_diagonal_gaussians,
    kl_to_standard_normal,
    reparameterise,
    standard_normal_log_prob,
)
from vae_lib.models import VAE, Autoencoder


def gauss_hermite(order: int, dimensions: int = 1):
    """Nodes [Q, D] and weights [Q] with which N(0, I) integrates polynomials exactly."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    nodes, weights = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
    eps = torch.cartesian_prod(*[nodes] * dimensions).reshape(-1, dimensions)
    return eps, torch.cartesian_prod(*[weights] * dimensions).reshape(-1, dimensions).prod(-1)


def tiny_vae(latent: int) -> VAE:
    """A smooth VAE in float64 whose q(z|x) is neither the prior nor the posterior."""
    return VAE(latent=latent, hidden=(8,), seed=3).double().requires_grad_(False)


@functools.cache
def digits(count: int):
    images = load_digits("heldout").images[:: 1000 // count][:count]
    return binarise(images, torch.Generator().manual_seed(0)).double()


def mean_elbo(model: VAE, x, order: int = 30):
    """E over eps of the one-sample ELBO, by quadrature: [B]."""
    eps, weights = gauss_hermite(order, model.latent)
    each = [elbo(model, x, e.expand(len(x), -1)).elbo for e in eps]
    return weights @ torch.stack(each)


# A linear-Gaussian model, where everything is known: x = W z + b + noise, W's columns orthogonal.

W = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.5, 0.0], [0.0, 2.0]], dtype=torch.float64)
W[:, 1] -= W[:, 0] * (W[:, 0] @ W[:, 1]) / (W[:, 0] @ W[:, 0])
B = torch.tensor([0.3, -0.2, 0.1, 0.0], dtype=torch.float64)
NOISE = torch.tensor(0.4, dtype=torch.float64)  # log variance of the noise
X = torch.tensor([[0.5, -1.0, 2.0, 0.3], [3.0, 1.0, 0.0, -1.0]], dtype=torch.float64)


def linear_gaussian():
    """log p(x), and the posterior's μ and log σ², in closed form."""
    covariance = W @ W.T + NOISE.exp() * torch.eye(4, dtype=torch.float64)
    log_px = torch.distributions.MultivariateNormal(B, covariance).log_prob(X)
    precision = 1 + (W**2).sum(0) / NOISE.exp()  # diagonal: the columns are orthogonal
    mu = (X - B) @ W / NOISE.exp() / precision
    return log_px, mu, -precision.log().expand_as(mu)


def linear_gaussian_elbo(mu, logvar):
    """E_q[log p(x|z)] - KL(q ‖ p), the expectation of a quadratic by quadrature: exact."""
    eps, weights = gauss_hermite(3, 2)
    z = reparameterise(mu, logvar, eps[:, None, :])  # [Q, B, 2]
    log_px_z = gaussian_log_prob(X, z @ W.T + B, NOISE.expand(4))
    return weights @ log_px_z - kl_to_standard_normal(mu, logvar)


def test_linear_gaussian_elbo_of_the_posterior_is_the_evidence():
    log_px, mu, logvar = linear_gaussian()
    torch.testing.assert_close(linear_gaussian_elbo(mu, logvar), log_px, rtol=0, atol=1e-10)


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_linear_gaussian_evidence_is_elbo_plus_kl_for_any_q(parameters):
    log_px, *posterior = linear_gaussian()
    mu, logvar = (v.expand(2, 2) for v in torch.tensor(parameters).double().reshape(2, 2))
    kl = kl_diagonal_gaussians(mu, logvar, *posterior)
    torch.testing.assert_close(linear_gaussian_elbo(mu, logvar) + kl, log_px, rtol=0, atol=1e-9)


def test_one_sample_is_the_evidence_itself_when_q_is_the_posterior():
    """log p(x, z) - log q(z|x) is then constant in z: no variance at all."""
    log_px, mu, logvar = linear_gaussian()
    for eps in (torch.zeros(2, 2), torch.full((2, 2), 1.7)):
        z = reparameterise(mu, logvar, eps.double())
        log_joint = gaussian_log_prob(X, z @ W.T + B, NOISE.expand(4)) + standard_normal_log_prob(z)
        torch.testing.assert_close(log_joint - gaussian_log_prob(z, mu, logvar), log_px)


# The ELBO of a VAE


@settings(max_examples=20)
@given(st.floats(0, 10), st.integers(0, 100))
def test_elbo_is_the_likelihood_term_less_beta_kl(beta, seed):
    model, x = tiny_vae(2), digits(4)
    eps = torch.randn(4, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    bound = elbo(model, x, eps, beta)
    torch.testing.assert_close(bound.elbo, bound.log_px_z - beta * bound.kl)
    torch.testing.assert_close(bound.kl, kl_to_standard_normal(*model.encode(x)))
    assert bound.elbo.shape == bound.log_px_z.shape == bound.kl.shape == (4,)


def test_one_sample_is_unbiased_in_the_noise():
    model, x, count = tiny_vae(1), digits(3), 4000
    eps = torch.randn(count, 3, 1, generator=torch.Generator().manual_seed(1)).double()
    samples = torch.stack([elbo(model, x, e).elbo for e in eps])
    error = samples.std(0) / count**0.5
    want = mean_elbo(model, x)
    assert (error < 0.01 * want.abs()).all(), "the estimate is too rough to test anything"
    assert ((samples.mean(0) - want).abs() < 4 * error).all()


@pytest.mark.parametrize("latent", [1, 2])
def test_elbo_is_below_the_evidence_by_the_kl_to_the_posterior(latent):
    model, x = tiny_vae(latent), digits(5)
    grid = exact.line(-9, 9, 2001) if latent == 1 else exact.plane((-9, -9), (9, 9), 181)
    log_joint = exact.log_joint(model, x, grid)
    mu, logvar = model.encode(x)
    log_q = gaussian_log_prob(grid.nodes, mu[:, None], logvar[:, None])
    kl = exact.kl_on_grid(log_q, exact.log_posterior(log_joint, grid), grid)
    bound, log_px = mean_elbo(model, x), exact.log_evidence(log_joint, grid)
    assert (kl > 1e-3).all(), "q is the posterior: the bound is not put to the test"
    assert (bound < log_px).all()
    torch.testing.assert_close(bound + kl, log_px, rtol=0, atol=1e-6)


@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_a_batch_changes_no_example(net):
    """Per-example values: neither mean nor sum over the batch has crept in."""
    model = VAE(latent=3, hidden=(6, 4), net=net).double().requires_grad_(False)
    x, eps = digits(4), torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(4, 3)
    once = elbo(model, x, eps)
    twice = elbo(model, torch.cat([x, x]), torch.cat([eps, eps]))
    alone = elbo(model, x[:1], eps[:1])
    for one, two, first in zip(once, twice, alone, strict=True):
        torch.testing.assert_close(two, torch.cat([one, one]))
        torch.testing.assert_close(first, one[:1])


def test_elbo_gradient_agrees_with_finite_differences():
    """With respect to the recognition network's last bias: through both terms of the bound."""
    model, x = tiny_vae(2), digits(2)
    eps = torch.tensor([[0.5, -1.0], [1.5, 0.2]]).double()

    def value(shift):
        mu, logvar = (model.encoder(x) + shift).chunk(2, dim=-1)
        stand_in = torch.nn.Module()
        stand_in.encode, stand_in.decode = lambda _: (mu, logvar), model.decode
        return elbo(stand_in, x, eps)

    assert torch.autograd.gradcheck(value, [torch.zeros(4).double().requires_grad_()])


# What fit minimises


def test_vae_terms_are_the_negative_bound():
    model, x = tiny_vae(2).float(), digits(4).float()
    terms = elbo_terms(model, x, torch.Generator().manual_seed(2), beta=3.0)
    eps = torch.randn(4, 2, generator=torch.Generator().manual_seed(2))
    bound = elbo(model, x, eps, beta=3.0)
    torch.testing.assert_close(terms["loss"], -bound.elbo)
    torch.testing.assert_close(terms["nll"], -bound.log_px_z)
    torch.testing.assert_close(terms["kl"], bound.kl)


def test_autoencoder_terms_are_binary_cross_entropy_summed_over_pixels():
    model, x = Autoencoder(hidden=(8,)), digits(4).float()
    with torch.no_grad():
        want = torch.nn.functional.binary_cross_entropy(model.reconstruct(x), x, reduction="none")
        torch.testing.assert_close(reconstruction_terms(model, x)["loss"], want.sum(-1))


def test_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"eps has shape \[4, 1\], but q\(z\|x\) needs \[4, 2\]"):
        elbo(tiny_vae(2), digits(4), torch.zeros(4, 1))
