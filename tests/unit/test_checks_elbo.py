"""The checks of chapter 8 accept right answers and name the slip in wrong ones."""

import math

import pytest
import torch
from exercise_tests import make_tests
from torch.distributions import Normal

from vae_lib.checks import elbo as checks

LOG_2 = math.log(2)


def report(bce, kl_bits, pixels, latent):
    return -bce * pixels - kl_bits * latent * LOG_2


def noise(y, a, b, s, mu, variance, two=2, prior=1, own=1.0):
    """The solution; with ``two``, ``prior`` and ``own`` (of log q) changed, its slips."""
    std = variance**0.5
    line, square = a * std * (y - b - a * mu) / s**2, -(a**2) * variance / (2 * s**2)
    likelihood = (line**2 + two * square**2) ** 0.5
    line -= prior * mu * std
    square += own / 2 - prior * variance / 2
    return (line**2 + two * square**2) ** 0.5, likelihood


def noise_by_quadrature(y, a, b, s, mu, variance):
    """The same by Gauss and Hermite, 5 nodes: exact for polynomials of degree 9."""
    nodes = torch.tensor([0.0, 1.3556261799742659, 2.8569700138728056], dtype=torch.float64)
    weights = torch.tensor([8 / 15, 0.2220759220056127, 0.0112574113277207], dtype=torch.float64)
    eps, weights = torch.cat([-nodes[1:], nodes]), torch.cat([weights[1:], weights])
    z = mu + variance**0.5 * eps
    log_px_z = Normal(a * z + b, s).log_prob(torch.tensor(y, dtype=torch.float64))
    log_w = log_px_z + Normal(0.0, 1.0).log_prob(z) - Normal(mu, variance**0.5).log_prob(z)
    table = torch.stack([log_w, log_px_z])
    mean = (table @ weights)[:, None]
    return ((table - mean) ** 2 @ weights).sqrt()


def best(y, a, b, s):
    precision = 1 + len(y) * a**2 / s**2
    return a * (y - b).sum() / s**2 / precision, 1 / precision


def best_one_by_one(y, a, b, s):
    """Bayes' rule with one observation after the other."""
    mean, precision = 0.0, 1.0
    for each in y.tolist():
        mean = (precision * mean + a * (each - b) / s**2) / (precision + a**2 / s**2)
        precision += a**2 / s**2
    return torch.tensor([mean, 1 / precision], dtype=torch.float64)


def gain(log_w):
    return (log_w.logsumexp(-1) - math.log(log_w.shape[-1]) - log_w.mean(-1)).mean()


def gain_from_the_top(log_w):
    """Take each row's mean away first, then its largest, and work with weights."""
    centred = log_w - log_w.mean(-1, keepdim=True)
    top = centred.amax(-1, keepdim=True)
    return float(((centred - top).exp().mean(-1).log() + top[:, 0]).mean())


MOVES = ((0.2, 0.6), (1.7, 1.0))
RIGHT = {
    "report": report,
    "noise": noise,
    "optimal_q": best,
    "two_moves": lambda: MOVES,
    "gain": gain,
}
ALSO_RIGHT = [
    ("report", lambda bce, kl, p, d: torch.tensor(-(p * bce + d * kl / math.log2(math.e)))),
    ("noise", noise_by_quadrature),
    ("optimal_q", best_one_by_one),
    ("two_moves", lambda: torch.tensor([[0.3, 0.7], [1.6, 1.2]])),
    ("gain", gain_from_the_top),
    ("gain", lambda v: gain(v.float())),
]
WRONG = [
    ("report", lambda *a: -report(*a), "turn the sign"),
    ("report", lambda b, k, p, d: report(b, -k, p, d), "taken away"),
    ("report", lambda b, k, p, d: -b * p - k * d, "still in bits"),
    ("report", lambda b, k, p, d: -b * p - k * d / LOG_2, "do not divide"),
    ("report", lambda b, k, p, d: (-b * p - k * d) * LOG_2, "only the KL"),
    ("report", lambda b, k, p, d: -b * p - k * LOG_2, "sum over the latent"),
    ("report", lambda b, k, p, d: -b - k * d * LOG_2, "sum over the pixels"),
    ("report", lambda b, k, p, d: -b - k * LOG_2, "both terms are sums"),
    ("report", lambda b, k, p, d: report(b, k, p, d) / p, "average over the pixels"),
    ("report", lambda b, k, p, d: -b * p - k * LOG_2 * p, "not over the pixels"),
    ("report", lambda *_: -114.87442, "Not yet"),
    ("report", lambda b, k, p, d: report(b, k, 784, 20), "expected"),
    ("noise", lambda *a: noise(*a)[::-1], "comes first"),
    ("noise", lambda *a: [v**2 for v in noise(*a)], "take the root"),
    ("noise", lambda *a: noise(*a, two=1), "is 2, not 1"),
    ("noise", lambda *a: noise(*a, two=0), "left out"),
    ("noise", lambda *a: noise(*a, prior=0), "log p(z) is left out"),
    ("noise", lambda *a: noise(*a, own=0), "log q(z) is left out"),
    ("noise", lambda *a: noise(*a, own=-1), "taken away"),
    ("noise", lambda *a: noise(*a)[0], "two numbers"),
    ("noise", lambda *a: (noise(*a)[0], noise(*a)[0]), "expected"),
    ("noise", lambda *a: (0.0, 0.69), "expected"),
    ("noise", lambda y, a, b, s, m, v: noise(y, a, b, s, m, v**0.5), "expected"),
    ("noise", lambda y, a, b, s, m, v: noise(y, a, b, s, m, v**2), "variance is σ²"),
    ("optimal_q", lambda *a: (best(*a)[0], best(*a)[1] ** 0.5), "standard deviation"),
    ("optimal_q", lambda *a: (best(*a)[0], 1 / best(*a)[1]), "precision"),
    ("optimal_q", lambda *a: (best(*a)[0], math.log(best(*a)[1])), "log σ²"),
    ("optimal_q", lambda *a: best(*a)[::-1], "variance comes second"),
    ("optimal_q", lambda y, a, b, s: ((y - b).mean() / a, s**2 / a**2 / len(y)), "left out"),
    ("optimal_q", lambda y, a, b, s: best(y, a, 0, s), "offset b"),
    ("optimal_q", lambda y, a, b, s: best(y, a, b, s**0.5), "s is a standard deviation"),
    ("optimal_q", lambda y, a, b, s: best(y.mean()[None], a, b, s), "for one observation"),
    ("optimal_q", lambda *a: best_counted(*a), "n times"),
    ("optimal_q", lambda *a: best(*a)[0], "two numbers"),
    ("optimal_q", lambda y, a, b, s: best(y[:1], a, b, s), "expected"),
    ("two_moves", lambda: ((0.6, 0.2), MOVES[1]), "first move the ELBO"),
    ("two_moves", lambda: (MOVES[0], (1.0, 1.7)), "second move the ELBO"),
    ("two_moves", lambda: (MOVES[1], MOVES[1]), "the gap closes"),
    ("two_moves", lambda: (MOVES[1], MOVES[1]), "a smaller a may help"),
    ("two_moves", lambda: ((0.05, 0.2), MOVES[1]), "a larger a may help"),
    ("two_moves", lambda: (MOVES[0], MOVES[0]), "it must fall"),
    ("two_moves", lambda: (0.2, 0.6), "two pairs"),
    ("two_moves", lambda: ((-2.0, 0.2), MOVES[1]), "positive"),
    ("two_moves", lambda: ((0.5, 0.5), MOVES[1]), "must rise"),
    ("gain", lambda v: gain(v) + v.mean(), "take L_1 away"),
    ("gain", lambda v: -gain(v), "sign is turned"),
    ("gain", lambda v: (v.logsumexp(-1) - v.mean(-1)).mean(), "subtract log K"),
    ("gain", lambda v: gain(v.flatten()[None]), "average the S logarithms"),
    ("gain", lambda v: gain(v.T), "last dimension"),
    ("gain", lambda v: v.logsumexp(-1) - math.log(v.shape[-1]) - v.mean(-1), "one number"),
    ("gain", lambda v: len(v) * gain(v), "average them"),
    ("gain", lambda v: gain(v) + (v.mean(-1) - v[:, 0]).mean(), "first column"),
    ("gain", lambda v: v.exp().mean(-1).log().mean() - v.mean(), "logsumexp"),
    ("gain", lambda v: from_one_top(v, v.max()), "row by row"),
    ("gain", lambda v: from_one_top(v, v.mean()), "row by row"),
    ("gain", lambda v: from_one_top(v, v.amax(1, True), 1e-5), "anything but their mean"),
    ("gain", lambda v: (v.exp().mean(1) + 1e-12).log().mean() - v.mean(), "inside the logarithm"),
    ("gain", lambda v: (v.logsumexp(-1) - math.log(4) - v.mean(-1)).mean(), "expected"),
    ("gain", lambda v: (0.5 * (v[:, 0] - v[:, 1])).cosh().log().mean(), "expected"),
    ("gain", lambda v: 0.99, "expected"),
]


def from_one_top(log_w, top, extra=0.0):
    """The gain with ``top`` taken away inside the logarithm, and something added there."""
    bound = ((log_w - top).exp().mean(1) + extra).log()
    return (bound + (top - log_w).mean(1)).mean()


def best_counted(y, a, b, s):
    """The prior counted once for each observation."""
    precision = len(y) * (1 + a**2 / s**2)
    return a * (y - b).sum() / s**2 / precision, 1 / precision


globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))


@pytest.mark.parametrize("a", [-1.0, 0.0, 0.4, 2.5])
def test_terms_of_the_linear_model_agree_with_the_direct_elbo(a):
    """E_q[log p(x|z)] - KL(q ‖ p(z)) for q = N(½, 1), y = 2, s = 1, written out."""
    elbo = -0.5 * (math.log(2 * math.pi) + (2 - 0.5 * a) ** 2 + a**2) - 0.125
    got = checks._terms(torch.tensor(a, dtype=torch.float64))
    assert float(got[0]) == pytest.approx(elbo, abs=1e-12)
