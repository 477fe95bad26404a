"""Marks the exercises of chapter 8, the ELBO."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_lib.checks import Wrong, as_tensor, close, exercise, parts

# The linear-Gaussian model of chapter 8: z ~ N(0, 1), y | z ~ N(a z + b, s²).
_Y, _S = 2.0, 1.0  # what exercise 8.4 observes, and its noise
_Q = Normal(torch.tensor(0.5, dtype=torch.float64), 1.0)  # its fixed q


@exercise
def report(answer) -> str:
    """Exercise 8.1: ``answer(bce, kl_bits, pixels, latent)`` is the ELBO in nats per image.

    ``bce`` is a mean over pixels in nats, ``kl_bits`` a mean over latent dimensions in bits.
    """
    bit = math.log(2)
    for bce, kl, pixels, latent in ((0.12, 1.5, 784, 20), (0.31, 0.4, 9, 1), (0.2, 0.7, 3072, 64)):
        log_px_z, cost = -bce * pixels, kl * latent * bit
        close(
            answer(bce, kl, pixels, latent),
            log_px_z - cost,
            f"the ELBO for {pixels} pixels and {latent} latent dimensions",
            hints={
                "that is the loss, -ELBO: turn the sign": cost - log_px_z,
                "the KL is taken away from the bound, not added": log_px_z + cost,
                "the KL is still in bits: a bit is log 2 nats": log_px_z - kl * latent,
                "a bit is log 2 = 0.693 nats: multiply, do not divide": log_px_z - cost / bit**2,
                "only the KL is in bits": (log_px_z - cost / bit) * bit,
                "the KL is a sum over the latent dimensions": log_px_z - kl * bit,
                "log p(x|z) is a sum over the pixels": -bce - cost,
                "both terms are sums: over the pixels, and over the latent dimensions": (
                    -bce - kl * bit
                ),
                "that is an average over the pixels": (log_px_z - cost) / pixels,
                "the KL is summed over the latent dimensions, not over the pixels": (
                    log_px_z - kl * bit * pixels
                ),
            },
        )
    return "Both terms are sums, in nats."


@exercise
def noise(answer) -> str:
    """Exercise 8.2: ``answer(y, a, b, s, mu, variance)`` is (std of log w, std of log p(y|z)).

    Under q = N(mu, variance), for the linear-Gaussian model.
    """
    cases = [(1.3, 2.0, 0.4, 0.7, 0.2, 0.3), (-0.6, 0.5, -1.0, 1.5, 1.0, 2.0)]
    cases += [
        (2.0, -1.2, 0.3, 0.5, 0.0, 1.0),
        (2.0, 1.5, 0.3, 0.8, *_posterior(2.0, 1.5, 0.3, 0.8)),
    ]
    names = ["at q = N(0.2, 0.3)", "at q = N(1, 2)", "at q = p(z)", "at the posterior"]
    for case, name in zip(cases, names, strict=True):
        (line, square), (line_w, square_w) = _coefficients(*case)
        got = _pair(answer(*case), "the two standard deviations")
        full, likelihood = _spreads(*case)
        close(
            got,
            (full, likelihood),
            f"the standard deviations {name}",
            hints={
                "log w comes first": (likelihood, full),
                "those are variances: take the root": (full**2, likelihood**2),
                "the variance of ε² is 2, not 1": (
                    math.hypot(line_w, square_w),
                    math.hypot(line, square),
                ),
                "the term in ε² is left out": (abs(line_w), abs(line)),
                "variance is σ²: its root is the σ that multiplies ε": _spreads(
                    *case[:5], case[5] ** 2
                ),
                "log p(z) is left out of log w": (
                    math.hypot(line, 2**0.5 * (square + 0.5)),
                    likelihood,
                ),
                "log q(z) is left out of log w: it adds ε² / 2": (
                    math.hypot(line_w, 2**0.5 * (square_w - 0.5)),
                    likelihood,
                ),
                "log q(z) is taken away: it adds + ε² / 2": (
                    math.hypot(line_w, 2**0.5 * (square_w - 1)),
                    likelihood,
                ),
            },
            atol=1e-5,
        )
    return "Equal at q = p(z). At the posterior log w has no noise, and log p(y|z) has."


def _posterior(y: float, a: float, b: float, s: float) -> tuple[float, float]:
    """Mean and variance of p(z|y)."""
    variance = s**2 / (s**2 + a**2)
    return variance * a * (y - b) / s**2, variance


def _coefficients(y, a, b, s, mu, variance):
    """Of ε and ε² in log p(y|z), and in log w, at z = mu + ε √variance."""
    std = variance**0.5
    line, square = a * std * (y - b - a * mu) / s**2, -(a**2) * variance / (2 * s**2)
    return (line, square), (line - mu * std, square - variance / 2 + 0.5)


def _spreads(*case) -> tuple[float, float]:
    """The standard deviations of log w and of log p(y|z)."""
    (line, square), (line_w, square_w) = _coefficients(*case)
    return math.hypot(line_w, 2**0.5 * square_w), math.hypot(line, 2**0.5 * square)


def _pair(got, names: str) -> Tensor:
    two = parts(got, 2, f"return two numbers: {names}.")
    return torch.stack([as_tensor(part, names) for part in two])


@exercise
def optimal_q(answer) -> str:
    """Exercise 8.3: ``answer(y, a, b, s)`` is (mean, variance) of the q that closes the gap.

    The model is z ~ N(0, 1), y_i | z ~ N(a z + b, s²), independent given z; y is [n].
    """
    cases = [([1.3], 2.0, 0.4, 0.7), ([-0.6, 0.9, 0.1], 0.5, -1.0, 1.5)]
    cases += [([2.0, -1.0, 0.5, 1.5, 3.0], -1.2, 0.2, 0.3)]
    for numbers, a, b, s in cases:
        y = torch.tensor(numbers, dtype=torch.float64)
        wanted, slips = _optimal(y, a, b, s)
        result = _pair(answer(y, a, b, s), "the mean and the variance of q")
        close(result, wanted, f"q at y = {numbers}, a = {a:g}, b = {b:g}, s = {s:g}", hints=slips)
    return "It is the posterior: KL is 0, and the ELBO is log p(y) itself."


def _optimal(y: Tensor, a: float, b: float, s: float):
    n, total = len(y), float((y - b).sum())
    variance = 1 / (1 + n * a**2 / s**2)
    mean = variance * a * total / s**2
    hints = {
        "the second number is the standard deviation: give the variance": (mean, variance**0.5),
        "the second number is the precision: give the variance, 1 / precision": (
            mean,
            1 / variance,
        ),
        "the second number is log σ²: give the variance": (mean, math.log(variance)),
        "the variance comes second": (variance, mean),
        "the prior is left out: its precision, 1, is added to the likelihood's": (
            total / n / a,
            s**2 / (n * a**2),
        ),
        "the prior's precision is counted n times: z is drawn once": (
            a * total / n / (s**2 + a**2),
            s**2 / (n * (s**2 + a**2)),
        ),
        "that is for one observation, their mean: each of the n adds its precision": (
            a * total / n / (s**2 + a**2),
            s**2 / (s**2 + a**2),
        ),
        "the offset b is left out: z explains y - b": (
            variance * a * float(y.sum()) / s**2,
            variance,
        ),
        "s is a standard deviation: an observation's precision is a² / s²": (
            a * total / (s + n * a**2),
            s / (s + n * a**2),
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
    if not (moves > 0).all():
        raise Wrong("the slope a is positive, before and after each move.")
    elbo, kl, evidence = (table[:, 1] - table[:, 0] for table in _terms(moves))
    for k, name in enumerate(("first", "second")):
        if not elbo[k] > 1e-6:
            raise Wrong(f"on the {name} move the ELBO changes by {elbo[k]:.3f}: it must rise.")
    if not kl[0] > 1e-6:
        where = "larger" if moves[0, 0] < moves[0, 1] else "smaller"  # the KL is least at a = 0.26
        raise Wrong(
            f"on the first move the KL changes by {kl[0]:.3f}: the ELBO rises and the gap closes, "
            f"which is the pleasant case. Find one where the gap opens; a {where} a may help."
        )
    if not evidence[1] < -1e-6:
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
def gain(answer) -> str:
    """Exercise 8.5: ``answer(log_w)`` estimates L_K - L_1 from log-weights [S, K]: a number."""
    generator = torch.Generator().manual_seed(5)
    gains = []
    for rows, columns in ((300, 4), (50, 2), (120, 7)):
        log_w = 2 * torch.randn(rows, columns, generator=generator, dtype=torch.float64)
        log_w = log_w + torch.arange(rows)[:, None] / 50  # no two rows alike in height
        far_apart = torch.linspace(-2000, 0, rows, dtype=torch.float64)[:, None]
        want = (log_w.logsumexp(1) - math.log(columns) - log_w.mean(1)).mean()
        close(
            answer(log_w - 6),
            want,
            f"the gain of K = {columns} over {rows} rows",
            hints=_gain_slips(log_w - 6),
        )
        heights: dict[str, float | Tensor] = {
            "near exp(-1000)": -1000.0,
            "near exp(1000)": 1000.0,
        }
        heights["near 1 in one row and near exp(-2000) in another"] = far_apart
        for words, height in heights.items():
            what = f"the gain where weights are {words}"
            far = as_tensor(answer(log_w + height), what)
            if not torch.isfinite(far).all():
                raise Wrong(f"{what} is not finite: use logsumexp, row by row.")
            if far.ndim or (far - want).abs() > 1e-3:  # float32 keeps four digits of exp(-2000)
                raise Wrong(
                    f"{what} must be the same as at any height, {want:.4g}, not {far:.4g}: put "
                    "nothing else inside the logarithm, and use logsumexp."
                )
        gains.append(float(want))
    none = float(answer(torch.full((3, 5), -2.0, dtype=torch.float64)))
    if abs(none) > 1e-6:
        raise Wrong(
            f"equal weights gain nothing, yours {none:.1g}: is there anything but their mean "
            "inside the logarithm?"
        )
    return f"Never negative, and it depends on the spread alone: {gains[0]:.3f} nats for K = 4."


def _gain_slips(log_w: Tensor) -> dict[str, Tensor]:
    bound = log_w.logsumexp(1) - math.log(log_w.shape[1])
    return {
        "that is L_K itself: take L_1 away": bound.mean(),
        "the sign is turned: L_K is the larger": (log_w.mean(1) - bound).mean(),
        "divide the sum of K weights by K: subtract log K": (
            (log_w.logsumexp(1) - log_w.mean(1)).mean()
        ),
        "only K goes inside the logarithm: average the S logarithms": (
            log_w.flatten().logsumexp(0) - math.log(log_w.numel()) - log_w.mean()
        ),
        "the average inside runs over K, the last dimension": (
            (log_w.logsumexp(0) - math.log(len(log_w))).mean() - log_w.mean()
        ),
        "average over the S rows: one number is wanted": bound - log_w.mean(1),
        "you summed over the S rows: average them": (bound - log_w.mean(1)).sum(),
        "L_1 averages over all weights, not over the first column": ((bound - log_w[:, 0]).mean()),
    }
