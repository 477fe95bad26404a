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


def names(x_t, v, share):
    signal, noise = share.sqrt(), (1 - share).sqrt()
    eps = noise * x_t + signal * v
    return signal * x_t - noise * v, eps, -eps / noise


def names_by_solving(x_t, v, share):
    """Two equations with two unknowns; the score as the slope towards the guess, as in (2.6)."""
    signal, noise = share.sqrt(), (1 - share).sqrt()
    turn = torch.stack([torch.stack([signal, noise]), torch.stack([-noise, signal])])
    guess, eps = torch.linalg.solve(turn, torch.stack([x_t, v]).flatten(1)).unflatten(1, x_t.shape)
    return guess.float(), eps, (signal * guess - x_t) / (1 - share)


def step_variances(s, before, now):
    beta = beta_of(before, now)
    error = s**2 * (1 - now) / (now * s**2 + 1 - now)
    return (1 - before) / (1 - now) * beta + before * (beta / (1 - now)) ** 2 * error


def variance(s, before, now):
    sigma2 = step_variances(s, before, now)
    return sigma2.mean(), 0.5 * (sigma2.mean() / sigma2).log().sum()


def variance_by_torch(s, before, now):
    """The regression of x_{t-1} on x_t, and torch's divergence."""
    root = (now / before).sqrt()
    below, above = before * s**2 + 1 - before, now * s**2 + 1 - now
    sigma2 = below - root**2 * below**2 / above
    right, one = Normal(0 * s, sigma2.sqrt()), Normal(0 * s, sigma2.mean().sqrt())
    return sigma2.mean().reshape(()), float(kl_divergence(right, one).sum())


def whole(k):  # bits of the combinations as they come
    share = k.unique(dim=0, return_counts=True)[1] / len(k)
    return torch.special.entr(share).sum() / math.log(2)


def by_place(k, K):
    return torch.stack([torch.special.entr(shares(column, K)).sum() for column in k.T])


RIGHT = {
    "codebook_usage": usage,
    "step_back": step,
    "three_names": names,
    "one_variance": variance,
}
ALSO_RIGHT = [
    ("codebook_usage", usage_by_torch),
    ("step_back", step_by_regression),
    ("three_names", names_by_solving),
    ("three_names", lambda *given: torch.stack(names(*given))),
    ("one_variance", variance_by_torch),
    ("one_variance", lambda *given: torch.stack(variance(*given))),
    ("codebook_usage", lambda k, K: torch.tensor(usage(k, K))),
]


def wrong_mean(change):
    """An answer to 15.2 whose mean is wrong."""
    return lambda x, y, b, n: (change(x, y, b, n), step(x, y, b, n)[1])


def by_square(pull, precision):
    """15.2 by completing the square, with x_t's pull and precision: functions of α and β."""

    def answer(x_0, x_t, before, now):
        alpha, beta = now / before, beta_of(before, now)
        total = precision(alpha, beta) + 1 / (1 - before)
        return (pull(alpha, beta) * x_t + before.sqrt() / (1 - before) * x_0) / total, 1 / total

    return answer


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
    (
        "codebook_usage",
        lambda k, K: ((-(shares(k, K) * shares(k, K).log()).sum()).exp(), 1.0),
        "NaN",
    ),
    ("codebook_usage", lambda k, K: (1.001 * usage(k, K)[0], usage(k, K)[1]), "expected"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0], 1.001 * usage(k, K)[1]), "expected"),
    ("codebook_usage", lambda k, K: (usage(k, K)[0], whole(k)), "whole combinations"),
    ("step_back", lambda *a: step(*a)[0], "return two values"),
    (
        "step_back",
        wrong_variance(lambda v, b, n: beta_of(b, n) * b / (1 - n)),
        "expected 0.08333, got 0.75",
    ),
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
        wrong_mean(lambda x, y, b, n: step(x, b.sqrt() * y, b, n)[0]),
        "not of ᾱ_t",
    ),
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
    ("step_back", by_square(lambda a, b: 1 / b, lambda a, b: a / b), "x_t pulls with"),
    (
        "step_back",
        by_square(lambda a, b: a.sqrt() / b, lambda a, b: 1 / b),
        "precision that x_t adds",
    ),
    ("step_back", by_square(lambda a, b: 1 / b, lambda a, b: 1 / b), "its square in the"),
    (
        "step_back",
        wrong_variance(lambda v, b, n: 1 / (1 / beta_of(b, n) + 1 / (1 - b))),
        "precision that x_t adds",
    ),
    ("step_back", wrong_variance(lambda v, b, n: v.expand(4)), "has shape [4]"),
    ("step_back", wrong_variance(lambda v, b, n: v.expand(2, 4, 3)), "has shape [2, 4, 3]"),
    ("three_names", lambda x, v, s: names(x, v, s)[:2], "return three values"),
    ("three_names", lambda x, v, s: (names(x, -v, s)[0], v, v), "other way: v has"),
    ("three_names", lambda x, v, s: (names(x, v, s)[1], v, v), "that is the noise"),
    ("three_names", lambda x, v, s: (s * x - (1 - s) * v, v, v), "enters by its root"),
    ("three_names", lambda x, v, s: (names(x, v, 1 - s)[0], v, v), "changed places"),
    (
        "three_names",
        lambda x, v, s: ((x - (1 - s).sqrt() * v) / s.sqrt(), v, v),
        "for the noise, as",
    ),
    (
        "three_names",
        lambda x, v, s: (names(x, v, s)[0], names(x, -v, s)[1], v),
        "both parts are added",
    ),
    ("three_names", lambda x, v, s: (names(x, v, s)[0], v, v), "v itself"),
    ("three_names", lambda x, v, s: (names(x, v, s)[0], -names(x, v, s)[1], v), "turned round"),
    ("three_names", lambda x, v, s: (names(x, v, s)[0], names(x, v, s)[0], v), "guess at x_0"),
    (
        "three_names",
        lambda x, v, s: (names(x, v, s)[0], (1 - s) * x + s * v, v),
        "enters by its root",
    ),
    ("three_names", lambda x, v, s: (*names(x, v, s)[:2], -names(x, v, s)[2]), "the sign"),
    (
        "three_names",
        lambda x, v, s: (*names(x, v, s)[:2], -names(x, v, s)[1]),
        "divide by √(1 - ᾱ_t), the",
    ),
    (
        "three_names",
        lambda x, v, s: (*names(x, v, s)[:2], -names(x, v, s)[1] / (1 - s)),
        "not by the variance",
    ),
    (
        "three_names",
        lambda x, v, s: (*names(x, v, s)[:2], -names(x, v, s)[1] * (1 - s).sqrt()),
        "do not multiply",
    ),
    (
        "three_names",
        lambda x, v, s: (*names(x, v, s)[:2], -names(x, v, s)[1] / s.sqrt()),
        "not by √ᾱ_t",
    ),
    ("three_names", lambda x, v, s: (*names(x, v, s)[:2], -x), "t = T only"),
    (
        "three_names",
        lambda x, v, s: (*names(x, v, s)[:2], -v / (1 - s).sqrt()),
        "takes v for the noise",
    ),
    ("one_variance", lambda s, b, n: variance(s, b, n)[0], "return two values"),
    ("one_variance", lambda s, b, n: (beta_of(b, n), 1.0), "best where all spreads are 1"),
    ("one_variance", lambda s, b, n: ((1 - b) / (1 - n) * beta_of(b, n), 1.0), "x_0 is not known"),
    (
        "one_variance",
        lambda s, b, n: (variance(s, b, n)[0] - (1 - b) / (1 - n) * beta_of(b, n), 1.0),
        "leaves out",
    ),
    ("one_variance", lambda *a: (step_variances(*a).log().mean().exp(), 1.0), "geometric"),
    ("one_variance", lambda *a: (1 / (1 / step_variances(*a)).mean(), 1.0), "KL(p ‖ q)"),
    ("one_variance", lambda s, b, n: (step_variances(s.mean(), b, n), 1.0), "not the spreads"),
    ("one_variance", lambda s, b, n: (step_variances(s.sqrt(), b, n).mean(), 1.0), "its square"),
    ("one_variance", lambda *a: (step_variances(*a).sqrt().mean() ** 2, 1.0), "squared"),
    ("one_variance", lambda *a: (variance(*a)[0].sqrt(), 1.0), "a standard deviation"),
    ("one_variance", lambda *a: (step_variances(*a).sum(), 1.0), "the sum"),
    ("one_variance", lambda *a: (step_variances(*a), 1.0), "the shape"),
    (
        "one_variance",
        lambda s, b, n: (step_variances(s.square().mean().sqrt(), b, n), 1.0),
        "no line in s²",
    ),
    (
        "one_variance",
        lambda s, b, n: (
            (1 - b) / (1 - n) * beta_of(b, n)
            + b * (beta_of(b, n) / (1 - n)) ** 2 * (s**2 * (1 - b) / (b * s**2 + 1 - b)).mean(),
            1.0,
        ),
        "not ᾱ_{t-1}",
    ),
    ("one_variance", lambda *a: (variance(*a)[0], 2 * variance(*a)[1]), "half"),
    ("one_variance", lambda *a: (variance(*a)[0], variance(*a)[1] / 2), "not of spreads"),
    ("one_variance", lambda *a: (variance(*a)[0], -variance(*a)[1]), "the sign"),
    (
        "one_variance",
        lambda s, b, n: (variance(s, b, n)[0], variance(s, b, n)[1] / len(s)),
        "adds them",
    ),
    ("one_variance", lambda *a: (variance(*a)[0], variance(*a)[1] / math.log(2)), "bits"),
    (
        "one_variance",
        lambda s, b, n: (
            variance(s, b, n)[0],
            kl_divergence(
                Normal(0 * s, beta_of(b, n).sqrt() * 0 + step_variances(s, b, n).sqrt()),
                Normal(0 * s, beta_of(b, n).sqrt()),
            ).sum(),
        ),
        "what β_t loses",
    ),
    (
        "one_variance",
        lambda s, b, n: (
            variance(s, b, n)[0],
            kl_divergence(
                Normal(0 * s, variance(s, b, n)[0].sqrt()),
                Normal(0 * s, step_variances(s, b, n).sqrt()),
            ).sum(),
        ),
        "q first",
    ),
    ("one_variance", lambda s, b, n: (0.2, 0.1), "expected"),
]
globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))
