"""One list of laws over one list of models: what holds for any latent-variable model."""

import functools

import pytest
import torch
import zoo
from torch import nn
from torch.func import functional_call, grad, vmap

from vae_lib import bounds, evaluation, exact

MODELS = zoo.models()
MODULES = [name for name, (model, _) in MODELS.items() if isinstance(model, nn.Module)]
EVERY = pytest.mark.parametrize("name", MODELS)
SIGMAS = 4.5  # standard errors: the draws are seeded, so a pass stays one


@functools.cache
def truth(name):
    """log p(x) of each x, by quadrature."""
    model, x = MODELS[name]
    grid = zoo.grid(model)
    return exact.log_evidence(table(name), grid) if not closed(name) else model.log_evidence(x)


def closed(name):
    return hasattr(MODELS[name][0], "log_evidence")


@functools.cache
def table(name):
    """log p(x, z) on the grid [B, Q]; no model here is an ``Autoencoder`` with stray pixels."""
    model, x = MODELS[name]
    nodes = zoo.grid(model).nodes[:, None]
    with torch.no_grad():
        return bounds.log_joint(model, x, nodes).T


def draws(name, *lead, seed=0):
    model, x = MODELS[name]
    shape = (*lead, len(x), model.latent)
    return torch.randn(shape, generator=zoo.seeded(seed), dtype=torch.float64)


# ---- densities ----------------------------------------------------------------------------------


@EVERY
def test_the_prior_and_q_integrate_to_one(name):
    model, x = MODELS[name]
    grid = zoo.grid(model)
    with torch.no_grad():
        prior = model.log_prior(grid.nodes)
        q = model.posterior(x).log_prob(grid.nodes[:, None]).T
    assert prior.shape == (len(grid.nodes),) and q.shape == (len(x), len(grid.nodes))
    total = exact.log_evidence(torch.cat([prior[None], q]), grid)
    torch.testing.assert_close(total, torch.zeros_like(total), rtol=0, atol=1e-6)


@EVERY
def test_samples_of_q_agree_with_its_density(name):
    """Averages of z, z² and cos(2 z₁ + z_D) over samples are those over the density."""
    model, x = MODELS[name]
    grid, count = zoo.grid(model), 20_000
    with torch.no_grad():
        q = model.posterior(x)
        z, log_q = q.sample(draws(name, count)), q.log_prob(grid.nodes[:, None]).T

    def features(z):
        return torch.cat([z, z**2, (2 * z[..., :1] + z[..., -1:]).cos()], -1)

    seen = features(z)  # [K, B, F]
    want = exact.expectation_on_grid(log_q[:, None], features(grid.nodes).T, grid)  # [B, F]
    error = seen.std(0) / count**0.5
    assert error.max() < 0.1, "too rough to test anything"
    assert ((seen.mean(0) - want).abs() < SIGMAS * error).all()


@pytest.mark.parametrize(
    "name", [n for n, (m, x) in MODELS.items() if m.posterior(x).kl is not None]
)
def test_an_exact_kl_is_the_average_log_ratio(name):
    model, x = MODELS[name]
    q, grid = model.posterior(x), zoo.grid(model)
    with torch.no_grad():
        log_q = q.log_prob(grid.nodes[:, None]).T
        kl = exact.kl_on_grid(log_q, model.log_prior(grid.nodes), grid)
    assert q.kl.shape == (len(x), model.latent)
    torch.testing.assert_close(q.kl.sum(-1), kl, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in MODELS if closed(name)])
def test_quadrature_meets_the_closed_form(name):
    model, x = MODELS[name]
    grid = zoo.grid(model)
    torch.testing.assert_close(exact.log_joint(model, x, grid), table(name))
    torch.testing.assert_close(exact.log_evidence(table(name), grid), truth(name))
    torch.testing.assert_close(
        exact.log_posterior(table(name), grid), model.truth(x).log_prob(grid.nodes[:, None]).T
    )


# ---- bounds -------------------------------------------------------------------------------------


@EVERY
def test_the_bound_rises_with_the_samples_up_to_the_truth(name):
    with torch.no_grad():
        log_w = bounds.log_weights(*MODELS[name], draws(name, 400 * 64)).unflatten(0, (400, 64))
    ladder = [  # of bounds of K samples on the same weights, [400, B] each
        log_w[:, : 64 // k * k]
        .unflatten(1, (-1, k))
        .logsumexp(2)
        .sub(torch.tensor(k).log())
        .mean(1)
        for k in (1, 4, 16, 64)
    ]
    for low, high in zip(ladder, [*ladder[1:], truth(name).expand(400, -1)], strict=True):
        rise = high - low
        error = rise.std(0) / 400**0.5
        assert (rise.mean(0) > -SIGMAS * error - 1e-7).all()
    with torch.no_grad():
        eps = draws(name, 64)
        torch.testing.assert_close(
            bounds.iwae_bound(*MODELS[name], eps), ladder_of(bounds.log_weights(*MODELS[name], eps))
        )


def ladder_of(log_w):
    """log (1 / K) Σ w, in other words."""
    return log_w.exp().mean(0).log()


@EVERY
def test_the_elbo_averages_its_samples(name):
    """Over K samples it is the mean of K one-sample bounds, and of log w where q has no KL."""
    model, x = MODELS[name]
    eps = draws(name, 5)
    with torch.no_grad():
        together, each = (
            bounds.elbo(model, x, eps, 0.7),
            [bounds.elbo(model, x, e, 0.7) for e in eps],
        )
        for part, pieces in zip(together, zip(*each, strict=True), strict=True):
            assert part.shape == (len(x),)
            torch.testing.assert_close(part, torch.stack(pieces).mean(0))
        torch.testing.assert_close(together.elbo, together.log_px_z - 0.7 * together.kl)
        if model.posterior(x).kl is None:
            log_w = bounds.log_weights(model, x, eps).mean(0)
            torch.testing.assert_close(bounds.elbo(model, x, eps).elbo, log_w)


@EVERY
def test_elbo_plus_kl_to_the_posterior_is_the_evidence(name):
    """log p(x) = ELBO + KL(q ‖ p(z|x)), each by quadrature."""
    model, x = MODELS[name]
    grid = zoo.grid(model)
    with torch.no_grad():
        log_q = model.posterior(x).log_prob(grid.nodes[:, None]).T
    elbo = exact.expectation_on_grid(log_q, table(name) - log_q, grid)
    gap = exact.kl_on_grid(log_q, exact.log_posterior(table(name), grid), grid)
    torch.testing.assert_close(elbo + gap, truth(name), rtol=0, atol=1e-6)
    with torch.no_grad():
        eps = draws(name, 20_000)
        log_w = bounds.log_weights(model, x, eps)
        sampled = bounds.elbo(model, x, eps).elbo
    error = 2 * log_w.std(0) / 20_000**0.5 + 1e-9
    assert ((log_w.mean(0) - elbo).abs() < SIGMAS * error).all()
    q = model.posterior(x)
    z = q.sample(eps)
    spread = model.log_likelihood(x, z).std(0).detach() / 20_000**0.5
    assert ((sampled - elbo).abs() < SIGMAS * (spread + error)).all()


# ---- gradients ----------------------------------------------------------------------------------


class Called(nn.Module):
    """``function(model, x, eps)`` as a module, for ``functional_call``."""

    def __init__(self, function, model):
        super().__init__()
        self.function, self.model = function, model

    def forward(self, x, eps):
        return self.function(self.model, x, eps)


def elbo(model, x, eps):
    return bounds.elbo(model, x, eps).elbo


def directions(call, count, seed=5):
    """Random directions among the parameters, of length 1."""
    generator = zoo.seeded(seed)
    for _ in range(count):
        parts = {
            n: torch.randn(p.shape, generator=generator, dtype=torch.float64)
            for n, p in call.named_parameters()
        }
        length = sum((v**2).sum() for v in parts.values()) ** 0.5
        yield {n: v / length for n, v in parts.items()}


@pytest.mark.parametrize("function", [elbo, bounds.iwae_bound])
@pytest.mark.parametrize("name", MODULES)
def test_gradients_agree_with_finite_differences(name, function):
    model, x = MODELS[name]
    call, eps, h = Called(function, model), draws(name, 3), 1e-5
    slopes = torch.autograd.grad(
        call(x, eps).sum(), list(call.parameters()), materialize_grads=True
    )
    named = dict(zip(dict(call.named_parameters()), slopes, strict=True))
    for direction in directions(call, 3):
        ends = []
        for sign in (1, -1):
            moved = {n: p + sign * h * direction[n] for n, p in call.named_parameters()}
            ends.append(functional_call(call, moved, (x, eps)).sum().detach())
        want = (ends[0] - ends[1]) / (2 * h)
        got = sum((named[n] * direction[n]).sum() for n in named)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)


@EVERY
def test_the_gradient_in_the_noise_agrees_with_finite_differences(name):
    """For plain functions too, which have no parameters."""
    model, x = MODELS[name]
    eps = draws(name).requires_grad_()
    for function in (elbo, bounds.log_weights):
        assert torch.autograd.gradcheck(lambda e, f=function: f(model, x, e), [eps])


@pytest.mark.parametrize("name", MODULES)
def test_gradients_of_each_example_agree_with_a_loop(name):
    model, x = MODELS[name]
    call, eps = Called(elbo, model), draws(name)
    weights = {n: p.detach() for n, p in call.named_parameters()}

    def one(weights, x, eps):
        return functional_call(call, weights, (x[None], eps[None]))[0]

    together = vmap(grad(one), in_dims=(None, 0, 0))(weights, x, eps)
    for k in range(len(x)):
        alone = torch.autograd.grad(
            elbo(model, x[k : k + 1], eps[k : k + 1]).sum(),
            list(model.parameters()),
            materialize_grads=True,
        )
        for got, want in zip(together.values(), alone, strict=True):
            torch.testing.assert_close(got[k], want)


def projected(function, name, groups, samples):
    """The gradient's size along five directions, once for each group of noise: [groups, 5]."""
    model, x = MODELS[name]
    call = Called(function, model)
    ways = list(directions(call, 5))
    rows = []
    for group in range(groups):
        value = call(x, draws(name, samples, seed=100 + group))
        slopes = torch.autograd.grad(value.mean(), list(call.parameters()), materialize_grads=True)
        named = dict(zip(dict(call.named_parameters()), slopes, strict=True))
        rows.append(torch.stack([sum((named[n] * way[n]).sum() for n in way) for way in ways]))
    return torch.stack(rows)


def dreg_many(model, x, eps):
    """DReG's bound of K = 4 for each quarter of many samples; the quarters are examples."""
    return _by_fours(bounds.doubly_reparameterised, model, x, eps)


def iwae_many(model, x, eps):
    return _by_fours(bounds.iwae_bound, model, x, eps)


def _by_fours(function, model, x, eps):
    many = len(eps) // 4
    eps = eps.reshape(4, many, len(x), -1).flatten(1, 2)
    return function(model, x.repeat(many, 1), eps)


@pytest.mark.parametrize(
    ("estimator", "plain"),
    [
        (bounds.score_function, elbo),
        (bounds.path_derivative, elbo),
        (dreg_many, iwae_many),
    ],
)
@pytest.mark.parametrize("name", MODULES)
def test_gradient_estimators_agree_in_expectation(name, estimator, plain):
    groups, samples = 12, 800
    got, want = (projected(f, name, groups, samples) for f in (estimator, plain))
    error = ((got.var(0) + want.var(0)) / groups) ** 0.5
    assert (want.mean(0).abs() > 5 * error).any(), "too rough to test anything"
    assert ((got.mean(0) - want.mean(0)).abs() < 5.5 * error).all()  # t with 11 degrees of freedom


@EVERY
def test_estimators_have_the_value_of_their_bound(name):
    model, x = MODELS[name]
    eps = draws(name, 6)
    with torch.no_grad():
        log_w, bound = bounds.log_weights(model, x, eps), bounds.iwae_bound(model, x, eps)
    torch.testing.assert_close(bounds.score_function(model, x, eps).detach(), log_w)
    torch.testing.assert_close(bounds.path_derivative(model, x, eps).detach(), log_w)
    torch.testing.assert_close(bounds.doubly_reparameterised(model, x, eps).detach(), bound)


# ---- evaluation ---------------------------------------------------------------------------------


def meets(estimate, want):
    off = (estimate.log_px - want).abs()
    assert (estimate.standard_error < 0.2).all(), "too rough to test anything"
    assert (off < SIGMAS * estimate.standard_error + 1e-6).all()


@EVERY
def test_importance_sampling_meets_the_truth(name):
    meets(evaluation.log_likelihood(*MODELS[name], zoo.seeded(3), samples=20_000), truth(name))


@EVERY
def test_annealing_meets_the_truth(name):
    meets(evaluation.ais(*MODELS[name], zoo.seeded(4), steps=60, chains=100), truth(name))
