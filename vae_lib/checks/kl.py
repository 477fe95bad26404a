"""Marks the exercises of chapter 6, the KL divergence."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, as_tensor, close, exercise


def _doubles(*values) -> list[Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


@exercise
def discrete_kl(answer) -> str:
    """Exercise 6.1: ``answer(q, p)`` is KL(q ‖ p) of probabilities [K], in nats, zeros included."""
    q, p = _doubles([0.1, 0.2, 0.7], [0.5, 0.3, 0.2])
    kl = (q * (q / p).log()).sum()
    close(answer(q, p), kl, "KL of three letters", hints=_discrete_slips(q, p, kl))
    close(answer(q, q), 0.0, "KL of q from itself")
    unseen, both, wide = _doubles([0.0, 0.25, 0.75], [0.0, 0.5, 0.5], [0.4, 0.2, 0.4])
    _no_nan(answer(unseen, wide), "a letter that q never sends: 0 log 0 counts as 0")
    want = 0.25 * math.log(0.25 / 0.2) + 0.75 * math.log(0.75 / 0.4)
    close(answer(unseen, wide), want, "KL where q has a zero")
    _no_nan(answer(unseen, both), "a letter that neither q nor p sends: it counts as 0")
    want = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    close(answer(unseen, both), want, "KL where q and p are zero at the same letter")
    _infinite(answer(wide, unseen))
    return "Zeros of q cost nothing; a zero of p under q costs everything."


def _discrete_slips(q: Tensor, p: Tensor, kl: Tensor) -> dict[str, Tensor]:
    return {
        "that is KL(p ‖ q): the average is over the first argument": (p * (p / q).log()).sum(),
        "those are bits: use the natural logarithm": kl / math.log(2),
        "the sign is turned round: it is log q - log p": -kl,
        "you averaged over the letters: q is the weight already, so sum": kl / len(q),
        "sum over the letters, so that one number is left": q * (q / p).log(),
        "the weight q is missing": (q / p).log().sum(),
        "that is the cross-entropy: the entropy of q is still to be taken off": -(
            q * p.log()
        ).sum(),
        "the weight should be q, not p": (p * (q / p).log()).sum(),
    }


def _no_nan(got, what: str) -> None:
    if as_tensor(got, what).isnan().any():
        raise Wrong(f"{what}; your answer is NaN.")


def _infinite(got) -> None:
    what = "KL where p is 0 and q is not"
    got = as_tensor(got, what)
    if not torch.equal(got, torch.tensor(math.inf, dtype=torch.float64)):
        raise Wrong(
            f"{what}: it is infinite, and yours is {got.tolist()}. No code for p has a word for "
            "that letter: do not clamp the zero, and do not leave the letter out."
        )


@exercise
def diagonal_kl(answer) -> str:
    """Exercise 6.2: ``answer(mu_q, logvar_q, mu_p, logvar_p)`` is KL(q ‖ p): [B, D] -> [B]."""
    mu_q, mu_p = _doubles([[0.5, -1.0, 2.0], [0.1, 0.3, -0.2]], [[0.0, 0.4, 1.0], [1.0, 0.0, 0.6]])
    lv_q, lv_p = _doubles([[0.3, 0.7, 1.1], [0.5, 0.2, 0.9]], [[0.6, 0.4, 0.2], [1.2, 0.8, 0.1]])
    values = (mu_q, lv_q, mu_p, lv_p)
    close(answer(*values), _kl(*values), "KL of two pairs", hints=_diagonal_slips(*values))
    close(answer(mu_q, lv_q, mu_q, lv_q), [0.0, 0.0], "KL of q from itself")
    close(
        answer(mu_q, -lv_q, mu_p, lv_p), _kl(mu_q, -lv_q, mu_p, lv_p), "KL with a negative logvar"
    )
    return "One value for each example: summed over dimensions, in nats."


def _kl(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    return _terms(mu_q, mu_p, logvar_q.exp(), logvar_p.exp()).sum(-1)


def _terms(mu_q: Tensor, mu_p: Tensor, var_q: Tensor, var_p: Tensor) -> Tensor:
    return 0.5 * ((mu_q - mu_p) ** 2 / var_p + var_q / var_p - 1 - (var_q / var_p).log())


def _diagonal_slips(mu_q: Tensor, lv_q: Tensor, mu_p: Tensor, lv_p: Tensor) -> dict[str, Tensor]:
    terms = _terms(mu_q, mu_p, lv_q.exp(), lv_p.exp())
    kl, log_ratio = terms.sum(-1), lv_q - lv_p
    square = (mu_q - mu_p) ** 2
    return {
        "that is KL(p ‖ q), the other direction": _kl(mu_p, lv_p, mu_q, lv_q),
        "sum over the dimensions, do not average": terms.mean(-1),
        "you summed over the batch too: keep one value for each example": kl.sum(),
        "you averaged over the batch: keep one value for each example": kl.mean(),
        "sum over the last dimension, so that one value is left for each example": terms,
        "the sum runs over the batch: sum over the last dimension": terms.sum(0),
        "the sign is turned round: a divergence is never negative": -kl,
        "the factor ½ is missing": 2 * kl,
        "those are bits: use the natural logarithm": kl / math.log(2),
        "logvar was taken for the variance: the variance is exp(logvar)": (
            _terms(mu_q, mu_p, lv_q, lv_p).sum(-1)
        ),
        "logvar was taken for the standard deviation: it is log σ²": (
            _terms(mu_q, mu_p, lv_q**2, lv_p**2).sum(-1)
        ),
        "logvar was taken for log σ: it is log σ², so σ² is exp(logvar)": (
            _kl(mu_q, 2 * lv_q, mu_p, 2 * lv_p)
        ),
        "σ stands where σ² should: σ² is exp(logvar), not exp(logvar / 2)": (
            _kl(mu_q, lv_q / 2, mu_p, lv_p / 2)
        ),
        "σ stands where σ² should: σ² is exp(logvar), not its square root": (
            0.5 * (square * (-lv_p / 2).exp() + (log_ratio / 2).exp() - 1 - log_ratio).sum(-1)
        ),
        "the squared distance of the means is to be divided by the variance of p": (
            0.5 * (square + log_ratio.exp() - 1 - log_ratio).sum(-1)
        ),
        "the squared distance of the means is divided by the variance of p, not of q": (
            0.5 * (square * (-lv_q).exp() + log_ratio.exp() - 1 - log_ratio).sum(-1)
        ),
    }


@exercise
def bits_per_pixel(answer) -> str:
    """Exercise 6.3: ``answer(nats, pixels)``: nats for a whole image, as bits per pixel."""
    for nats, pixels in ((100.0, 784), (2500.0, 3072)):
        hints = {
            "a nat is more than a bit: divide by log 2, do not multiply": nats
            * math.log(2)
            / pixels,
            "that is bits per image: divide by the number of pixels": nats / math.log(2),
            "those are nats per pixel: divide by log 2": nats / pixels,
            "divide by the pixels, do not multiply": nats * pixels / math.log(2),
            "that is the logarithm to base 10": nats / math.log(10) / pixels,
        }
        want = nats / (pixels * math.log(2))
        close(answer(nats, pixels), want, f"{nats:g} nats over {pixels} pixels", hints=hints)
    return "Two changes of unit: nats to bits, and image to pixel."


@exercise
def kl_estimate(answer) -> str:
    """Exercise 6.4: ``answer(log_q, log_p)``, both [S] at draws from q: (KL, standard error)."""
    generator = torch.Generator().manual_seed(6)
    z = torch.randn(2000, generator=generator, dtype=torch.float64)
    log_q, log_p = -0.5 * z**2 - 0.9, -0.5 * ((z - 0.5) / 1.5) ** 2 - 1.3
    got = _pair(answer(log_q, log_p), "the estimate and its standard error")
    each = log_q - log_p
    close(got[0], each.mean(), "the estimate", hints=_estimate_slips(log_q, log_p))
    std, count = each.std(), len(each)
    hints = {
        "that is the standard deviation of one draw: divide it by √S": std,
        "divide the standard deviation by √S, not by S": std / count,
        "that is a variance: take its square root": std**2 / count,
        "that is the variance of one draw: the standard error is its root over √S": std**2,
        "the variance wants a root before it is divided by √S": std**2 / count**0.5,
    }
    close(got[1], std / count**0.5, "the standard error", hints=hints, rtol=1e-3)
    return "An average over draws from q, and how far to trust it."


def _pair(result, names: str) -> Tensor:
    many = isinstance(result, (tuple, list)) or getattr(result, "ndim", 0) > 0
    parts = list(result) if many else []
    if len(parts) != 2:
        raise Wrong(f"return two numbers: {names}.")
    return torch.stack([as_tensor(part, names) for part in parts])


def _estimate_slips(log_q: Tensor, log_p: Tensor) -> dict[str, Tensor]:
    each = log_q - log_p
    weighted = log_q.exp() * each
    twice = "the draws come from q already: do not weigh them by q(z) once more"
    return {
        "the sign is turned round: it is log q - log p": -each.mean(),
        "an expectation is the mean over the draws, not the sum": each.sum(),
        "those are bits: keep nats": each.mean() / math.log(2),
        "that is the cross-entropy: log q(z) is missing": -log_p.mean(),
        twice: weighted.mean(),
        f"{twice}, and average": weighted.sum(),
    }


@exercise
def moment_match(answer) -> str:
    """Exercise 6.5: ``answer(weights, means, stds)``, each [K]: (mean, std) of the mixture."""
    weights, means, stds = _doubles([0.2, 0.3, 0.5], [-3.0, 0.5, 2.0], [0.5, 1.5, 0.8])
    got = _pair(answer(weights, means, stds), "the mean and the standard deviation")
    mean = (weights * means).sum()
    hints = {
        "the components have weights": means.mean(),
        "sum the weighted means, do not average them": mean / len(means),
    }
    close(got[0], mean, "the mean of the mixture", hints=hints)
    within, between = (weights * stds**2).sum(), (weights * (means - mean) ** 2).sum()
    close(got[1], (within + between).sqrt(), "the standard deviation", hints=_std_slips(
        weights, means, stds, within, between
    ))  # fmt: skip
    return "The variance within, plus the variance between."


def _std_slips(weights, means, stds, within: Tensor, between: Tensor) -> dict[str, Tensor]:
    mean = (weights * means).sum()
    return {
        "that is the variance: take its square root": within + between,
        "the means of the components differ too: add the variance between them": within.sqrt(),
        "the components have widths too: add the variance within them": between.sqrt(),
        "standard deviations do not add: average the variances, and add the spread of the means": (
            (weights * stds).sum()
        ),
        "the mean's square is still to be taken off": (within + (weights * means**2).sum()).sqrt(),
        "the components have weights": (stds**2 + (means - mean) ** 2).mean().sqrt(),
    }
