"""Chapter 4's checks accept the solution and name the classic slips."""

import math

import torch
from exercise_tests import make_tests

from vae_lib.checks import latent_variables


def chain(p_a, p_b, p_c, count, generator):
    a = torch.bernoulli(torch.full((count,), p_a), generator=generator)
    b = torch.bernoulli(p_b[a.long()], generator=generator)
    c = torch.bernoulli(p_c[b.long()], generator=generator)
    return torch.stack([a, b, c], 1)


def independent(p_a, p_b, p_c, count, generator):
    p = torch.tensor([p_a, float(p_b.mean()), float(p_c.mean())])
    return torch.bernoulli(p.expand(count, 3), generator=generator)


def grandchild(p_a, p_b, p_c, count, generator):
    a = torch.bernoulli(torch.full((count,), p_a), generator=generator)
    b = torch.bernoulli(p_b[a.long()], generator=generator)
    c = torch.bernoulli(p_c[a.long()], generator=generator)
    return torch.stack([a, b, c], 1)


def nll(x, mu, sigma):
    constant = x.shape[-1] / 2 * math.log(2 * math.pi * sigma**2)
    return ((x - mu) ** 2).sum(-1) / (2 * sigma**2) + constant


def score(g, pi):
    return (g * pi.log() + (1 - g) * (1 - pi).log()).sum(-1)


def grey(g, pi):
    area = (2 * pi - 1) / (pi.log() - (1 - pi).log())
    return score(g, pi) - area.log().sum(-1)


RIGHT = {
    "joint_table": lambda prior, likelihood: prior[:, None] * likelihood,
    "gaussian_nll": nll,
    "continuous_bernoulli": grey,
    "draw_chain": chain,
}

WRONG = [
    ("joint_table", lambda p, like: p * like, "rows"),
    ("joint_table", lambda p, like: p @ like, "summed out"),
    ("joint_table", lambda p, like: p[:, None] * like / (p @ like), "posterior"),
    ("gaussian_nll", lambda x, m, s: ((x - m) ** 2).sum(-1) / (2 * s**2), "constant is missing"),
    ("gaussian_nll", lambda x, m, s: -nll(x, m, s), "sign"),
    ("gaussian_nll", lambda x, m, s: nll(x, m, s) / x.shape[-1], "do not average"),
    ("gaussian_nll", lambda x, m, s: nll(x, m, s**0.5), "square it"),
    ("gaussian_nll", lambda x, m, s: nll(x, m, s).sum(), "one value an image"),
    ("continuous_bernoulli", score, "that is the score"),
    ("continuous_bernoulli", lambda g, pi: 2 * score(g, pi) - grey(g, pi), "not added"),
    ("continuous_bernoulli", lambda g, pi: -grey(g, pi), "sign"),
    ("continuous_bernoulli", lambda g, pi: grey(g, pi) / g.shape[-1], "do not average"),
    ("continuous_bernoulli", lambda g, pi: grey(g, pi).sum(), "one value an image"),
    ("draw_chain", independent, "its parent"),
    ("draw_chain", grandchild, "its parent"),
    ("draw_chain", lambda a, b, c, n, g: torch.full((n, 3), 0.5), "probabilities"),
    ("draw_chain", lambda a, b, c, n, g: chain(a, b, c, 10, g), "shape"),
]


globals().update(make_tests(latent_variables, RIGHT, WRONG))
