"""Marks the exercises of chapter 3: rings, yardsticks, wasted priors and doubt."""

import contextlib
import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def ring(answer) -> str:
    """Exercise 3.1: ``answer(share, std)`` is the radius that holds ``share`` of N(0, std² I_2)."""
    for share, std in ((0.95, 1.0), (0.5, 1.0), (0.8, 3.0), (0.1, 0.25)):
        nats = -math.log(1 - share)
        close(
            answer(share, std),
            std * math.sqrt(2 * nats),
            f"the ring that holds {share:g} where std = {std:g}",
            hints={
                "the exponent is r² / 2: the 2 is missing": std * math.sqrt(nats),
                "that is r²: take the root": std**2 * 2 * nats,
                "share is what lies inside, so what lies outside is 1 - share": (
                    std * math.sqrt(-2 * math.log(share))
                ),
                "std² is the variance, and r grows with std": std**2 * math.sqrt(2 * nats),
                "that is an interval on a line; in the plane less lies near the middle": (
                    std * float(Normal(0.0, 1.0).icdf(torch.tensor((1 + share) / 2)))
                ),
                "that is the rounded number of the text: compute it": 2.448,
                "r grows with std": math.sqrt(2 * nats),
                "divide r by std in the exponent, do not multiply": math.sqrt(2 * nats) / std,
            },
        )
    return "The share outside is exp(-r² / 2): at r = 3 it is 1.1 %."


@exercise
def yardstick(answer) -> str:
    """Exercise 3.2: ``answer(codes, share)``: so near is another code to that share of codes."""
    generator = torch.Generator().manual_seed(3)
    for count, dimensions, share in ((21, 2, 0.9), (11, 3, 0.5), (41, 5, 0.75)):
        codes = 3 * torch.randn(count, dimensions, generator=generator)
        want, hints = _yardstick(codes, share)
        what = f"{count} codes of {dimensions} numbers, share {share:g}"
        close(answer(codes, share), want, what, hints=hints)
    twins = torch.randn(6, 2, generator=generator)[[0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 2]]
    got = as_tensor(answer(twins, 0.5), "codes that all have a twin, save one")
    if got.ndim or not abs(got) < 1e-2:  # matrix-multiply distances are not quite 0
        raise Wrong(
            "two digits may share a code, and then the nearest other code is at distance 0: leave "
            "out the code itself by its place, not every distance of 0."
        )
    return "No held-out codes are needed: each code is held out in its turn."


def _yardstick(codes: Tensor, share: float) -> tuple[Tensor, dict]:
    """The right answer, and what each slip gives."""
    apart = codes[:, None] - codes
    itself = torch.eye(len(codes), dtype=torch.bool)
    others = {p: apart.norm(p, dim=-1) for p in (1, 2, math.inf)}
    nearest = {p: d.masked_fill(itself, math.inf).amin(1) for p, d in others.items()}
    want = nearest[2].quantile(share)
    hints = {
        "each code is at distance 0 from itself: leave it out": torch.zeros(()),
        "that is the squared distance": want**2,
        "those are sums of absolute differences: the distance is the root of a sum of squares": (
            nearest[1].quantile(share)
        ),
        "those are the largest differences: the distance is the root of a sum of squares": (
            nearest[math.inf].quantile(share)
        ),
        "that is the average of the squares, not their sum": want / codes.shape[1] ** 0.5,
        "that is the distance that 1 - share of them stay below": nearest[2].quantile(1 - share),
        "that is the mean distance: take the quantile": nearest[2].mean(),
        "keep one number: the quantile over all codes": nearest[2],
        "only the nearest other code matters, not the furthest": (
            others[2].amax(1).quantile(share)
        ),
        "only the nearest other code matters, not all pairs": others[2].flatten().quantile(share),
    }
    return want, hints


@exercise
def spoilt(answer) -> str:
    """Exercise 3.3: ``answer(log_good, log_other, w)`` is log p(x) of a mixture of two priors.

    A code comes from the other prior with probability w; log_good and log_other [B] are log p(x)
    under each prior alone, nats.
    """
    good = torch.tensor([-140.0, -95.0, -1200.0], dtype=torch.float64)
    other = torch.tensor([-141.0, -900.0, -1199.0], dtype=torch.float64)
    for w in (0.5, 0.1, 0.97):
        share, rest = math.log(w), math.log1p(-w)
        want = torch.logaddexp(rest + good, share + other)
        got = as_tensor(answer(good, other, w), "log p(x)")
        what = f"log p(x) of three digits, w = {w:g}"
        if got.shape == want.shape and not torch.isfinite(got).all():
            raise Wrong(f"{what}: exp underflows; stay in logarithms, with log-sum-exp.")
        if got.shape == want.shape and 1e-6 < (got - want).abs().max() < 1e-3:
            raise Wrong(f"{what}: right to three decimals only; keep the precision you are given.")
        close(
            got,
            want,
            what,
            hints={
                "the probabilities are averaged, not their logarithms": (1 - w) * good + w * other,
                "w is the share of the other prior": torch.logaddexp(share + good, rest + other),
                "the weights are left out": torch.logaddexp(good, other),
                "the other prior is left out": rest + good,
                "the weights multiply probabilities: add their logarithms": (
                    torch.logaddexp((1 - w) * good, w * other)
                ),
                "only the larger of the two is kept": torch.maximum(rest + good, share + other),
                "that is the change: add log_good": want - good,
                "that is the cost, -log p(x): turn the sign": -want,
                "keep one value a digit": want.mean(),
            },
            rtol=0,
            atol=1e-6,
        )
    return "Whatever the other prior, log p(x) falls by -log(1 - w) at most: 0.69 nats at one half."


@exercise
def doubt(answer) -> str:
    """Exercise 3.4: -Σ_k p_k log p_k of the softmax, for each row of logits [B, K]; nats."""
    generator = torch.Generator().manual_seed(4)
    for rows, classes in ((4, 3), (2, 10), (5, 5)):
        logits = 3 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)
        p = logits.softmax(-1)
        entropy = -(p * p.log()).sum(-1)
        close(
            answer(logits),
            entropy,
            f"the entropy for {rows} pictures and {classes} classes",
            hints={
                "an entropy is not negative: the sign is turned": -entropy,
                "that is in bits": entropy / math.log(2),
                "keep one value a picture": entropy.sum(),
                "keep one value a picture, do not average": entropy.mean(),
                "sum over the classes, do not average": entropy / classes,
                "the logarithm is taken, but not averaged with p": -p.log().sum(-1),
                "those are logits: take the softmax first": -(logits * logits.log()).sum(-1),
                "the softmax runs over the classes, not over the pictures": (
                    -(logits.softmax(0) * logits.log_softmax(0)).sum(-1)
                ),
                "that is -log of the largest probability": -p.amax(-1).log(),
            },
            rtol=1e-6,
        )
    sure = as_tensor(answer(torch.tensor([[1000.0, 0.0, -1000.0]]).double()), "a sure picture")
    if not torch.isfinite(sure).all():
        raise Wrong("it is not finite for very sure logits: use log_softmax, not log of softmax.")
    faint = torch.tensor([[30.0, 0.0]], dtype=torch.float64)
    close(
        answer(faint),
        [30 * math.exp(-30) + math.exp(-30)],
        "the entropy at odds of e to the 30: put nothing else inside the logarithm",
        rtol=1e-2,  # log-sum-exp less the mean logit cancels, and is right to 3e-3
        atol=0,
    )
    return "It is 0 where the classifier is certain and log 10 where it has no idea."


@exercise
def two_cases(answer) -> str:
    """Exercise 3.5: ``answer()`` is two cases (prior, likelihood, k) with finitely many codes.

    In the first the loss at the code k, -log p(x|z_k), is below -log p(x); in the second above.
    """
    cases = answer()
    if not isinstance(cases, (tuple, list)) or len(cases) != 2:
        raise Wrong("return two cases, each (prior, likelihood, k).")
    losses = [_losses(*_case(case, name)) for case, name in zip(cases, _NAMES, strict=True)]
    for (loss, cost), name, sign in zip(losses, _NAMES, (1, -1), strict=True):
        if not sign * (cost - loss) > 1e-6:
            raise Wrong(
                f"in the {name} case the loss is {loss:.3f} and -log p(x) is {cost:.3f}: the loss "
                f"must be {'below' if sign > 0 else 'above'}."
            )
    (a, b), (c, d) = losses
    return f"{a:.2f} < {b:.2f} and {c:.2f} > {d:.2f}: the loss bounds -log p(x) on neither side."


_NAMES = ("first", "second")


def _case(case, name: str) -> tuple[Tensor, Tensor, int]:
    if not isinstance(case, (tuple, list)) or len(case) != 3:
        raise Wrong(f"the {name} case is not (prior, likelihood, k).")
    prior, likelihood = (_exact(part, f"the {name} case") for part in case[:2])
    if prior.ndim != 1 or prior.shape != likelihood.shape:
        raise Wrong(f"in the {name} case, give one prior and one likelihood for each code.")
    if not ((prior >= 0).all() and abs(prior.sum() - 1) < 1e-6):
        raise Wrong(f"in the {name} case the prior must be probabilities that add up to 1.")
    if not ((likelihood >= 0) & (likelihood <= 1)).all():
        raise Wrong(f"in the {name} case each p(x|z) is a probability.")
    if case[2] not in range(len(prior)):
        raise Wrong(f"in the {name} case k must be one of 0 to {len(prior) - 1}.")
    k = int(case[2])
    if not (prior[k] > 0 and likelihood[k] > 0):
        raise Wrong(f"in the {name} case the prior and p(x|z) of the code k must be above 0.")
    return prior, likelihood, k


def _exact(part, what: str) -> Tensor:
    """A list as float64 from the start: in float32 likelihoods of real digits are 0."""
    if isinstance(part, (list, tuple)):
        with contextlib.suppress(TypeError, ValueError):  # as_tensor says what is wanted
            part = torch.tensor(part, dtype=torch.float64)
    return as_tensor(part, what)


def _losses(prior: Tensor, likelihood: Tensor, k: int) -> tuple[float, float]:
    """-log p(x|z_k) and -log p(x), nats."""
    return -math.log(likelihood[k]), -math.log(prior @ likelihood)
