"""Marks the exercises of chapter 8, the ELBO."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_lib.checks import Wrong, as_tensor, close, exercise

# The linear-Gaussian model of chapter 8: z ~ N(0, 1), y | z ~ N(a z + b, s²).
_Y, _S = 2.0, 1.0  # what exercise 8.4 observes, and its noise
_Q = Normal(torch.tensor(0.5, dtype=torch.float64), 1.0)  # its fixed q


@exercise
def kl_to_standard_normal(answer) -> str:
    """Exercise 8.1: ``answer(mu, logvar)`` is KL(N(μ, diag σ²) ‖ N(0, I)): [B, D] -> [B]."""
    mu = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.3, -0.2]], dtype=torch.float64)
    logvar = torch.tensor([[0.3, 0.7, 1.1], [0.5, 0.2, 0.9]], dtype=torch.float64)
    close(answer(mu, logvar), _kl(mu, logvar), "KL of two examples", hints=_kl_slips(mu, logvar))
    zero = torch.zeros(1, 4, dtype=torch.float64)
    close(answer(zero, zero), [0.0], "KL of N(0, I) to itself")
    narrow = torch.full((1, 2), -3.0, dtype=torch.float64)
    close(answer(zero[:, :2], narrow), _kl(zero[:, :2], narrow), "KL with a negative logvar")
    return "One value for each example, in nats, and 0 when q is the prior."


def _kl(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)


def _kl_slips(mu: Tensor, logvar: Tensor) -> dict[str, Tensor]:
    each = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    kl, log = each.sum(-1), logvar.log()
    return {
        "the sign is turned round: a divergence is never negative": -kl,
        "sum over the latent dimensions, do not average": each.mean(-1),
        "you summed over the batch too: keep one value for each example": kl.sum(),
        "you averaged over the batch: keep one value for each example": kl.mean(),
        "that is the mean over batch and dimensions: sum over the last dimension only": each.mean(),
        "sum over the last dimension, so that one value is left for each example": each,
        "the sum runs over the batch: sum over the last dimension": each.sum(0),
        "the factor ½ is missing": 2 * kl,
        "logvar was taken for the variance: the variance is exp(logvar)": (
            0.5 * (mu**2 + logvar - 1 - log).sum(-1)
        ),
        "logvar was taken for the standard deviation: it is log σ²": (
            0.5 * (mu**2 + logvar**2 - 1 - 2 * log).sum(-1)
        ),
        "logvar was taken for log σ: it is log σ², so σ² is exp(logvar)": (
            0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(-1)
        ),
        "σ stands where σ² should: σ² is exp(logvar), not exp(logvar / 2)": (
            0.5 * (mu**2 + (0.5 * logvar).exp() - 1 - logvar).sum(-1)
        ),
        "that is KL(p ‖ q), the other direction": (
            0.5 * ((mu**2 + 1) * (-logvar).exp() - 1 + logvar).sum(-1)
        ),
        "those are bits: use the natural logarithm": kl / math.log(2),
    }


@exercise
def elbo_estimate(answer) -> str:
    """Exercise 8.2: ``answer(log_joint, mu, logvar, eps)`` is (estimate, standard error).

    ``log_joint`` maps z [S] to log p(x, z) [S]; ``eps`` [S] are draws of N(0, 1).
    """
    generator = torch.Generator().manual_seed(8)
    eps = torch.randn(2000, generator=generator, dtype=torch.float64)
    mu, logvar = (torch.tensor(v, dtype=torch.float64) for v in (0.7, -1.2))
    result = _pair(
        answer(_curved_log_joint, mu, logvar, eps), "the estimate and its standard error"
    )
    z = mu + (0.5 * logvar).exp() * eps
    log_w = _curved_log_joint(z) - Normal(mu, (0.5 * logvar).exp()).log_prob(z)
    slips = _estimate_slips(_curved_log_joint, mu, logvar, eps)
    close(result[0], log_w.mean(), "the estimate", hints=slips)
    std, count = log_w.std(), len(log_w)
    hints = {
        "that is the standard deviation of one sample: divide it by √S": std,
        "divide by √S, not by S": std / count,
        "that is a variance: take its square root": std**2 / count,
    }
    close(result[1], std / count**0.5, "the standard error", hints=hints, rtol=2e-3)
    return "log p(x, z) - log q(z), averaged over draws from q, with its standard error."


def _pair(result, names: str) -> Tensor:
    pair = torch.stack([as_tensor(part, names) for part in result]) if _many(result) else None
    if pair is None or len(pair) != 2:
        raise Wrong(f"return two numbers: {names}.")
    return pair


def _many(result) -> bool:
    return isinstance(result, (tuple, list)) or getattr(result, "ndim", 0) > 0


def _curved_log_joint(z: Tensor) -> Tensor:
    """log N(z; 0, 1) + log N(1; sin 2z, 0.5²)."""
    return Normal(0.0, 1.0).log_prob(z) + Normal((2 * z).sin(), 0.5).log_prob(z.new_tensor(1.0))


def _estimate_slips(log_joint, mu: Tensor, logvar: Tensor, eps: Tensor) -> dict[str, Tensor]:
    std = (0.5 * logvar).exp()
    z = mu + std * eps
    log_q, log_p = Normal(mu, std).log_prob(z), log_joint(z)
    log_eps = Normal(0.0, 1.0).log_prob(eps)
    wide = mu + logvar.exp() * eps
    return {
        "log q(z) is missing: average log p(x, z) - log q(z)": log_p.mean(),
        "log q(z) is subtracted, not added": (log_p + log_q).mean(),
        "the sign is turned round: that is the loss, -ELBO": (log_q - log_p).mean(),
        "you summed over the samples: an expectation is a mean": (log_p - log_q).sum(),
        "q(z) is not the density of eps: log σ is missing from log q(z)": (log_p - log_eps).mean(),
        "the logarithm of the average is an estimate of log p(x): average the logarithms": (
            (log_p - log_q).logsumexp(0) - math.log(len(eps))
        ),
        "σ is exp(logvar / 2), not exp(logvar)": (
            (log_joint(wide) - Normal(mu, logvar.exp()).log_prob(wide)).mean()
        ),
        "z must be drawn from q: z = μ + σ eps with σ = exp(logvar / 2)": (
            (log_joint(wide) - Normal(mu, std).log_prob(wide)).mean()
        ),
        "z must be drawn from q: eps itself is a draw from the prior": (
            (log_joint(eps) - Normal(mu, std).log_prob(eps)).mean()
        ),
    }


@exercise
def optimal_q(answer) -> str:
    """Exercise 8.3: ``answer(y, a, b, s)`` is (mean, variance) of the q that closes the gap.

    The model is z ~ N(0, 1), y | z ~ N(a z + b, s²).
    """
    cases = [(1.3, 2.0, 0.4, 0.7), (-0.6, 0.5, -1.0, 1.5), (2.0, -1.2, 0.0, 0.3)]
    for y, a, b, s in cases:
        wanted, slips = _optimal(y, a, b, s)
        result = _pair(answer(y, a, b, s), "the mean and the variance of q")
        close(result, wanted, f"q at y = {y:g}, a = {a:g}, b = {b:g}, s = {s:g}", hints=slips)
    return "It is the posterior: KL is 0, and the ELBO is log p(y) itself."


def _optimal(y: float, a: float, b: float, s: float):
    variance = s**2 / (s**2 + a**2)
    mean = variance * a * (y - b) / s**2
    hints = {
        "the second number is the standard deviation: give the variance": (mean, variance**0.5),
        "the second number is the precision: give the variance, 1 / precision": (
            mean,
            1 / variance,
        ),
        "the second number is log σ²: give the variance": (mean, math.log(variance)),
        "the variance comes second": (variance, mean),
        "the prior is left out: its precision, 1, is added to the likelihood's": (
            (y - b) / a,
            s**2 / a**2,
        ),
        "the offset b is left out: z explains y - b": (variance * a * y / s**2, variance),
        "that is the mean and variance of y: p(y) and not p(z | y)": (b, a**2 + s**2),
        "s is a standard deviation: the likelihood's precision is a² / s²": (
            a * (y - b) / (s + a**2),
            s / (s + a**2),
        ),
    }
    return (mean, variance), hints


@exercise
def two_moves(answer) -> str:
    """Exercise 8.4: ``answer()`` is ((a0, a1), (a2, a3)), two moves of θ = a with q held still.

    The model is z ~ N(0, 1), y | z ~ N(a z, 1), with y = 2 and q = N(0.5, 1). On the first move
    ELBO and KL both rise; on the second the ELBO rises and log p(y) falls.
    """
    moves = as_tensor(answer(), "the two moves")
    if moves.shape != (2, 2):
        raise Wrong("return two pairs of numbers: (a before, a after), (a before, a after).")
    elbo, kl, evidence = (table[:, 1] - table[:, 0] for table in _terms(moves))
    for k, name in enumerate(("first", "second")):
        if not elbo[k] > 0:
            raise Wrong(f"on the {name} move the ELBO changes by {elbo[k]:.3f}: it must rise.")
    if not kl[0] > 0:
        raise Wrong(
            f"on the first move the KL changes by {kl[0]:.3f}: the ELBO rises and the gap closes, "
            "which is the pleasant case. Find one where the gap opens; a smaller a may help."
        )
    if not evidence[1] < 0:
        raise Wrong(
            f"on the second move log p(y) changes by {evidence[1]:.3f}: it must fall. "
            "Start near the a that is best for log p(y), and move towards the ELBO's best."
        )
    return (
        f"First move: ELBO {elbo[0]:+.3f}, KL {kl[0]:+.3f}. "
        f"Second move: ELBO {elbo[1]:+.3f}, log p(y) {evidence[1]:+.3f}."
    )


def _terms(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """ELBO, KL(q ‖ posterior) and log p(y) of the model of exercise 8.4, at each a; nats."""
    evidence = Normal(0.0, (a**2 + _S**2).sqrt()).log_prob(a.new_tensor(_Y))
    variance = _S**2 / (_S**2 + a**2)
    kl = kl_divergence(_Q, Normal(variance * a * _Y / _S**2, variance.sqrt()))
    return evidence - kl, kl, evidence


@exercise
def iwae_bound(answer) -> str:
    """Exercise 8.5: ``answer(log_w)`` estimates L_K from log-weights [S, K]: a number, nats."""
    generator = torch.Generator().manual_seed(5)
    log_w = torch.randn(300, 4, generator=generator, dtype=torch.float64) - 6
    hints = {
        "the average is inside the logarithm, over K: that is the ELBO": log_w.mean(),
        "only K goes inside the logarithm: average the S logarithms": (
            log_w.flatten().logsumexp(0) - math.log(log_w.numel())
        ),
        "divide the sum of K weights by K: subtract log K": log_w.logsumexp(1).mean(),
        "the average inside runs over K, the last dimension": (
            (log_w.logsumexp(0) - math.log(len(log_w))).mean()
        ),
        "average over the S rows: one number is wanted": log_w.logsumexp(1) - math.log(4),
        "you summed over the S rows: average them": (log_w.logsumexp(1) - math.log(4)).sum(),
    }
    close(answer(log_w), (log_w.logsumexp(1) - math.log(4)).mean(), "L_4 of 300 rows", hints=hints)
    far = as_tensor(answer(log_w - 1000), "L_4 of tiny weights")
    if not torch.isfinite(far):
        raise Wrong("weights near exp(-1000) underflow to 0: use logsumexp, not log(exp(…)).")
    one, two = answer(log_w.reshape(-1, 1)), answer(log_w.reshape(-1, 2))
    return f"The same weights one by one and in pairs: {float(one):.2f} ≤ {float(two):.2f}."
