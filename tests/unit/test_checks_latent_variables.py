"""Chapter 4's checks accept the solution and name the classic slips."""

import math

import torch
import torch.nn.functional as F
from exercise_tests import make_tests
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal, kl_divergence

from vae_lib.checks import latent_variables

# Exercise 4.1


def spread(prior, ink):
    mean = prior @ ink
    return torch.einsum("z,zi,zj->ij", prior, ink - mean, ink - mean)


def own(prior, ink):
    return ((prior @ ink) * (1 - prior @ ink)).diag()


def covariance(prior, ink):
    both = spread(prior, ink)
    return both - both.diag().diag() + own(prior, ink)


def by_total_variance(prior, ink):
    """The variance within each z, on average, and the variance between them."""
    return spread(prior, ink) + (prior @ (ink * (1 - ink))).diag()


def by_all_patterns(prior, ink):
    """Σ_x p(x) (x - m)(x - m)ᵀ over all 2^P pictures."""
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * ink.shape[1])
    p = torch.where(x[None] == 1, ink[:, None], 1 - ink[:, None]).prod(-1)
    p = prior @ p
    mean = p @ x
    return (p[:, None] * x).T @ x - mean.outer(mean)


def by_sampling(prior, ink):
    z = torch.multinomial(prior, 20_000, replacement=True, generator=torch.Generator())
    return torch.cov(torch.bernoulli(ink[z], generator=torch.Generator()).T)


# Exercise 4.2


def price(mse, pixels, std):
    return pixels / 2 * (mse / std**2 - 1 - math.log(mse / std**2))


def price_by_difference(mse, pixels, std):
    def nll(variance):
        return pixels / 2 * (mse / variance + math.log(2 * math.pi * variance))

    return nll(std**2) - nll(mse)


def price_by_divergence(mse, pixels, std):
    return pixels * kl_divergence(Normal(0.0, mse**0.5), Normal(0.0, std))


def price_by_search(mse, pixels, std):
    def nll(sigma):
        return pixels / 2 * (mse / sigma**2 + math.log(2 * math.pi * sigma**2))

    return nll(std) - min(nll(k / 1000) for k in range(1, 2000))


# Exercise 4.3


def score(g, pi):
    return (g * pi.log() + (1 - g) * (1 - pi).log()).sum(-1)


def grey(g, pi):
    area = (2 * pi - 1) / (pi.log() - (1 - pi).log())
    return score(g, pi) - area.log().sum(-1)


def with_an_epsilon(g, pi):
    area = (2 * pi - 1) / (pi.log() - (1 - pi).log())
    return (g * (pi + 1e-6).log() + (1 - g) * (1 - pi).log() - area.log()).sum(-1)


# Exercise 4.4


def chain(p_a, p_b, p_c, count, generator):
    a = torch.bernoulli(torch.full((count,), p_a), generator=generator)
    b = torch.bernoulli(p_b[a.long()], generator=generator)
    c = torch.bernoulli(p_c[b.long()], generator=generator)
    return torch.stack([a, b, c], 1)


def chain_of_uniforms(p_a, p_b, p_c, count, generator):
    u = torch.rand(count, 3, generator=generator)
    a = (u[:, 0] < p_a).long()
    b = (u[:, 1] < p_b[a]).long()
    return torch.stack([a, b, (u[:, 2] < p_c[b]).long()], 1)


def independent(p_a, p_b, p_c, count, generator):
    p = torch.tensor([p_a, float(p_b.mean()), float(p_c.mean())])
    return torch.bernoulli(p.expand(count, 3), generator=generator)


def grandchild(p_a, p_b, p_c, count, generator):
    a = torch.bernoulli(torch.full((count,), p_a), generator=generator)
    b = torch.bernoulli(p_b[a.long()], generator=generator)
    c = torch.bernoulli(p_c[a.long()], generator=generator)
    return torch.stack([a, b, c], 1)


def _reseeded(generator):
    return torch.Generator().manual_seed(generator.initial_seed())


def sorted_chain(p_a, p_b, p_c, count, generator):
    draws = chain(p_a, p_b, p_c, count, generator)
    return draws[draws[:, 0].argsort()]


def tiled_chain(p_a, p_b, p_c, count, generator):
    return chain(p_a, p_b, p_c, 2000, generator).repeat(count // 2000 + 1, 1)[:count]


def shared_noise(p_a, p_b, p_c, count, generator):
    u = torch.rand(count, generator=generator)
    a = (u < p_a).long()
    b = (u < p_b[a]).long()
    return torch.stack([a, b, (u < p_c[b]).long()], 1)


# Exercise 4.5


def change(x, logits, i):
    return (1 - 2 * x[:, i]) * logits[:, i]


def change_by_likelihood(x, logits, i):
    turned = x.clone()
    turned[:, i] = 1 - turned[:, i]
    log_prob = Bernoulli(logits=logits).log_prob
    return (log_prob(turned) - log_prob(x)).sum(-1)


def change_by_odds(x, logits, i):
    odds = F.logsigmoid(logits[:, i]) - F.logsigmoid(-logits[:, i])
    return torch.where(x[:, i] == 1, -odds, odds)


def change_by_probabilities(x, logits, i):
    pi = logits[:, i].sigmoid()
    odds = (pi + 1e-8).log() - (1 - pi + 1e-8).log()
    return (1 - 2 * x[:, i]) * odds


RIGHT = {
    "covariance": covariance,
    "price_of_noise": price,
    "continuous_bernoulli": grey,
    "draw_chain": chain,
    "turned_pixel": change,
}

ALSO_RIGHT = [
    ("covariance", by_total_variance),
    ("covariance", by_all_patterns),
    ("price_of_noise", price_by_difference),
    ("price_of_noise", price_by_divergence),
    ("continuous_bernoulli", lambda g, pi: ContinuousBernoulli(pi).log_prob(g).sum(1)),
    ("draw_chain", chain_of_uniforms),
    ("turned_pixel", change_by_odds),
]

WRONG = [
    ("covariance", spread, "diagonal"),
    ("covariance", own, "depend on each other"),
    (
        "covariance",
        lambda p, pi: covariance(p, pi) - spread(p, pi).diag().diag(),
        "lacks what π(z) adds",
    ),
    ("covariance", lambda p, pi: torch.cov(pi.T, correction=0), "the prior"),
    (
        "covariance",
        lambda p, pi: covariance(torch.full_like(p, 1 / len(p)), pi),
        "expected",
    ),
    (
        "covariance",
        lambda p, pi: covariance(p, pi) + (p @ pi).outer(p @ pi),
        "product of the means",
    ),
    ("covariance", by_sampling, "expected"),
    ("covariance", lambda p, pi: covariance(p, pi)[:2, :2], "shape"),
    ("covariance", lambda p, pi: covariance(p, pi).fill_diagonal_(0.25), "expected"),
    ("price_of_noise", lambda m, p, s: price(m, p, s**0.5), "σ²"),
    ("price_of_noise", lambda m, p, s: 2 * price(m, p, s), "½"),
    ("price_of_noise", lambda m, p, s: price(m, 1, s), "averaged"),
    ("price_of_noise", lambda m, p, s: -price(m, p, s), "sign"),
    ("price_of_noise", lambda m, p, s: price(s**2, p, m**0.5), "upside down"),
    ("price_of_noise", lambda m, p, s: p / 2 * (m / s**2 - math.log(m / s**2)), "least value"),
    ("price_of_noise", lambda m, p, s: p / 2 * (m / s**2 - 1), "logarithm"),
    (
        "price_of_noise",
        lambda m, p, s: p / 2 * (m / s**2 + math.log(2 * math.pi * s**2)),
        "subtract its least",
    ),
    ("price_of_noise", price_by_search, "100 pixels"),
    ("price_of_noise", lambda m, p, s: 629.44, "expected"),
    ("price_of_noise", lambda m, p, s: price(m, 784, s), "3 pixels"),
    ("continuous_bernoulli", score, "that is the score"),
    ("continuous_bernoulli", lambda g, pi: 2 * score(g, pi) - grey(g, pi), "not added"),
    ("continuous_bernoulli", lambda g, pi: -grey(g, pi), "sign"),
    ("continuous_bernoulli", lambda g, pi: grey(g, pi) / g.shape[-1], "do not average"),
    ("continuous_bernoulli", lambda g, pi: grey(g, pi).sum(), "one value an image"),
    ("continuous_bernoulli", lambda g, pi: score(g, pi) + 3 * math.log(2), "expected"),
    ("continuous_bernoulli", with_an_epsilon, "1e-9"),
    ("draw_chain", independent, "its parent"),
    ("draw_chain", grandchild, "its parent"),
    ("draw_chain", shared_noise, "its parent"),
    ("draw_chain", lambda a, b, c, n, g: torch.full((n, 3), 0.5), "probabilities"),
    ("draw_chain", lambda a, b, c, n, g: chain(a, b, c, 10, g), "shape"),
    ("draw_chain", lambda a, b, c, n, g: chain(a, b, c, n, None), "generator"),
    ("draw_chain", lambda a, b, c, n, g: chain(a, b, c, n, torch.Generator()), "generator"),
    ("draw_chain", lambda a, b, c, n, g: chain(a, b, c, n, _reseeded(g)), "never seed it anew"),
    ("draw_chain", lambda a, b, c, n, g: chain(0.3, b, c, n, g), "p(a = 1)"),
    ("draw_chain", lambda a, b, c, n, g: chain(a + 0.02, b, c, n, g), "p(a = 1)"),
    ("draw_chain", lambda a, b, c, n, g: chain(a, b, c + 0.02, n, g), "p(c = 1"),
    ("draw_chain", lambda a, b, c, n, g: chain(a, b, c, 100_000, g), "shape"),
    ("draw_chain", sorted_chain, "depend on each other"),
    ("draw_chain", tiled_chain, "depend on each other"),
    ("turned_pixel", lambda x, a, i: -change(x, a, i), "sign is turned"),
    ("turned_pixel", lambda x, a, i: a[:, i], "mind the sign"),
    ("turned_pixel", lambda x, a, i: (1 - 2 * x[:, i]) * a[:, i].sigmoid(), "probability"),
    ("turned_pixel", lambda x, a, i: change(x, a, i).abs(), "direction"),
    (
        "turned_pixel",
        lambda x, a, i: Bernoulli(logits=a).log_prob(1 - x)[:, i],
        "subtract the old",
    ),
    ("turned_pixel", change_by_likelihood, "no likelihood of the digit"),
    ("turned_pixel", lambda x, a, i: change(x, a, 3), "pixel 0"),
    ("turned_pixel", lambda x, a, i: change(x, a, i).sum(), "shape"),
    ("turned_pixel", change_by_probabilities, "a logit of 200"),
]


globals().update(make_tests(latent_variables, RIGHT, WRONG, ALSO_RIGHT))
