"""The checks of chapter 12 accept right answers and name the slip in wrong ones."""

import math

import pytest
import torch
from exercise_tests import make_tests
from torch.distributions import Bernoulli, Normal, kl_divergence

from vae_lib.checks import failures as checks

LOG_2 = math.log(2)


def rate(eigenvalues, variance, beta, latent):
    kept = eigenvalues.sort(descending=True).values[:latent]
    return 0.5 * (kept / (beta * variance)).log().clamp(min=0).sum()


def rate_by_divergences(eigenvalues, variance, beta, latent):
    """The KL of the exact posterior of each unit that is alive, at the mean square of its mean."""
    total, noise = 0.0, beta * variance
    for value in sorted(eigenvalues.tolist(), reverse=True)[:latent]:
        if value > noise:
            q = Normal(math.sqrt(1 - noise / value), math.sqrt(noise / value))
            total += float(kl_divergence(q, Normal(0.0, 1.0)))
    return total


def changed_rate(
    noise=lambda v, b: v * b, of=lambda logs: 0.5 * logs.clamp(min=0).sum(), sort=True
):
    def answer(eigenvalues, variance, beta, latent):
        kept = eigenvalues.sort(descending=True).values if sort else eigenvalues
        return of((kept[:latent] / noise(variance, beta)).log())

    return answer


def beta_by_differences(loss, batch, pixels, latent):
    nll, kl = torch.zeros(batch, pixels), torch.zeros(batch, latent)
    by_kl = (loss(nll, kl + 1) - loss(nll, kl)) / (batch * latent)
    return by_kl / ((loss(nll + 1, kl) - loss(nll, kl)) / (batch * pixels))


def beta_by_gradient(loss, batch, pixels, latent):
    nll = torch.rand(batch, pixels, requires_grad=True)
    kl = torch.rand(batch, latent, requires_grad=True)
    by_nll, by_kl = torch.autograd.grad(loss(nll, kl), (nll, kl))
    return by_kl.mean() / by_nll.mean()


def in_one(loss, batch, pixels, latent):
    """(no nats, one nat of KL, one of nll) in one entry: the losses."""
    nll, kl = torch.zeros(2, batch, pixels), torch.zeros(2, batch, latent)
    nll[1, 0, 0], kl[1, 0, 0] = 1.0, 1.0
    return loss(nll[0], kl[0]), loss(nll[0], kl[1]), loss(nll[1], kl[0])


def bits(nll, kl, floor):
    return nll.mean() + kl.mean(0).clamp(min=floor).sum()


def bits_by_hand(nll, kl, floor):
    means = [column.mean() for column in kl.T]
    return nll.mean() + sum(mean if mean > floor else floor for mean in means)


def straight_through(nll, kl, floor):
    mean = kl.mean(0)
    return nll.mean() + (mean + (mean.clamp(min=floor) - mean).detach()).sum()


def gain(residual, old, new):
    return math.log(old / new) - 0.5 * residual**2 * (1 / new**2 - 1 / old**2)


def gain_by_densities(residual, old, new):
    r = torch.tensor(residual).double()
    return Normal(0.0, new).log_prob(r) - Normal(0.0, old).log_prob(r)


def entropy(pi):
    return -torch.xlogy(pi, pi) - torch.xlogy(1 - pi, 1 - pi)


def saving(a, b):
    return entropy((a + b) / 2) - 0.5 * entropy(a) - 0.5 * entropy(b)


def threshold(a, b):
    return saving(a, b).sum() / LOG_2


def threshold_by_divergences(a, b):
    mean = Bernoulli(probs=(a + b) / 2)
    each = [kl_divergence(Bernoulli(probs=p), mean) for p in (a, b)]
    return float((torch.stack(each).nan_to_num(0.0).mean(0) / LOG_2).sum())


def naive_threshold(a, b):
    def entropy(pi):
        return -pi * pi.log() - (1 - pi) * (1 - pi).log()

    return (entropy((a + b) / 2) - 0.5 * entropy(a) - 0.5 * entropy(b)).sum() / LOG_2


RIGHT = {
    "linear_rate": rate,
    "which_beta": beta_by_differences,
    "free_bits": bits,
    "gain_of_shrinking": gain,
    "blur_threshold": threshold,
}

ALSO_RIGHT = [
    ("linear_rate", rate_by_divergences),
    ("which_beta", beta_by_gradient),
    ("free_bits", bits_by_hand),
    ("gain_of_shrinking", gain_by_densities),
    ("blur_threshold", threshold_by_divergences),
]

WRONG = [
    ("linear_rate", changed_rate(noise=lambda v, b: v), "β is left out"),
    ("linear_rate", changed_rate(noise=lambda v, b: v / b), "multiplies the variance"),
    ("linear_rate", changed_rate(of=lambda logs: 0.5 * logs.sum()), "no negative rate"),
    ("linear_rate", changed_rate(of=lambda logs: logs.clamp(min=0).sum()), "factor ½"),
    (
        "linear_rate",
        changed_rate(of=lambda logs: 0.5 * logs.clamp(min=0).sum() / LOG_2),
        "those are bits",
    ),
    ("linear_rate", lambda e, v, b, d: rate(e, v, b, len(e)), "only so many dimensions"),
    ("linear_rate", changed_rate(sort=False), "sort them"),
    ("linear_rate", lambda e, v, b, d: b * rate(e, v, b, d), "β times the rate"),
    ("linear_rate", lambda e, v, b, d: rate(e, v, b, d) / d, "not their mean"),
    ("linear_rate", lambda e, v, b, d: rate(e, v**2, b, d), "do not square it"),
    (
        "linear_rate",
        lambda e, v, b, d: (e.sort().values[-d:] - b * v).clamp(min=0).sum(),
        "squared length",
    ),
    (
        "linear_rate",
        lambda e, v, b, d: 0.5 * (e.sort().values[-d:] - b * v).clamp(min=0).sum(),
        "has the ratio",
    ),
    ("linear_rate", lambda *given: LOG_2, "expected"),
    ("linear_rate", lambda e, v, b, d: 0.5 * (e / (b * v)).log().clamp(min=0), "one number"),
    ("which_beta", lambda *given: 1.0, "that is 1 for every loss"),
    ("which_beta", lambda *given: 1 / beta_by_gradient(*given), "turn it round"),
    (
        "which_beta",
        lambda loss, B, P, D: beta_by_gradient(loss, B, P, D) * D / P,
        "a nat in every entry",
    ),
    (
        "which_beta",
        lambda *given: in_one(*given)[1] - in_one(*given)[0],
        "divide by that of the nll",
    ),
    (
        "which_beta",
        lambda loss, B, P, D: (
            loss(torch.zeros(B, P), torch.ones(B, D)) - loss(torch.zeros(B, P), torch.zeros(B, D))
        ),
        "divide by the rise with the nll",
    ),
    ("which_beta", lambda loss, B, P, D: P / D, "expected"),
    ("which_beta", lambda loss, B, P, D: beta_by_gradient(loss, 50, P, D), "expected"),
    ("which_beta", lambda loss, B, P, D: beta_by_gradient(loss, 1, P, D), "batch of one"),
    (
        "which_beta",
        lambda *given: in_one(*given)[1] / in_one(*given)[2],
        "subtract it",
    ),
    ("which_beta", lambda *given: "one", "a number is wanted"),
    (
        "free_bits",
        lambda n, k, f: n.mean() + k.clamp(min=f).sum(1).mean(),
        "not for each digit",
    ),
    ("free_bits", lambda n, k, f: n.mean() + k.mean(0).sum().clamp(min=f), "not for their sum"),
    (
        "free_bits",
        lambda n, k, f: n.mean() + k.mean(0).sum().clamp(min=4 * f),
        "not for their sum",
    ),
    ("free_bits", lambda n, k, f: n.mean() + k.mean(0).clamp(max=f).sum(), "not the smaller"),
    (
        "free_bits",
        lambda n, k, f: n.mean() + (k.mean(0) - f).clamp(min=0).sum(),
        "what lies above the floor",
    ),
    ("free_bits", lambda n, k, f: n.mean() + k.sum(1).mean(), "the floor does nothing"),
    ("free_bits", lambda n, k, f: k.mean(0).clamp(min=f).sum(), "likelihood is missing"),
    ("free_bits", lambda n, k, f: n.mean() + k.mean(0).clamp(min=f).mean(), "do not average"),
    ("free_bits", lambda n, k, f: n.sum() + k.mean(0).clamp(min=f).sum(), "do not sum it"),
    ("free_bits", lambda n, k, f: n + k.mean(0).clamp(min=f).sum(), "one number is wanted"),
    ("free_bits", lambda n, k, f: n.mean() + k.sum(0).clamp(min=f).sum(), "comes before"),
    ("free_bits", lambda n, k, f: n.mean() - k.mean(0).clamp(min=f).sum(), "sign of the KL"),
    ("free_bits", lambda n, k, f: bits(n, k, 0.5), "floor 0:"),
    ("free_bits", lambda n, k, f: bits(n, k, 0.5 if f else 0.0), "floor 0.2:"),
    ("free_bits", lambda n, k, f: bits(n, k, f).item(), "without .item()"),
    ("free_bits", lambda n, k, f: bits(n, k.detach(), f), "without .item()"),
    ("free_bits", straight_through, "is not pushed"),
    ("free_bits", lambda n, k, f: 43.7, "expected"),
    ("gain_of_shrinking", lambda r, o, n: math.log(o / n), "residual is left out"),
    (
        "gain_of_shrinking",
        lambda r, o, n: gain(r, o, n) - 2 * math.log(o / n),
        "counts with the other sign",
    ),
    ("gain_of_shrinking", lambda r, o, n: -gain(r, o, n), "how much it fell"),
    (
        "gain_of_shrinking",
        lambda r, o, n: math.log(o / n) + 0.5 * r**2 * (1 / n**2 - 1 / o**2),
        "taken off, not added",
    ),
    (
        "gain_of_shrinking",
        lambda r, o, n: math.log(o / n) - r**2 * (1 / n**2 - 1 / o**2),
        "has the factor ½",
    ),
    (
        "gain_of_shrinking",
        lambda r, o, n: gain(r, o, n) - 0.5 * math.log(o / n),
        "without a ½",
    ),
    ("gain_of_shrinking", lambda r, o, n: gain(r, o, n) + math.log(o / n), "log σ stands once"),
    (
        "gain_of_shrinking",
        lambda r, o, n: math.log(o / n) - 0.5 * abs(r) * (1 / n**2 - 1 / o**2),
        "the residual is squared",
    ),
    (
        "gain_of_shrinking",
        lambda r, o, n: math.log(o / n) - 0.5 * r**2 * (1 / n - 1 / o),
        "by σ², not by σ",
    ),
    (
        "gain_of_shrinking",
        lambda r, o, n: math.log(o / n) - 0.5 * r**2 / n**2,
        "take the difference",
    ),
    (
        "gain_of_shrinking",
        lambda r, o, n: math.log(o / n) - 0.5 * (r / n - r / o) ** 2,
        "not the square of a difference",
    ),
    ("gain_of_shrinking", lambda r, o, n: gain(r, o, n) / LOG_2, "those are bits"),
    ("gain_of_shrinking", lambda r, o, n: 4.60517, "first case alone"),
    ("blur_threshold", lambda a, b: saving(a, b).sum(), "over log 2"),
    ("blur_threshold", lambda a, b: 2 * threshold(a, b), "half of the two"),
    ("blur_threshold", lambda a, b: 1 / threshold(a, b), "turn it round"),
    ("blur_threshold", lambda a, b: saving(a, b).sum() * LOG_2, "multiplies by log 2"),
    ("blur_threshold", lambda a, b: saving(a, b).mean() / LOG_2, "not a mean"),
    ("blur_threshold", lambda a, b: entropy((a + b) / 2).sum() / LOG_2, "still to be taken off"),
    (
        "blur_threshold",
        lambda a, b: (entropy((a + b) / 2) - entropy(a) - entropy(b)).sum() / LOG_2,
        "counts half",
    ),
    ("blur_threshold", lambda a, b: -threshold(a, b), "sign is turned round"),
    ("blur_threshold", naive_threshold, "0 log 0 is 0"),
    (
        "blur_threshold",
        lambda a, b: threshold(a.clamp(1e-3, 1 - 1e-3), b.clamp(1e-3, 1 - 1e-3)),
        "an ε in the logarithm",
    ),
    ("blur_threshold", lambda a, b: 10.0, "expected"),
    ("blur_threshold", lambda a, b: saving(a, b) / LOG_2, "one number is wanted"),
]

globals().update(make_tests(checks, RIGHT, WRONG, ALSO_RIGHT))


@pytest.mark.parametrize("eps", [1e-4, 1e-6])
def test_an_epsilon_inside_the_logarithm_is_seen(eps):
    def answer(a, b):
        def entropy(pi):
            return -pi * (pi + eps).log() - (1 - pi) * (1 - pi + eps).log()

        return (entropy((a + b) / 2) - 0.5 * entropy(a) - 0.5 * entropy(b)).sum() / LOG_2

    assert checks.blur_threshold(answer) is (eps < 1e-5)
