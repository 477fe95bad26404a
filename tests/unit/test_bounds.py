"""The ELBO against closed forms, against quadrature, and as a bound."""

import functools
import math

import numpy as np
import pytest
import torch
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_lib import bounds, exact
from vae_lib.bounds import elbo, elbo_terms, free_bits_terms, noise, reconstruction_terms
from vae_lib.data import binarise, load_digits
from vae_lib.distributions import (
    DiagonalGaussian,
    bernoulli_log_prob,
    gaussian_log_prob,
    kl_to_standard_normal,
)
from vae_lib.models import VAE, Autoencoder, LatentVariableModel


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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


def test_where_q_is_the_posterior_log_w_is_the_evidence_and_its_path_gradient_zero():
    """No variance at all, in value and in φ: what "sticking the landing" says."""
    model = zoo.LinearGaussian(exact=True).double()
    x, eps = draws(3, 4), draws(5, 3, 2, seed=1)
    log_w = bounds.path_derivative(model, x, eps)
    torch.testing.assert_close(log_w, model.log_evidence(x).expand(5, 3))
    mu = torch.zeros(2, dtype=torch.float64, requires_grad=True)  # moves q, at the posterior
    truth = model.truth(x)

    def shifted(x):
        return truth._replace(mu=truth.mu.detach() + mu, root=truth.root.detach())

    moved = LatentVariableModel(2, model.log_prior, model.log_likelihood, shifted)
    for estimator, quiet in ((bounds.path_derivative, True), (bounds.log_weights, False)):
        (slope,) = torch.autograd.grad(estimator(moved, x, eps).sum(), mu)
        assert (slope.abs().max() < 1e-9) == quiet


def test_gradients_of_each_estimator_by_hand():
    """One latent, log p(x, z) = -½ (z - a)² and q = N(m, e^v): φ = (m, v), θ = a; two samples."""
    phi = torch.tensor([0.3, -0.4], dtype=torch.float64, requires_grad=True)
    a = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    model = LatentVariableModel(
        1,
        lambda z: torch.zeros_like(z[..., 0]),
        lambda x, z: -0.5 * (z[..., 0] - a) ** 2,
        lambda x: DiagonalGaussian(phi[:1].expand(len(x), 1), phi[1:].expand(len(x), 1)),
    )
    x, eps = torch.zeros(1, 3).double(), torch.tensor([[[0.7]], [[-1.1]]]).double()
    m, v, std = 0.3, -0.4, math.exp(-0.2)
    e = eps.flatten()
    z = m + std * e
    log_w = -0.5 * (z - 1.5) ** 2 + 0.5 * (math.log(2 * math.pi) + v + e**2)
    dz = torch.stack([torch.ones(2).double(), 0.5 * std * e], 1)  # ∂z/∂φ
    path = (1.5 - z + e / std)[:, None] * dz  # (∂/∂z log p - ∂/∂z log q) ∂z/∂φ
    score = torch.stack([e / std, 0.5 * (e**2 - 1)], 1)  # ∂ log q / ∂φ at fixed z
    share = log_w.softmax(0)[:, None]
    wanted = {
        bounds.log_weights: ((path - score).sum(0), (z - 1.5).sum()),
        bounds.score_function: ((log_w[:, None] * score).sum(0), (z - 1.5).sum()),
        bounds.path_derivative: (path.sum(0), (z - 1.5).sum()),
        bounds.iwae_bound: ((share * (path - score)).sum(0), (share[:, 0] * (z - 1.5)).sum()),
        bounds.doubly_reparameterised: (
            (share**2 * path).sum(0),
            (share[:, 0] * (z - 1.5)).sum(),
        ),
    }
    for estimator, (in_phi, in_theta) in wanted.items():
        value = estimator(model, x, eps)
        if value.shape == (2, 1):
            torch.testing.assert_close(value.detach()[:, 0], log_w)
        got = torch.autograd.grad(value.sum(), [phi, a])
        torch.testing.assert_close(got[0], in_phi, msg=lambda m, f=estimator: f"{f.__name__}: {m}")
        torch.testing.assert_close(got[1], in_theta)


def test_dreg_keeps_its_signal_as_samples_grow():
    """Signal over noise of ∇_φ rises with K for DReG and falls for the plain IWAE gradient."""
    model = zoo.LinearGaussian().double()
    x, ratios = draws(1, 4, seed=3).repeat(300, 1), {}
    for function in (bounds.iwae_bound, bounds.doubly_reparameterised):
        for count in (2, 128):
            bias = torch.zeros(300, 4, dtype=torch.float64, requires_grad=True)

            def posterior(x, bias=bias):
                return DiagonalGaussian(*(model.encoder(x) + bias).chunk(2, -1))

            moved = LatentVariableModel(2, model.log_prior, model.log_likelihood, posterior)
            value = function(moved, x, draws(count, 300, 2, seed=4))
            (each,) = torch.autograd.grad(value.sum(), bias)
            ratios[function, count] = float((each.mean(0).abs() / each.std(0)).max())
    assert ratios[bounds.doubly_reparameterised, 128] > 2 * ratios[bounds.doubly_reparameterised, 2]
    assert ratios[bounds.iwae_bound, 128] < ratios[bounds.iwae_bound, 2]


def test_the_bound_of_one_sample_is_log_w():
    model, x = tiny_vae(2), digits(3)
    eps = draws(1, 3, 2)
    log_w = bounds.log_weights(model, x, eps)
    assert log_w.shape == (1, 3)
    torch.testing.assert_close(bounds.iwae_bound(model, x, eps), log_w[0])
    z = model.posterior(x).sample(eps)
    by_hand = model.log_likelihood(x, z) + model.log_prior(z) - model.posterior(x).log_prob(z)
    torch.testing.assert_close(log_w, by_hand)


# What fit minimises


@pytest.mark.parametrize("components", [0, 3])
def test_vae_terms_are_the_negative_bound(components):
    model, x = VAE(2, (8,), components=components), digits(4).float()
    terms = elbo_terms(model, x, torch.Generator().manual_seed(2), beta=3.0)
    eps = torch.randn(4, 2, generator=torch.Generator().manual_seed(2))
    bound = elbo(model, x, eps, beta=3.0)
    assert list(terms) == ["loss", "nll", "kl", "criterion"]
    torch.testing.assert_close(terms["loss"], -bound.elbo)
    torch.testing.assert_close(terms["nll"], -bound.log_px_z)
    torch.testing.assert_close(terms["kl"], bound.kl)
    torch.testing.assert_close(terms["criterion"], -elbo(model, x, eps).elbo)
    plain = elbo_terms(model, x, torch.Generator().manual_seed(2))
    torch.testing.assert_close(plain["loss"], terms["criterion"])


def test_free_bits_are_free_below_the_floor_and_cost_as_ever_above_it():
    model, x = tiny_vae(2), digits(4)
    plain = elbo_terms(model, x, torch.Generator().manual_seed(2))
    kl = model.posterior(x).kl.mean(0)
    for floor in (0.0, float(kl.mean()), 5.0):
        terms = free_bits_terms(model, x, torch.Generator().manual_seed(2), floor)
        assert list(terms) == list(plain)
        for name in ("nll", "kl", "criterion"):
            torch.testing.assert_close(terms[name], plain[name])
        paid = sum(max(floor, float(each)) for each in kl)
        torch.testing.assert_close(terms["loss"], plain["nll"] + paid)
    with pytest.raises(ValueError, match="KL of each dimension"):
        free_bits_terms(VAE(2, (8,), components=3), digits(4).float(), torch.Generator())


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_autoencoder_terms_are_its_negative_log_likelihood(likelihood):
    model, x = Autoencoder(hidden=(8,), likelihood=likelihood), digits(4).float()
    with torch.no_grad():
        loss = reconstruction_terms(model, x)["loss"]
        torch.testing.assert_close(loss, -model.log_likelihood(x, model.code(x)))
        if likelihood == "bernoulli":
            torch.testing.assert_close(loss, -bernoulli_log_prob(x, model(x)))


def test_noise_follows_x_and_the_generator():
    model, g = tiny_vae(2), torch.Generator().manual_seed(5)
    x = torch.zeros(4, 784)
    eps = noise(model, x, g)
    assert torch.equal(eps, torch.randn(4, 2, generator=torch.Generator().manual_seed(5)))
    assert noise(model, x, g, 7).shape == (7, 4, 2)
    for dtype, want in ((torch.float64, torch.float64), (torch.bfloat16, torch.float32)):
        assert noise(model, x.to(dtype), g).dtype == want
        assert VAE(2, (8,)).to(dtype).posterior(x.to(dtype)).mu.dtype == want


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_terms_in_half_precision_are_float32_and_near_it(dtype):
    x, want = digits(20).float(), {}
    for model in (VAE(2, (16,)), Autoencoder(2, (16,))):
        terms = reconstruction_terms if type(model) is Autoencoder else elbo_terms
        seeds = [torch.Generator().manual_seed(1) for _ in range(3)]
        with torch.no_grad():
            want = terms(model, x, seeds[0])
            with torch.autocast("cpu", dtype):
                mixed = terms(model, x, seeds[1])
            pure = terms(model.to(dtype), x.to(dtype), seeds[2])
        for name in want:
            assert mixed[name].dtype == pure[name].dtype == torch.float32
            size = want["loss"].mean()
            assert (mixed[name].mean() - want[name].mean()).abs() < 0.01 * size
            assert (pure[name].mean() - want[name].mean()).abs() < 0.01 * size


def test_the_loss_can_be_mapped_compiled_and_exported():
    class Bound(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.vae = VAE(2, (8,))

        def forward(self, x, eps):
            return elbo(self.vae, x, eps).elbo

    model, x, eps = Bound(), digits(4).float(), torch.ones(4, 2)
    with torch.no_grad():
        want = model(x, eps)
        torch.testing.assert_close(torch.func.vmap(model)(x, eps), want)
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(x, eps), want)
        torch.testing.assert_close(torch.export.export(model, (x, eps)).module()(x, eps), want)


@pytest.mark.parametrize("shape", [(4, 1), (3, 2), (5, 3, 2), (2, 5, 4, 2), (2,)])
def test_noise_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"eps has shape .*, but q\(z\|x\) needs \[4, 2\]"):
        elbo(tiny_vae(2), digits(4), torch.zeros(shape))


def test_examples_may_stand_in_a_table():
    model, x, eps = tiny_vae(2), digits(6), torch.ones(6, 2).double()
    table = elbo(model, x.reshape(3, 2, -1), eps.reshape(3, 2, 2)).elbo
    torch.testing.assert_close(table.flatten(), elbo(model, x, eps).elbo)


@pytest.mark.parametrize("bound", [bounds.iwae_bound, bounds.doubly_reparameterised])
def test_a_bound_of_many_samples_does_not_average_over_examples(bound):
    with pytest.raises(ValueError, match=r"one sample for each x.*noise\(model, x, generator, K\)"):
        bound(tiny_vae(2), digits(4), torch.zeros(4, 2).double())


@pytest.mark.parametrize("samples", [0, -1])
def test_no_samples_are_refused(samples):
    with pytest.raises(ValueError, match=f"samples is {samples}: it must be at least 1"):
        noise(tiny_vae(2), digits(4), torch.Generator(), samples)


def test_what_has_no_posterior_is_refused():
    model, x, g = Autoencoder(2, (8,)), digits(4).float(), torch.Generator()
    for call in (
        lambda: elbo_terms(model, x, g),
        lambda: elbo(model, x, torch.zeros(4, 2)),
        lambda: bounds.log_weights(model, x, torch.zeros(1, 4, 2)),
    ):
        with pytest.raises(TypeError, match=r"Autoencoder has no posterior.*reconstruction_terms"):
            call()


def test_a_generator_elsewhere_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "standard_normal", lambda *_: torch.zeros(4, 2, device="meta"))
    with pytest.raises(ValueError, match=r"generator lives on meta, x on cpu: make a torch\.Gen"):
        elbo_terms(tiny_vae(2), digits(4), torch.Generator())
