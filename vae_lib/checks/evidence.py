"""Exercises of chapter 5: Bayes' rule, the evidence, and what estimates of it cost."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def posterior_of_causes(answer) -> str:
    """Exercise 5.1: prior [C], likelihood [C, X], seen [n] -> posterior [C] over C causes."""
    prior = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    likelihood = torch.tensor([[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)
    for seen in ([1, 1, 0], [0], [1, 0, 1, 1, 1, 1]):
        _causes(answer, prior, likelihood, torch.tensor(seen))
    nothing = torch.tensor([], dtype=torch.long)
    close(answer(prior, likelihood, nothing), prior, "nothing seen: the prior")
    _keeps_zero(answer)
    three = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], dtype=torch.float64)
    _causes(answer, prior[1:] / 0.4, three, torch.tensor([2, 0, 2]))
    close_ones = torch.tensor([[0.30, 0.70], [0.31, 0.69]], dtype=torch.float64)
    many = torch.tensor([0] * 1525 + [1] * 3475)
    got = as_tensor(answer(prior[:2], close_ones, many), "5,000 observations")
    if not got.isfinite().all():
        raise Wrong(
            "5,000 observations: their product underflowed to 0, and 0 / 0 is NaN. "
            "Add logarithms, and take the largest out before you go back."
        )
    _causes(answer, prior[:2], close_ones, many)
    return "With many observations the prior hardly matters, unless it is 0."


def _causes(answer, prior: Tensor, likelihood: Tensor, seen: Tensor) -> None:
    log_like = likelihood[:, seen].log().sum(-1)
    log_joint = prior.log() + log_like
    hints = {
        "where is the prior": log_like.softmax(0),
        "divide the joint by its sum, the evidence": log_joint.exp(),
        "the prior counts once, not once an observation": (
            len(seen) * prior.log() + log_like
        ).softmax(0),
        "all observations count, not the last one only": (
            prior.log() + likelihood[:, seen[-1]].log()
        ).softmax(0),
        "given the cause, observations are independent: multiply, do not average": (
            prior.log() + likelihood[:, seen].mean(-1).log()
        ).softmax(0),
        "that is the prior: the observations have to change it": prior,
    }
    what = f"{len(seen):,} observations of {len(prior)} causes"
    close(answer(prior, likelihood, seen), log_joint.softmax(0), what, hints=hints)


def _keeps_zero(answer) -> None:
    """A cause stays out if its prior is 0, or the likelihood of something that was seen."""
    likelihood = torch.tensor([[0.01, 0.99], [0.02, 0.98], [1.0, 0.0]], dtype=torch.float64)
    prior = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    got = answer(prior, likelihood, torch.zeros(40, dtype=torch.long))
    close(got, [0.0, 1.0, 0.0], "a cause of prior 0, which fits very well")
    likelihood = torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=torch.float64)
    got = answer(prior[:2], likelihood, torch.tensor([1] + [0] * 30))
    close(got, [1.0, 0.0], "a cause that cannot have brought about the first of 31 observations")


@exercise
def linear_gaussian_evidence(answer) -> str:
    """Exercise 5.2: log p(x), nats, for z ~ N(0, 1) and x | z ~ N(w z + b, s²)."""
    for x, w, b, s in ((5.0, 3.0, 0.0, 2.0), (1.0, -0.7, 2.5, 0.4), (-0.3, 0.0, 0.2, 1.5)):
        right = _log_normal(x, b, w**2 + s**2)
        hints = {
            "that is log p(x|z = 0): the spread of z adds to the noise": _log_normal(x, b, s**2),
            "variances add, standard deviations do not": _log_normal(x, b, (abs(w) + s) ** 2),
            "a factor of w on z is a factor of w² on its variance": _log_normal(
                x, b, abs(w) + s**2
            ),
            "the noise's variance is s², not s": _log_normal(x, b, w**2 + s),
            "z has variance 1 before it is multiplied: w² + s²": _log_normal(x, b, 1 + s**2),
            "the mean of x is b": _log_normal(x, 0.0, w**2 + s**2),
            "z has mean 0, so the mean of x is b and not w + b": _log_normal(x, w + b, w**2 + s**2),
            "that is the density; its logarithm is wanted": math.exp(right),
            "in nats, not bits: use the natural logarithm": right / math.log(2),
            "that is -log p(x): mind the sign": -right,
            "the constant is ½ log 2π, and it is missing": right + 0.5 * math.log(2 * math.pi),
        }
        what = f"log p(x) for x = {x}, w = {w}, b = {b}, s = {s}"
        close(answer(x, w, b, s), right, what, hints=hints, rtol=1e-3)
    narrow = "noise of s = 1e-5, which a grid or samples would miss and a formula does not mind"
    close(answer(0.7, 2.0, 0.1, 1e-5), _log_normal(0.7, 0.1, 4.0), narrow, rtol=1e-3)
    return "The evidence is N(b, w² + s²): means add, and so do variances."


def _log_normal(x: float, mean: float, variance: float) -> float:
    return -0.5 * (math.log(2 * math.pi * variance) + (x - mean) ** 2 / variance)


@exercise
def posterior_average(answer) -> str:
    """Exercise 5.3: log_w, f [..., K] -> Σ w f / Σ w, [...], whatever the size of the weights."""
    generator = torch.Generator().manual_seed(0)
    log_w = 2 * torch.randn(5, 8, generator=generator, dtype=torch.float64)
    f = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    w, share = log_w.exp(), log_w.softmax(-1)
    want = (share * f).sum(-1)
    hints = {
        "the samples came from q: weigh them": f.mean(-1),
        "divide by the sum of the weights; their mean is p(x), not 1": (w * f).mean(-1),
        "divide by the sum of the weights": (w * f).sum(-1),
        "these are log weights: take exp first": (log_w * f).sum(-1) / log_w.sum(-1),
        "each row has weights of its own: sum over the last dimension": (w * f).sum(-1) / w.sum(),
        "sum over the last dimension only": (w * f).sum() / w.sum(),
        "that is the best sample alone": f.gather(-1, log_w.argmax(-1, keepdim=True))[:, 0],
    }
    close(answer(log_w, f), want, "log weights near 0", hints=hints)
    close(answer(log_w[0, :3], f[0, :3]), (log_w[0, :3].softmax(-1) * f[0, :3]).sum(), "one row")
    for what, moved in {
        "log weights near -2,000": log_w - 2000,
        "log weights near 2,000": log_w + 2000,
        "rows near -2,000 and 2,000": log_w + torch.tensor([[-2e3], [2e3], [0], [-9e2], [9e2]]),
    }.items():
        _survives(answer, moved, f, want, what)
    one = torch.full((2, 8), -3000.0, dtype=torch.float64)
    one[:, 5] = 0
    _survives(answer, one, f[:2], f[:2, 5], "one weight of 1, seven of e^-3000")
    return "It needs the weights' ratios only: p(x) has dropped out."


def _survives(answer, log_w: Tensor, f: Tensor, want: Tensor, what: str) -> None:
    got = as_tensor(answer(log_w, f), what)
    if not got.isfinite().all():
        raise Wrong(
            f"{what}: exp under- or overflowed. Only ratios of weights matter: subtract each "
            "row's largest log weight first, or use softmax."
        )
    close(got, want, what, rtol=1e-6)


@exercise
def size_from_error(answer) -> str:
    """Exercise 5.4: relative standard error, K -> K_eff = K / (1 + (K - 1) error²)."""
    for error, K in ((0.1, 50), (0.5, 10), (1.0, 10_000), (0.02, 1_000)):
        right = K / (1 + (K - 1) * error**2)
        hints = {
            "that leaves out the 1: with equal weights the error is 0 and K_eff is K": 1 / error**2,
            "std divides by K - 1: at error 1, K_eff is 1": K / (1 + K * error**2),
            "the error is squared": K / (1 + (K - 1) * error),
            "that is its share of K": right / K,
            "the relative variance of one weight is K times the squared error": K / (1 + error**2),
            "that is the sum of the squared weights over K": K / right,
        }
        close(answer(error, K), right, f"error {error}, K = {K:,}", hints=hints, rtol=1e-6)
    close(answer(0.0, 7), 7.0, "error 0, K = 7")
    return "At K_eff = 1 the error is 1, and it cannot be larger."


@exercise
def samples_needed(answer) -> str:
    """Exercise 5.5: c, D, error -> r / error² with 1 + r = (c² / √(2c² - 1))^D, or inf.

    Also accepted: rounded up, and never below one sample.
    """
    cases = ((1.2, 50, 0.1), (0.8, 50, 0.1), (2.0, 3, 0.02), (0.9, 1, 0.5), (0.72, 5, 0.1))
    for c, D, error in cases:
        right = _samples(c, D, error)
        factor = c**2 / math.sqrt(2 * c**2 - 1)
        hints = {
            "that is 1 + r over the squared error; subtract the 1": factor**D / error**2,
            "that is r; divide by the squared error": right * error**2,
            "the error falls as the root of K: square it": right * error,
            "the factors of the D directions multiply, they do not add": D
            * (factor - 1)
            / error**2,
            "c multiplies standard deviations: it enters as c²": _samples(c**0.5, D, error),
            "c is the proposal's deviation over the posterior's, not the inverse": _samples(
                1 / c, D, error
            ),
        }
        what = f"c = {c}, D = {D}, error {error}"
        got = as_tensor(answer(c, D, error), what)
        if got.shape == () and float(got) in (math.ceil(right), max(1.0, right)):
            continue
        close(got, right, what, hints=hints, rtol=1e-6)
    exact = as_tensor(answer(1.0, 20, 0.1), "the posterior itself")
    if exact.shape != () or float(exact) != 1:
        close(exact, 0.0, "the posterior itself", atol=1e-9)
    for c in (0.5, 0.7):
        if float(as_tensor(answer(c, 5, 0.1), f"c = {c}")) != math.inf:
            raise Wrong(f"c = {c}: for c² ≤ ½ the variance is infinite; return math.inf.")
    return "In 50 dimensions 20 % too narrow costs over a thousand times what 20 % too wide does."


def _samples(c: float, D: int, error: float) -> float:
    if c**2 <= 0.5:
        return math.inf
    return ((c**2 / math.sqrt(2 * c**2 - 1)) ** D - 1) / error**2
