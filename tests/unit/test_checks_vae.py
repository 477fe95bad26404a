"""The checks of chapter 10 accept right answers and name the slip in wrong ones."""

import math

import pytest
import torch
import torch.nn.functional as F
from exercise_tests import make_tests
from torch.distributions import Normal, kl_divergence

from vae_lib.checks import vae as checks

LOG_2 = math.log(2)


def gradient(mu, logvar, eps, slope):
    std = (0.5 * logvar).exp()
    return slope + mu, 0.5 * (slope * std * eps + std**2 - 1)


def gradient_by_autograd(mu, logvar, eps, slope):
    """Of any loss with that slope, here a linear one."""
    mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
    z = mu + (0.5 * logvar).exp() * eps
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return torch.autograd.grad((z * slope + kl).sum(), (mu, logvar))


def gradient_by_backward(mu, logvar, eps, slope):
    mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
    z = mu + (0.5 * logvar).exp() * eps
    (z * slope + 0.5 * (mu**2 + logvar.exp() - 1 - logvar)).sum().backward()
    return mu.grad, logvar.grad


def gradient_by_func(mu, logvar, eps, slope):
    def total(mu, logvar):
        z = mu + (0.5 * logvar).exp() * eps
        return (z * slope + 0.5 * (mu**2 + logvar.exp() - 1 - logvar)).sum()

    return torch.func.grad(total, argnums=(0, 1))(mu, logvar)


def changed_gradient(by_mu=None, by_logvar=None):
    def answer(*given):
        right = gradient(*given)
        return (by_mu or (lambda *_: right[0]))(*given), (by_logvar or (lambda *_: right[1]))(
            *given
        )

    return answer


def nll_of(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def log_score(logits, x, e=0.0):
    pi = logits.sigmoid()
    return (x * (pi + e).log() + (1 - x) * (1 - pi + e).log()).sum(-1)


def loss(mu, s, logits, x, std=F.softplus, log=torch.log):
    std = std(s)
    return nll_of(logits, x).sum(-1) + 0.5 * (mu**2 + std**2 - 1 - 2 * log(std)).sum(-1)


def loss_by_distributions(mu, s, logits, x):
    q = Normal(mu, (1 + s.exp()).log())
    likelihood = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(1)
    return kl_divergence(q, Normal(0.0, 1.0)).sum(1) - likelihood


def with_terms(combine):
    """The loss made otherwise of the terms of each pixel and each dimension."""

    def answer(mu, s, logits, x):
        std = F.softplus(s)
        return combine(nll_of(logits, x), 0.5 * (mu**2 + std**2 - 1 - 2 * std.log()))

    return answer


def with_kl(terms):
    """The loss with another divergence, from mu, s and σ."""
    return lambda mu, s, logits, x: (
        nll_of(logits, x).sum(-1) + 0.5 * (mu**2 - 1 + terms(s, F.softplus(s))).sum(-1)
    )


def vary(model, x, generator, draw=torch.randn, scale=0.5):
    """The solution; with another ``draw`` of ε or ``scale`` of log σ², its slips."""
    mu, logvar = model.encode(x)
    z = mu + (scale * logvar).exp() * draw(mu.shape, generator=generator)
    return torch.bernoulli(model.decode(z).sigmoid(), generator=generator)


def vary_pixels_first(model, x, generator):
    u = torch.rand(x.shape, generator=generator)
    mu, logvar = model.encode(x)
    z = torch.normal(mu, torch.exp(logvar / 2), generator=generator)
    return u < torch.sigmoid(model.decode(z))


def vary_from(z_of, pixels=None):
    def answer(model, x, generator):
        pi = model.decode(z_of(model, x, generator)).sigmoid()
        return (pixels or torch.bernoulli)(pi, generator=generator)

    return answer


def drawn(model, x, generator, wrong=1.0, more=0.0):
    mu, logvar = model.encode(x)
    std = torch.tensor([1.0, wrong]) * (0.5 * logvar).exp() + more
    return mu + std * torch.randn(mu.shape, generator=generator)


def half_twice(size, generator, draw=torch.rand):
    return draw(size[0] // 2, size[1], generator=generator).repeat(2, 1)


def coins(pi, generator, *size):
    return torch.rand(*size, generator=generator) < pi


def seed_of(generator):
    """A generator that begins again, whatever was drawn from the given one."""
    return torch.Generator().manual_seed(generator.initial_seed())


def reseeded(model, x, generator):
    return vary(model, x, seed_of(generator))


def fixed(model, x, generator):
    return vary(model, x, torch.Generator().manual_seed(0))


def only_z_from_it(model, x, generator):
    return torch.bernoulli(model.decode(drawn(model, x, generator)).sigmoid())


def only_pixels_from_it(model, x, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape)
    return torch.bernoulli(model.decode(z).sigmoid(), generator=generator)


def price_by_divergences(sigma):
    unit = Normal(0.0, 1.0)
    kl = [kl_divergence(Normal(0.7, std), unit) for std in (sigma / 2, sigma)]
    return kl[0] - kl[1]


def price_by_logarithms(sigma):
    return torch.log(sigma) - torch.log(sigma / 2) - 0.375 * sigma**2


RIGHT = {
    "gradient_by_hand": gradient,
    "loss_with_softplus": loss,
    "accidental_beta": lambda pixels, latent: pixels / latent,
    "variation": vary,
    "price_of_halving": lambda sigma: LOG_2 - 0.375 * sigma**2,
}

ALSO_RIGHT = [
    ("gradient_by_hand", lambda *given: torch.stack(gradient(*given))),
    ("loss_with_softplus", loss_by_distributions),
    ("accidental_beta", lambda pixels, latent: torch.tensor(pixels) * latent**-1),
    ("variation", vary_pixels_first),
    ("price_of_halving", price_by_divergences),
    ("price_of_halving", price_by_logarithms),
]

std_of = lambda logvar: (0.5 * logvar).exp()  # noqa: E731
WRONG = [
    ("gradient_by_hand", changed_gradient(lambda m, v, e, s: s), "depends on μ too"),
    ("gradient_by_hand", changed_gradient(lambda m, v, e, s: m), "likelihood is missing"),
    ("gradient_by_hand", changed_gradient(lambda m, v, e, s: s - m), "plus sign"),
    ("gradient_by_hand", changed_gradient(lambda m, v, e, s: m - s), "sign of the slope"),
    ("gradient_by_hand", changed_gradient(lambda m, v, e, s: (s + m) / 3), "batch size"),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: 0.5 * s * std_of(v) * e),
        "depends on log σ² too",
    ),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: s * std_of(v) * e + 0.5 * (v.exp() - 1)),
        "exp(½ log σ²) is missing",
    ),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: s * std_of(v) * e + v.exp() - 1),
        "derivative by log σ",
    ),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: 0.5 * (s * v.exp() * e + v.exp() - 1)),
        "has σ, not σ²",
    ),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: 0.5 * (s * std_of(v) + v.exp() - 1)),
        "the factor ε",
    ),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: 0.5 * (s * e + v.exp() - 1)),
        "the factor σ",
    ),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: 0.5 * (s * std_of(v) * e + v.exp())),
        "the derivative -½",
    ),
    ("gradient_by_hand", gradient_by_autograd, "that asks autograd"),
    ("gradient_by_hand", gradient_by_backward, "that asks autograd"),
    ("gradient_by_hand", gradient_by_func, "that asks autograd"),
    (
        "gradient_by_hand",
        changed_gradient(None, lambda m, v, e, s: 0.5 * (s * std_of(v) * e + v.exp() + 1e-5 - 1)),
        "an epsilon",
    ),
    ("gradient_by_hand", lambda *given: gradient(*given)[::-1], "the derivative by μ"),
    ("gradient_by_hand", lambda *given: gradient(*given)[0], "two results"),
    ("gradient_by_hand", lambda m, v, e, s: (0.31, -0.42), "shape should be"),
    ("loss_with_softplus", with_terms(lambda n, k: n.sum(-1) - k.sum(-1)), "sign of the KL"),
    ("loss_with_softplus", with_terms(lambda n, k: -n.sum(-1) - k.sum(-1)), "that is the ELBO"),
    ("loss_with_softplus", with_terms(lambda n, k: k.sum(-1) - n.sum(-1)), "of the likelihood"),
    ("loss_with_softplus", with_terms(lambda n, k: n.mean(-1) + k.sum(-1)), "β = 784"),
    ("loss_with_softplus", with_terms(lambda n, k: n.mean() + k.sum(-1)), "this chapter's slip"),
    (
        "loss_with_softplus",
        with_terms(lambda n, k: n.mean() + k.sum(-1).mean()),
        "this chapter's slip: mean over pixels and batch",
    ),
    ("loss_with_softplus", with_terms(lambda n, k: n.sum(-1) + k.mean(-1)), "latent dimensions"),
    ("loss_with_softplus", with_terms(lambda n, k: n.mean(-1) + k.mean(-1)), "and over latent"),
    ("loss_with_softplus", with_terms(lambda n, k: n.mean() + k.mean()), "means over everything"),
    (
        "loss_with_softplus",
        with_terms(lambda n, k: (n.sum(-1) + k.sum(-1)).mean()),
        "averaged over the batch",
    ),
    ("loss_with_softplus", with_terms(lambda n, k: n.sum() + k.sum()), "summed over the batch"),
    ("loss_with_softplus", with_terms(lambda n, k: n.sum(-1) + 2 * k.sum(-1)), "factor ½"),
    ("loss_with_softplus", with_terms(lambda n, k: n.sum(-1)), "KL is missing"),
    ("loss_with_softplus", with_terms(lambda n, k: k.sum(-1)), "likelihood is missing"),
    (
        "loss_with_softplus",
        with_terms(lambda n, k: (n.sum(-1) + k.sum(-1)) / LOG_2),
        "bits",
    ),
    ("loss_with_softplus", with_kl(lambda s, std: s.exp() - s), "taken for log σ², as in"),
    ("loss_with_softplus", with_kl(lambda s, std: (2 * s).exp() - 2 * s), "taken for log σ:"),
    ("loss_with_softplus", with_kl(lambda s, std: s**2 - (s**2).log()), "taken for σ itself"),
    (
        "loss_with_softplus",
        with_kl(lambda s, std: std.exp() - std),
        "softplus(s) was taken for log",
    ),
    ("loss_with_softplus", with_kl(lambda s, std: std - std.log()), "taken for the variance"),
    ("loss_with_softplus", with_kl(lambda s, std: std - 2 * std.log()), "σ stands where σ²"),
    ("loss_with_softplus", with_kl(lambda s, std: std**2 - std.log()), "2 log σ"),
    (
        "loss_with_softplus",
        lambda *given: loss(*given, log=lambda std: (std + 1e-8).log()),
        "an epsilon",
    ),
    (
        "loss_with_softplus",
        lambda *given: loss(*given, log=lambda std: (std + 1e-12).log()),
        "an epsilon",
    ),
    (
        "loss_with_softplus",
        lambda *given: loss(*given, std=lambda s: F.softplus(s) + 1e-6),
        "an epsilon",
    ),
    (
        "loss_with_softplus",
        lambda *given: loss(*given, std=lambda s: F.softplus(s).clamp(min=1e-12)),
        "a floor (1e-12)",
    ),
    (
        "loss_with_softplus",
        lambda mu, s, logits, x: (
            loss(mu, s, logits, x) + log_score(logits, x) - log_score(logits, x, 1e-7)
        ),
        "beside a probability",
    ),
    (
        "loss_with_softplus",
        lambda mu, s, logits, x: (
            nll_of(logits, x).sum(-1)
            + kl_divergence(Normal(0.0, 1.0), Normal(mu, F.softplus(s))).sum(-1)
        ),
        "the other direction",
    ),
    ("loss_with_softplus", lambda mu, s, logits, x: loss(mu, s, x, logits), "expected"),
    ("loss_with_softplus", lambda *given: 571.3, "shape should be"),
    ("loss_with_softplus", lambda *given: "571 nats", "a number or a tensor"),
    ("accidental_beta", lambda p, d: p, "averaged too"),
    ("accidental_beta", lambda p, d: d / p, "turn it round"),
    ("accidental_beta", lambda p, d: p * d, "the factors divide"),
    ("accidental_beta", lambda p, d: 1 / p, "β is the KL's weight"),
    ("accidental_beta", lambda p, d: 1 / d, "bring the likelihood's to 1"),
    ("accidental_beta", lambda p, d: d, "nowhere restored"),
    ("accidental_beta", lambda p, d: 1, "do not cancel"),
    ("accidental_beta", lambda p, d: 39.2, "for 784 and 20 alone"),
    ("accidental_beta", 39.2, "a function of any shape"),
    ("accidental_beta", lambda p, d: 784 / d, "784 is her model's"),
    ("accidental_beta", lambda p, d: p / 20, "20 is her model's"),
    ("accidental_beta", lambda p, d: p / d + 1, "expected"),
    ("accidental_beta", lambda p, d: "784/20", "could not convert"),
    ("variation", vary_from(lambda m, x, g: m.encode(x)[0]), "not μ alone"),
    ("variation", lambda m, x, g: m.reconstruct(x), "those are the probabilities"),
    ("variation", lambda m, x, g: m.decode(drawn(m, x, g)), "by sigmoid, then draw"),
    (
        "variation",
        vary_from(drawn, pixels=lambda pi, generator: pi.round()),
        "do not round",
    ),
    (
        "variation",
        vary_from(lambda m, x, g: torch.randn(len(x), 2, generator=g)),
        "not from the prior",
    ),
    (
        "variation",
        lambda m, x, g: vary(
            m, x, g, draw=lambda size, generator: torch.randn(1, 2, generator=generator)
        ),
        "one ε serves all",
    ),
    (
        "variation",
        lambda m, x, g: vary(
            m, x, g, draw=lambda size, generator: torch.randn(len(x), 1, generator=generator)
        ),
        "move together",
    ),
    ("variation", lambda m, x, g: vary(m, x, g, scale=1.0), "σ is exp(logvar / 2)"),
    ("variation", lambda m, x, g: vary(m, x, g, scale=-0.5), "is right, yours is"),
    ("variation", lambda m, x, g: vary(m, x, g, scale=0.25), "σ is exp(logvar / 2)"),
    ("variation", lambda m, x, g: vary(m, x, g, draw=torch.rand), "is right, yours is"),
    ("variation", vary_from(lambda m, x, g: drawn(m, x, g, wrong=0.8)), "the digits vary by"),
    ("variation", vary_from(lambda m, x, g: drawn(m, x, g) * torch.tensor([1, 0.5])), "is right"),
    ("variation", vary_from(lambda m, x, g: drawn(m, x, g).flip(-1)), "is right, yours is"),
    (
        "variation",
        lambda m, x, g: vary(
            m, x, g, draw=lambda size, generator: half_twice(size, generator, torch.randn)
        ),
        "share their ε",
    ),
    (
        "variation",
        vary_from(drawn, pixels=lambda pi, generator: coins(pi, generator, 1, 784)),
        "digits share their coins",
    ),
    (
        "variation",
        vary_from(drawn, pixels=lambda pi, generator: half_twice(pi.shape, generator) < pi),
        "digits share their coins",
    ),
    (
        "variation",
        vary_from(drawn, pixels=lambda pi, generator: coins(pi, generator, len(pi), 1)),
        "one coin decides",
    ),
    ("variation", vary_from(lambda m, x, g: drawn(m, x, g, more=0.05)), "the digits vary by"),
    ("variation", fixed, "a generator further on gives the same"),
    ("variation", reseeded, "a generator further on gives the same"),
    ("variation", vary_from(lambda m, x, g: drawn(m, x, seed_of(g))), "a seed of their own"),
    (
        "variation",
        vary_from(
            drawn, pixels=lambda pi, generator: torch.bernoulli(pi, generator=seed_of(generator))
        ),
        "a seed of their own",
    ),
    ("variation", only_z_from_it, "the same generator gives other digits"),
    ("variation", only_pixels_from_it, "the same generator gives other digits"),
    ("variation", lambda m, x, g: vary(m, x[:1], g), "as many are wanted"),
    ("variation", lambda m, x, g: vary(m, x, g).tolist(), "list"),
    ("price_of_halving", lambda s: LOG_2, "the limit for small σ"),
    ("price_of_halving", lambda s: 0.5 * LOG_2 - 0.25 * s**2, "halves the variance"),
    ("price_of_halving", lambda s: 0.5 * LOG_2 - 0.25 * s, "taken for the variance"),
    ("price_of_halving", lambda s: 2 * (LOG_2 - 0.375 * s**2), "factor ½"),
    ("price_of_halving", lambda s: 1 - 0.375 * s**2 / LOG_2, "bits"),
    ("price_of_halving", lambda s: 0.375 * s**2 - LOG_2, "growth is wanted"),
    ("price_of_halving", lambda s: LOG_2 + 0.375 * s**2, "it is taken off"),
    ("price_of_halving", lambda s: LOG_2 - 0.25 * s**2, "the halved σ is squared"),
    ("price_of_halving", lambda s: 1.5 * s**2 - LOG_2, "doubles σ"),
    ("price_of_halving", lambda s: 0.318147, "σ = 1 alone"),
    ("price_of_halving", lambda s: 0.689397, "σ = 0.1 alone"),
]

globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))


@pytest.mark.parametrize("name", RIGHT)
def test_crashes_are_marked_without_an_error(name, capsys):
    assert getattr(checks, name)(lambda *given: 1 / 0) is False
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(20))
def test_a_right_variation_passes_whatever_the_draws(seed):
    """The tolerances leave room: generators other than the check's pass as well."""

    def later(model, x, generator):
        torch.rand(1 + seed, generator=generator)
        return vary(model, x, generator)

    assert checks.variation(later) is True
