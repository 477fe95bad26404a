"""The checks of chapter 5 accept the solution and name the classic slips."""

import math

import torch
from exercise_tests import make_tests
from torch.distributions import Normal

from vae_lib.checks import evidence

# Exercise 5.1


def causes(prior, likelihood, seen):
    log_joint = prior.log() + likelihood[:, seen].log().sum(-1)
    return (log_joint - log_joint.logsumexp(0)).exp()


def one_after_another(prior, likelihood, seen):
    """Yesterday's posterior is today's prior."""
    for x in seen:
        prior = prior * likelihood[:, x]
        prior = prior / prior.sum()
    return prior


def by_counts(prior, likelihood, seen):
    counts = torch.bincount(seen, minlength=likelihood.shape[1]).to(likelihood)
    return (prior.log() + torch.xlogy(counts, likelihood).sum(-1)).softmax(0)


def product(prior, likelihood, seen):
    joint = prior * likelihood[:, seen].prod(-1)
    return joint / joint.sum()


def with_epsilon(prior, likelihood, seen):
    return ((prior + 1e-12).log() + (likelihood[:, seen] + 1e-12).log().sum(-1)).softmax(0)


def smoothed(change):
    def answer(prior, likelihood, seen):
        return causes(prior, change(likelihood), seen)

    return answer


def one_minus(prior, likelihood, seen):
    """Only right for two values."""
    ink = 1 - likelihood[:, :1]
    return causes(prior, torch.cat([1 - ink, ink, ink], 1), seen)


def on_each(prior, likelihood, seen):
    return (len(seen) * prior.log() + likelihood[:, seen].log().sum(-1)).softmax(0)


# Exercise 5.2


def gaussian(x, w, b, s):
    variance = w**2 + s**2
    return -0.5 * (math.log(2 * math.pi * variance) + (x - b) ** 2 / variance)


def from_draws(x, w, b, s):
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_px_z = Normal(w * z + b, s).log_prob(torch.tensor(x))
    return log_px_z.logsumexp(0) - math.log(len(z))


def on_a_grid(x, w, b, s):
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    log_joint = Normal(w * z + b, s).log_prob(torch.tensor(x)) + Normal(0.0, 1.0).log_prob(z)
    return torch.trapezoid(log_joint.exp(), z).log()


# Exercise 5.3


def average(log_w, f):
    return (log_w.softmax(-1) * f).sum(-1)


def average_by_shift(log_w, f):
    w = (log_w - log_w.amax(-1, keepdim=True)).exp()
    return (w * f).sum(-1) / w.sum(-1)


def shifted(by):
    def answer(log_w, f):
        w = (log_w - by(log_w)).exp()
        return (w * f).sum(-1) / w.sum(-1)

    return answer


# Exercises 5.4 and 5.5


def size(error, K):
    return K / (1 + (K - 1) * error**2)


def size_by_variance(error, K):
    variance = K * error**2  # of the weights over their mean, K - 1 below
    return K**2 / ((K - 1) * variance + K)


def samples(c, D, error):
    if c**2 <= 0.5:
        return math.inf
    return ((c**2 / math.sqrt(2 * c**2 - 1)) ** D - 1) / error**2


def samples_in_logs(c, D, error):
    v = torch.tensor(float(c), dtype=torch.float64) ** 2
    r = torch.expm1(D * (v.log() - 0.5 * (2 * v - 1).log()))
    return torch.where(v > 0.5, r / error**2, math.inf)


def rounded_up(c, D, error):
    K = samples(c, D, error)
    return math.ceil(K) if math.isfinite(K) else K


RIGHT = {
    "posterior_of_causes": causes,
    "linear_gaussian_evidence": gaussian,
    "posterior_average": average,
    "size_from_error": size,
    "samples_needed": samples,
}

ALSO_RIGHT = [
    ("posterior_of_causes", one_after_another),
    ("posterior_of_causes", by_counts),
    (
        "linear_gaussian_evidence",
        lambda x, w, b, s: Normal(b, math.hypot(w, s)).log_prob(torch.tensor(x)),
    ),
    ("posterior_average", average_by_shift),
    ("size_from_error", size_by_variance),
    ("samples_needed", samples_in_logs),
    ("samples_needed", lambda c, D, e: max(1.0, samples(c, D, e))),
    ("samples_needed", rounded_up),
]

WRONG = [
    ("posterior_of_causes", product, "underflowed"),
    ("posterior_of_causes", with_epsilon, "a cause of prior 0"),
    ("posterior_of_causes", smoothed(lambda p: p + 1e-6), "first of 31"),
    ("posterior_of_causes", smoothed(lambda p: p.clamp(min=1e-3)), "first of 31"),
    ("posterior_of_causes", lambda p, like, x: causes(p + 1e-30, like, x), "a cause of prior 0"),
    ("posterior_of_causes", one_minus, "3 observations of 2 causes"),
    ("posterior_of_causes", on_each, "counts once"),
    ("posterior_of_causes", lambda p, like, x: p * like[:, x].prod(-1), "by its sum"),
    (
        "posterior_of_causes",
        lambda p, like, x: like[:, x].log().sum(-1).softmax(0),
        "where is the prior",
    ),
    ("posterior_of_causes", lambda p, like, x: one_after_another(p, like, x[-1:]), "last one"),
    ("posterior_of_causes", lambda p, like, x: p, "that is the prior"),
    (
        "posterior_of_causes",
        lambda p, like, x: (p * like[:, x].mean(-1)) / (p * like[:, x].mean(-1)).sum(),
        "do not average",
    ),
    ("posterior_of_causes", lambda p, like, x: causes(p, like, x)[:2], "shape"),
    ("linear_gaussian_evidence", lambda x, w, b, s: gaussian(x, 0, b, s), "spread of z"),
    (
        "linear_gaussian_evidence",
        lambda x, w, b, s: gaussian(x, 0, b, abs(w) + s),
        "standard deviations do not",
    ),
    ("linear_gaussian_evidence", lambda x, w, b, s: gaussian(x, abs(w) ** 0.5, b, s), "w²"),
    ("linear_gaussian_evidence", lambda x, w, b, s: gaussian(x, w, b, s**0.5), "s²"),
    ("linear_gaussian_evidence", lambda x, w, b, s: gaussian(x, 1, b, s), "before it is"),
    ("linear_gaussian_evidence", lambda x, w, b, s: gaussian(x, w, 0, s), "the mean of x is b"),
    ("linear_gaussian_evidence", lambda x, w, b, s: gaussian(x, w, w + b, s), "not w + b"),
    ("linear_gaussian_evidence", lambda *a: math.exp(gaussian(*a)), "logarithm"),
    ("linear_gaussian_evidence", lambda *a: gaussian(*a) / math.log(2), "bits"),
    ("linear_gaussian_evidence", lambda *a: -gaussian(*a), "sign"),
    ("linear_gaussian_evidence", lambda *a: gaussian(*a) + 0.5 * math.log(2 * math.pi), "2π"),
    ("linear_gaussian_evidence", lambda *a: -3.1630, "w = -0.7"),
    ("linear_gaussian_evidence", on_a_grid, "a grid or samples would miss"),
    ("linear_gaussian_evidence", from_draws, "log p(x) for"),
    ("linear_gaussian_evidence", lambda *a: "three", "a number"),
    ("posterior_average", lambda log_w, f: f.mean(-1), "weigh them"),
    ("posterior_average", lambda log_w, f: (log_w.exp() * f).mean(-1), "their mean is p(x)"),
    ("posterior_average", lambda log_w, f: (log_w.exp() * f).sum(-1), "sum of the weights"),
    (
        "posterior_average",
        lambda log_w, f: (log_w * f).sum(-1) / log_w.sum(-1),
        "take exp first",
    ),
    (
        "posterior_average",
        lambda log_w, f: (log_w.exp() * f).sum(-1) / log_w.exp().sum(),
        "weights of its own",
    ),
    (
        "posterior_average",
        lambda log_w, f: (log_w.exp() * f).sum() / log_w.exp().sum(),
        "last dimension only",
    ),
    ("posterior_average", shifted(lambda log_w: 0), "near -2,000: exp under"),
    ("posterior_average", shifted(torch.max), "rows near"),
    ("posterior_average", shifted(lambda log_w: log_w.mean(-1, keepdim=True)), "one weight of 1"),
    (
        "posterior_average",
        shifted(lambda log_w: log_w.amin(-1, keepdim=True)),
        "one weight of 1",
    ),
    (
        "posterior_average",
        lambda log_w, f: (log_w.exp() * f).sum(-1) / (log_w.exp().sum(-1) + 1e-12),
        "near -2,000",
    ),
    ("size_from_error", lambda e, K: 1 / e**2 if e else K, "leaves out the 1"),
    ("size_from_error", lambda e, K: K / (1 + K * e**2), "K - 1"),
    ("size_from_error", lambda e, K: K / (1 + (K - 1) * e), "squared"),
    ("size_from_error", lambda e, K: size(e, K) / K, "share"),
    ("size_from_error", lambda e, K: K / (1 + e**2), "K times the squared error"),
    ("size_from_error", lambda e, K: K / size(e, K), "sum of the squared"),
    ("size_from_error", lambda e, K: size(e, 50), "K = 10"),
    ("samples_needed", lambda c, D, e: samples(c, D, e) + 1 / e**2, "subtract the 1"),
    ("samples_needed", lambda c, D, e: samples(c, D, e) * e**2, "divide by the squared"),
    ("samples_needed", lambda c, D, e: samples(c, D, e) * e, "square it"),
    ("samples_needed", lambda c, D, e: D * samples(c, 1, e), "do not add"),
    ("samples_needed", lambda c, D, e: samples(math.sqrt(c), D, e), "as c²"),
    ("samples_needed", lambda c, D, e: samples(1 / c, D, e), "not the inverse"),
    ("samples_needed", lambda c, D, e: samples(max(c, 0.71), D, e), "return math.inf"),
    ("samples_needed", lambda c, D, e: samples(c, D, e) if c > 0.75 else math.inf, "c = 0.72"),
    ("samples_needed", lambda c, D, e: max(1.0, samples(c, D, e) * e**2), "c = 1.2"),
    ("samples_needed", lambda c, D, e: math.floor(min(samples(c, D, e), 1e9)), "c = 1.2"),
    ("samples_needed", lambda c, D, e: samples(c, 50, e), "D = 3"),
    ("samples_needed", lambda c, D, e: 1059.2534, "c = 0.8"),
]


globals().update(make_tests(evidence, RIGHT, WRONG, ALSO_RIGHT))
