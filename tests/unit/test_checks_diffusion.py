"""The checks of chapter 15 accept right answers and name the slip in wrong ones."""

import math

import torch
from exercise_tests import make_tests
from torch.distributions import Categorical, Normal, kl_divergence

from vae_lib.checks import diffusion as checks


def shares(k, K):
    return torch.bincount(k.flatten(), minlength=K).double() / k.numel()


def usage(k, K):
    nats = torch.special.entr(shares(k, K)).sum()
    return nats.exp(), k.shape[1] * nats / math.log(2)


def usage_by_torch(k, K):
    nats = Categorical(shares(k, K)).entropy()
    return float(nats.exp()), float(k.shape[1] * nats / math.log(2))


def beta_of(before, now):
    return 1 - now / before


def step(x_0, x_t, before, now):
    beta = beta_of(before, now)
    a = before.sqrt() * beta / (1 - now)
    b = (now / before).sqrt() * (1 - before) / (1 - now)
    return a * x_0 + b * x_t, beta * (1 - before) / (1 - now)


def step_by_regression(x_0, x_t, before, now):
    """x_{t-1} and x_t given x_0 are jointly Gaussian: the regression of one on the other."""
    root = (now / before).sqrt()
    slope = root * (1 - before) / (1 - now)  # Cov / Var
    mean = before.sqrt() * x_0 + slope * (x_t - now.sqrt() * x_0)
    variance = (1 - before) - root**2 * (1 - before) ** 2 / (1 - now)
    return mean, variance.expand(x_0.shape)


def names(x_t, eps, share):
    spread = (1 - share).sqrt()
    return (x_t - spread * eps) / share.sqrt(), -eps / spread


def names_by_guess(x_t, eps, share):
    """The score as the slope towards the guess, as in (2.6)."""
    guess = (x_t - (1 - share).sqrt() * eps) / share.sqrt()
    return guess, (share.sqrt() * guess - x_t) / (1 - share)


def parts(s, before, now):
    beta, ratio = beta_of(before, now), (1 - before) / (1 - now)
    a = before.sqrt() * beta / (1 - now)
    return a, beta, ratio, s**2 * (1 - now) / (now * s**2 + 1 - now)


def term(s, before, now):
    a, beta, ratio, error = parts(s, before, now)
    return 0.5 * (a**2 * error / beta + ratio - 1 - ratio.log())


def term_by_torch(s, before, now):
    """The mean over errors of a divergence that is quadratic in them: at the root mean square."""
    a, beta, ratio, error = parts(s, before, now)
    q = Normal(a * error.sqrt(), (ratio * beta).sqrt())
    return float(kl_divergence(q, Normal(torch.zeros_like(beta), beta.sqrt())))


def by_place(k, K):
    return torch.stack([torch.special.entr(shares(column, K)).sum() for column in k.T])


RIGHT = {
    "codebook_usage": usage,
    "step_back": step,
    "three_names": names,
    "gaussian_term": term,
}
ALSO_RIGHT = [
    ("codebook_usage", usage_by_torch),
    ("step_back", step_by_regression),
    ("three_names", names_by_guess),
    ("gaussian_term", term_by_torch),
    ("gaussian_term", lambda *given: term(*given).reshape(1)),
]


def widths(ratio):
    return ratio - 1 - ratio.log()


def wrong_term(change):
    """An answer to 15.4 made of its parts (s, a, β, ratio, error, ᾱ_t)."""
    return lambda s, b, n: change(s, *parts(s, b, n), n)


def wrong_mean(change):
    """An answer to 15.2 whose mean is wrong."""
    return lambda x, y, b, n: (change(x, y, b, n), step(x, y, b, n)[1])


def wrong_variance(change):
    return lambda x, y, b, n: (step(x, y, b, n)[0], change(step(x, y, b, n)[1], b, n))


WRONG = [
    ("codebook_usage", lambda k, K: usage(k, K)[0], "return two values"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0].log(), 1.0), "entropy in nats"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0].log2(), 1.0), "entropy in bits"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0].log().exp2(), 1.0), "a power of 2"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0].log2().exp(), 1.0), "exp wants"),
    ("codebook_usage", lambda k, K: (1 / usage(k, K)[0], 1.0), "turned round"),
    ("codebook_usage", lambda k, K: ((shares(k, K) > 0).sum(), 1.0), "weigh them"),
    ("codebook_usage", lambda k, K: (K, 1.0), "size of the codebook"),
    ("codebook_usage", lambda k, K: (by_place(k, K).exp().mean(), 1.0), "share one codebook"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0], usage(k, K)[1] * math.log(2)), "are nats"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0], usage(k, K)[1] / k.shape[1]), "one code"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0], k.shape[1] * math.log2(K)), "equally likely"),
    (
        "codebook_usage",
        lambda k, K: (usage(k, K)[0], k.shape[1] * math.log2(int((shares(k, K) > 0).sum()))),
        "codes in use would cost",
    ),
    ("codebook_usage", lambda k, K: (usage(k, K)[0], len(k) * usage(k, K)[1]), "one picture"),
    (
        "codebook_usage",
        lambda k, K: (usage(k, K)[0], by_place(k, K).sum() / math.log(2)),
        "own frequencies",
    ),
    (
        "codebook_usage",
        lambda k, K: ((k.shape[1] * usage(k, K)[0].log()).exp(), 1.0),
        "a whole picture",
    ),
    ("codebook_usage", lambda k, K: (8.0, 24.0), "expected"),
    ("codebook_usage", lambda k, K: (1.001 * usage(k, K)[0], usage(k, K)[1]), "expected"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0], 1.001 * usage(k, K)[1]), "expected"),
    ("step_back", lambda *a: step(*a)[0], "return two values"),
    ("step_back", wrong_mean(lambda x, y, b, n: step(y, x, b, n)[0]), "changed places"),
    (
        "step_back",
        wrong_mean(lambda x, y, b, n: step(b.sqrt() * x, y, b, n)[0]),
        "enters by its root",
    ),
    (
        "step_back",
        wrong_mean(lambda x, y, b, n: step(x, (n / b).sqrt() * y, b, n)[0]),
        "not 1 - β_t",
    ),
    ("step_back", wrong_mean(lambda x, y, b, n: b.sqrt() * x), "x_t says something"),
    ("step_back", wrong_mean(lambda x, y, b, n: y / (n / b).sqrt()), "x_0 says something"),
    ("step_back", wrong_mean(lambda x, y, b, n: (n / b).sqrt() * y), "a step forwards"),
    (
        "step_back",
        wrong_mean(lambda x, y, b, n: b.sqrt() * x + n.sqrt() * (1 - b) / (1 - n) * y),
        "not 1 - ᾱ_t",
    ),
    (
        "step_back",
        wrong_mean(lambda x, y, b, n: step((n / b).sqrt() * x, y, b, n)[0]),
        "not √ᾱ_t",
    ),
    (
        "step_back",
        wrong_mean(lambda x, y, b, n: torch.cat([step(x, y, b, n)[0][:, :2], x[:, 2:]], 1)),
        "expected",
    ),
    ("step_back", wrong_mean(lambda x, y, b, n: step(x, y, n, b)[0]), "changed places"),
    (
        "step_back",
        wrong_mean(lambda x, y, b, n: step(x, y, b, n)[0] / step(x, y, b, n)[1]),
        "sum of the precisions",
    ),
    ("step_back", wrong_variance(lambda v, b, n: beta_of(b, n)), "variance of p"),
    ("step_back", wrong_variance(lambda v, b, n: v.sqrt()), "standard deviation"),
    ("step_back", wrong_variance(lambda v, b, n: 1 / v), "precision"),
    ("step_back", wrong_variance(lambda v, b, n: (1 - b).expand(4, 3)), "q(x_{t-1}|x_0)"),
    (
        "step_back",
        wrong_variance(lambda v, b, n: beta_of(b, n) * (1 - n) / (1 - b)),
        "other way round",
    ),
    ("step_back", wrong_variance(lambda v, b, n: v.log()), "logarithm"),
    ("three_names", lambda x, e, s: names(x, e, s)[0], "return two values"),
    ("three_names", lambda x, e, s: (x - (1 - s).sqrt() * e, e), "data were shrunk"),
    ("three_names", lambda x, e, s: (names(x, -e, s)[0], e), "not added"),
    ("three_names", lambda x, e, s: ((x - e) / s.sqrt(), e), "not ε"),
    ("three_names", lambda x, e, s: ((x - (1 - s) * e) / s.sqrt(), e), "is a variance"),
    ("three_names", lambda x, e, s: ((x - (1 - s).sqrt() * e) / s, e), "root of ᾱ_t"),
    ("three_names", lambda x, e, s: (names(x, e, s)[0], -names(x, e, s)[1]), "the sign"),
    ("three_names", lambda x, e, s: (names(x, e, s)[0], -e), "divide by √(1 - ᾱ_t), the"),
    ("three_names", lambda x, e, s: (names(x, e, s)[0], -e / (1 - s)), "not by the variance"),
    ("three_names", lambda x, e, s: (names(x, e, s)[0], -e * (1 - s).sqrt()), "do not multiply"),
    ("three_names", lambda x, e, s: (names(x, e, s)[0], -e / s.sqrt()), "not by √ᾱ_t"),
    ("three_names", lambda x, e, s: (names(x, e, s)[0], -x), "t = T only"),
    (
        "three_names",
        lambda x, e, s: (names(x, e, s)[0], -(x - s.sqrt() * e) / (1 - s)),
        "is not that guess",
    ),
    ("gaussian_term", lambda *a: 2 * term(*a), "half"),
    (
        "gaussian_term",
        wrong_term(lambda s, a, β, r, e, n: 0.5 * a**2 * e / β),
        "variances differ too",
    ),
    ("gaussian_term", wrong_term(lambda s, a, β, r, e, n: 0.5 * widths(r)), "means differ too"),
    (
        "gaussian_term",
        wrong_term(lambda s, a, β, r, e, n: 0.5 * (a * e / β + widths(r))),
        "a_t is squared",
    ),
    (
        "gaussian_term",
        wrong_term(lambda s, a, β, r, e, n: 0.5 * (a**2 * e / (β * r) + widths(r))),
        "not by that of q",
    ),
    ("gaussian_term", lambda s, b, n: term(s**0.5, b, n), "has s²"),
    ("gaussian_term", lambda s, b, n: term(s, b, n) + ((1 - b) / (1 - n)).log(), "sign of the"),
    (
        "gaussian_term",
        wrong_term(lambda s, a, β, r, e, n: 0.5 * (a**2 * e / β + widths(1 / r))),
        "turned round",
    ),
    (
        "gaussian_term",
        wrong_term(lambda s, a, β, r, e, n: 0.5 * (a**2 * n / (1 - n) * e / β + widths(r))),
        "error in ε",
    ),
    (
        "gaussian_term",
        wrong_term(lambda s, a, β, r, e, n: 0.5 * (a**2 * s**2 / β + widths(r))),
        "smaller than the data's",
    ),
    ("gaussian_term", lambda *a: term(*a) / math.log(2), "bits"),
    ("gaussian_term", lambda s, b, n: 0.15, "expected"),
]
globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
