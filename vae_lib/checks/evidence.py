"""Exercises of chapter 5: Bayes' rule, the evidence, and estimates of it."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, as_tensor, close, exercise
from vae_lib.distributions import gaussian_log_prob, standard_normal_log_prob


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@exercise
def posterior_of_causes(answer) -> str:
    """Exercise 5.1: prior [C], likelihood [C] -> posterior [C] over C causes."""
    prior = torch.tensor([0.6, 0.3, 0.1])
    likelihood = torch.tensor([0.1, 0.4, 0.9])
    joint = prior * likelihood
    hints = {
        "that is the joint, prior times likelihood; divide it by its sum": joint,
        "that is the likelihood made to sum to one; where is the prior": likelihood
        / likelihood.sum(),
        "divide by the evidence, which is the sum of the joint and not of the likelihood": joint
        / likelihood.sum(),
        "divide the joint by its sum, not by its largest value": joint / joint.max(),
        "that is the prior: the observation has to change it": prior,
    }
    close(answer(prior, likelihood), joint / joint.sum(), "three causes", hints=hints)
    _keeps_zero(answer)
    return "Neither the commonest cause nor the best fit wins."


def _keeps_zero(answer) -> None:
    got = answer(torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.2, 0.6, 1.0]))
    close(got, [0.25, 0.75, 0.0], "a cause of prior 0")


@exercise
def linear_gaussian_evidence(answer) -> str:
    """Exercise 5.2: log p(x) at x = 5, in nats, for z ~ N(0, 1) and x | z ~ N(3 z, 2²)."""

    def log_normal(variance: float) -> float:
        return -0.5 * (math.log(2 * math.pi * variance) + 5**2 / variance)

    hints = {
        "that is log p(x|z = 0): the spread of z adds to the noise": log_normal(4),
        "variances add, standard deviations do not": log_normal(25),
        "a factor of 3 on z is a factor of 3² on its variance": log_normal(7),
        "the noise's variance is 2², not 2": log_normal(11),
        "z has variance 1 before it is multiplied, so x has 3² + 2²": log_normal(5),
        "that is the density; its logarithm is wanted": math.exp(log_normal(13)),
        "in nats, not bits: use the natural logarithm": log_normal(13) / math.log(2),
        "that is -log p(x): mind the sign": -log_normal(13),
        "the constant is ½ log 2π, and it is missing": log_normal(13) + 0.5 * math.log(2 * math.pi),
    }
    close(answer, log_normal(13), "log p(x)", hints=hints, rtol=2e-3)
    return "The evidence is N(0, 3² + 2²)."


@exercise
def log_mean_exp(answer) -> str:
    """Exercise 5.3: log_w [..., K] -> log of the mean of exp(log_w), [...], whatever its size."""
    log_w = 2 * torch.randn(5, 8, generator=_generator(0), dtype=torch.float64)
    want = torch.logsumexp(log_w, -1) - math.log(8)
    hints = {
        "that is the log of the sum; a mean also divides by K, so subtract log K": want
        + math.log(8),
        "that is the mean of the logs, which Jensen's inequality puts below": log_w.mean(-1),
        "log K is subtracted from the log; you have divided by K": torch.logsumexp(log_w, -1) / 8,
        "that is the largest weight alone": log_w.max(-1).values,
        "one number for each row: reduce the last dimension only": torch.logsumexp(
            log_w.flatten(), 0
        )
        - math.log(40),
        "that is the mean of the weights; take its logarithm": want.exp(),
    }
    close(answer(log_w), want, "log weights near 0", hints=hints)
    _survives(answer, log_w - 2000, want - 2000, "0, whose log is -inf: subtract")
    _survives(answer, log_w + 2000, want + 2000, "infinity: subtract")
    return "It holds 2,000 nats above and below, too."


def _survives(answer, log_w: Tensor, want: Tensor, became: str) -> None:
    what = "log weights near -2,000" if log_w.mean() < 0 else "log weights near 2,000"
    got = as_tensor(answer(log_w), what)
    if not got.isfinite().all():
        raise Wrong(
            f"{what}: exp turned the weights to {became} the largest log weight first, "
            "and add it back at the end, or use torch.logsumexp."
        )
    close(got, want, what)


@exercise
def importance_estimate(answer) -> str:
    """Exercise 5.4: log_px_z, log_pz, log_qz, each [..., K] -> estimate of log p(x), [...].

    The proposal is the exact posterior first, so that every weight equals p(x).
    """
    log_px_z, log_pz, log_qz, log_px = _linear_gaussian(width=1.0)
    _compare(answer, log_px_z, log_pz, log_qz, "samples from the exact posterior")
    got = answer(log_px_z, log_pz, log_qz)
    close(got, log_px, "the exact posterior as proposal", rtol=1e-6)
    log_px_z, log_pz, log_qz, _ = _linear_gaussian(width=1.5)
    _compare(answer, log_px_z, log_pz, log_qz, "samples from a wider proposal")
    _compare(answer, log_px_z - 2000, log_pz, log_qz, "a log-likelihood near -2,000")
    return "With the posterior as q, one sample is enough."


def _linear_gaussian(width: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """z ~ N(0, 1), x | z ~ N(z, 1/4), x = 1.2, z from N(m, (width s)²): six samples twice."""
    m, s = 1.2 / 1.25, width * math.sqrt(0.2)
    z = m + s * torch.randn(2, 6, 1, generator=_generator(1), dtype=torch.float64)
    x, half = torch.tensor([1.2], dtype=torch.float64), math.log(0.25)
    log_px_z = gaussian_log_prob(x, z, torch.full_like(z, half))
    log_qz = gaussian_log_prob(z, torch.full_like(z, m), torch.full_like(z, 2 * math.log(s)))
    log_px = gaussian_log_prob(x, torch.zeros_like(x), torch.full_like(x, math.log(1.25)))
    return log_px_z, standard_normal_log_prob(z), log_qz, log_px.expand(2)


def _compare(answer, log_px_z: Tensor, log_pz: Tensor, log_qz: Tensor, what: str) -> None:
    def estimate(log_w: Tensor) -> Tensor:
        return torch.logsumexp(log_w, -1) - math.log(log_w.shape[-1])

    log_w = log_px_z + log_pz - log_qz
    hints = {
        "the ratio is upside down: the weight is the joint divided by q": estimate(-log_w),
        "the prior is missing: the joint is p(x|z) p(z)": estimate(log_px_z - log_qz),
        "q is missing: the samples did not come from the prior, so divide by q": estimate(
            log_px_z + log_pz
        ),
        "the mean of p(x|z) is right only for samples from the prior": estimate(log_px_z),
        "the likelihood is missing": estimate(log_pz - log_qz),
        "that is the log of the sum of the weights; subtract log K": torch.logsumexp(log_w, -1),
        "that is the mean of the log weights: a bound (chapter 8), not the estimate": log_w.mean(
            -1
        ),
        "these are the log weights; average the weights over K": log_w,
    }
    close(answer(log_px_z, log_pz, log_qz), estimate(log_w), what, hints=hints)


@exercise
def effective_sample_size(answer) -> str:
    """Exercise 5.5: log_w [..., K] -> (Σ w)² / Σ w², [...], whatever the weights' scale."""
    log_w = torch.randn(4, 9, generator=_generator(2), dtype=torch.float64)
    w = log_w.exp()
    share = log_w.softmax(-1)
    want = 1 / (share**2).sum(-1)
    hints = {
        "square the sum of the weights": w.sum(-1) / (w**2).sum(-1),
        "the weights must sum to one before 1 / Σ w²": 1 / (w**2).sum(-1),
        "that is its inverse": (share**2).sum(-1),
        "that is the effective share; multiply by K": want / 9,
        "square the weights below, not the sum twice": torch.ones(4),
        "these are log weights: take exp first": log_w.sum(-1) ** 2 / (log_w**2).sum(-1),
    }
    close(answer(log_w), want, "nine weights", hints=hints)
    got = as_tensor(answer(log_w - 2000), "log weights near -2,000")
    if not got.isfinite().all():
        raise Wrong(
            "log weights near -2,000: exp underflowed, and 0 / 0 is NaN. Only ratios of weights "
            "matter, so divide by their sum first: softmax of the log weights."
        )
    close(got, want, "log weights near -2,000")
    close(answer(torch.zeros(1, 7)), [7.0], "seven equal weights")
    return "It is K for equal weights, 1 when one holds all."
