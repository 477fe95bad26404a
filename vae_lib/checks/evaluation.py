"""Marks the exercises of chapter 11, how good a model is."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def estimate(answer) -> str:
    """Exercise 11.1: ``answer(log_w)`` is (log p̂, standard error, effective) for each example.

    ``log_w`` is [K, B]; each of the three is [B].
    """
    generator = torch.Generator().manual_seed(11)
    for count, examples in ((40, 3), (7, 1), (300, 5)):
        log_w = 1.5 * torch.randn(count, examples, generator=generator, dtype=torch.float64)
        for height in (0.0, -900.0):
            where = f"for K = {count}" + (" and weights near exp(-900)" if height else "")
            got = answer(log_w + height)
            if not _several(got, 3, log_w[0]):
                raise Wrong("return three tensors: log p̂, its standard error, the effective size.")
            _finite(got, where)
            want, slips = _estimate(log_w, height)
            for value, name in zip(got, want, strict=True):
                close(value, want[name], f"{name} {where}", hints=slips[name])
    _equal_weights(answer)
    return "Three numbers from one column of weights, in logarithms throughout."


def _several(got, count: int, like: Tensor) -> bool:
    """Is ``got`` a list of ``count``, or ``count`` tensors of the shape of ``like``, stacked?"""
    if isinstance(got, Tensor):
        return got.shape == (count, *like.shape)
    return isinstance(got, tuple | list) and len(got) == count


def _equal_weights(answer) -> None:
    """Where all weights are equal there is no error, and rounding may turn its square negative."""
    log_w = torch.linspace(-900.0, -0.1, 60, dtype=torch.float64).expand(7, -1).clone()
    error = as_tensor(answer(log_w)[1], "the standard error of equal weights")
    if error.isnan().any():
        raise Wrong(
            "with equal weights 1 / effective - 1 / K can round below 0: clamp it before the root."
        )
    close(error, torch.zeros(60), "the standard error of equal weights", atol=1e-5)


def _finite(values, where: str) -> None:
    for value in values:
        if not torch.isfinite(as_tensor(value, f"an answer {where}")).all():
            raise Wrong(f"an answer {where} is not finite: stay in logarithms, with logsumexp.")


def _estimate(log_w: Tensor, height: float) -> tuple[dict, dict]:
    w, count = log_w.exp(), len(log_w)
    mean, spread = w.mean(0), w.std(0, correction=0)
    effective = w.sum(0) ** 2 / (w**2).sum(0)
    error = spread / mean / count**0.5
    want = {
        "log p̂": mean.log() + height,
        "the standard error": error,
        "the effective sample size": effective,
    }
    slips = {
        "log p̂": {
            "that is the mean of log w, the ELBO's estimate: average inside the logarithm": (
                log_w.mean(0) + height
            ),
            "divide the sum of K weights by K": w.sum(0).log() + height,
            "average over K, the first dimension": w.mean(1).log() + height,
        },
        "the standard error": {
            "that is the relative spread of one weight: their average has it over √K": (
                spread / mean
            ),
            "that is the error of the average of log w, not of log p̂": (log_w.std(0) / count**0.5),
            "that is the variance: take the root": error**2,
            "the variance of the K weights divides by K, as in (11.3), not by K - 1": (
                error * (count / (count - 1)) ** 0.5
            ),
            "1 / √effective forgets the - 1 / K: with equal weights there is no error": (
                effective**-0.5
            ),
        },
        "the effective sample size": {
            "that is its share of K": effective / count,
            "that is 1 / effective": 1 / effective,
            "square the sum of the weights": w.sum(0) / (w**2).sum(0),
        },
    }
    return want, slips


@exercise
def samples_for(answer) -> str:
    """Exercise 11.2: ``answer(s, bias)`` is the least K that (11.2) predicts for ``bias`` nats.

    log w ~ N(log p(x) - s² / 2, s²). To first order in 1 / K: for s of 2 and more the true bias
    at that K is smaller, about half.
    """
    for s, bias in ((1.0, 0.01), (2.0, 0.1), (0.5, 0.001), (3.0, 0.05)):
        exact = math.expm1(s**2) / (2 * bias)
        want = math.ceil(exact)
        got = as_tensor(answer(s, bias), f"K for s = {s:g}")
        if got.ndim == 0 and got != got.round() and abs(float(got) - exact) < 1e-3 * exact:
            raise Wrong(f"K for s = {s:g} is a whole number of samples: round up.")
        close(
            got,
            want,
            f"K for s = {s:g} and a bias of {bias:g} nats",
            rtol=1e-9,
            hints={
                "the half is missing: the bias is half the relative variance over K": math.ceil(
                    2 * exact
                ),
                "Var[w] / p² is exp(s²) - 1, not s²": math.ceil(s**2 / (2 * bias)),
                "the variance of w itself, not of log w: exp(s²) - 1, with the - 1": math.ceil(
                    math.exp(s**2) / (2 * bias)
                ),
                "that is K for a standard error of that size": math.ceil(
                    math.expm1(s**2) / bias**2
                ),
                "s is a standard deviation: exp(s²), not exp(s)": math.ceil(
                    math.expm1(s) / (2 * bias)
                ),
                "round up: the bias is to be no larger": math.floor(exact),
            },
        )
    return "That is what (11.2) predicts. The solution draws such weights, and sees where it fails."


@exercise
def who_overfits(answer) -> str:
    """Exercise 11.3: ``answer(elbo_train, log_px_train, elbo_held, log_px_held)``.

    Each is [B], with sizes that may differ; the answer is the decoder's and the encoder's share,
    in nats, of what the mean ELBO loses from training to held-out digits.
    """
    generator = torch.Generator().manual_seed(3)
    for seen, new in ((6, 6), (40, 10)):
        px = [
            -90 - 9 * k + 5 * torch.randn(n, generator=generator, dtype=torch.float64)
            for k, n in enumerate((seen, new))
        ]
        elbo = [
            p - (2 + 4 * k) * torch.rand(len(p), generator=generator, dtype=torch.float64)
            for k, p in enumerate(px)
        ]
        decoder = px[0].mean() - px[1].mean()
        gaps = [(p - e).mean() for p, e in zip(px, elbo, strict=True)]
        whole, encoder = elbo[0].mean() - elbo[1].mean(), gaps[1] - gaps[0]
        got = answer(elbo[0], px[0], elbo[1], px[1])
        if not _several(got, 2, decoder):
            raise Wrong("return two numbers: the decoder's share, the encoder's share.")
        close(
            torch.stack([as_tensor(v, "a share") for v in got]),
            torch.stack([decoder, encoder]),
            f"the two shares of {float(whole):.3f} nats",
            hints={
                "the decoder's share comes first": torch.stack([encoder, decoder]),
                "both are losses, from training to held-out digits: turn the signs": (
                    -torch.stack([decoder, encoder])
                ),
                "the encoder's share is a loss too: how much the gap grows, held out": (
                    torch.stack([decoder, -encoder])
                ),
                "the encoder's share is how much the gap grows, not the held-out gap itself": (
                    torch.stack([decoder, gaps[1]])
                ),
                "the first is the whole loss of the ELBO: log p(x) alone is the decoder's": (
                    torch.stack([whole, encoder])
                ),
                "these are sums over digits: average each set": (
                    torch.stack(
                        [
                            px[0].sum() - px[1].sum(),
                            (px[1] - elbo[1]).sum() - (px[0] - elbo[0]).sum(),
                        ]
                    )
                ),
            },
        )
    return "Together they are what the ELBO loses."


@exercise
def mixture(answer) -> str:
    """Exercise 11.4: ``answer(log_good, log_noise, share)`` is log p(x) of the mixture, [B].

    With probability ``share``, between 0 and 1, x comes from the good model, else from the noise.
    """
    # A clear winner on either side, a near tie, and two that no exponential can hold.
    log_good = torch.tensor([-95.0, -120.0, -88.0, -800.0, -543.0, -810.0], dtype=torch.float64)
    log_noise = torch.full((6,), -784 * math.log(2), dtype=torch.float64)
    log_noise[-1] = -812.0
    for share in (0.01, 0.5, 0.9):
        near, far = log_good + math.log(share), log_noise + math.log1p(-share)
        got = as_tensor(answer(log_good, log_noise, share), "log p(x) of the mixture")
        if not torch.isfinite(got).all():
            raise Wrong("exp(-800) has no room in a computer's numbers: use torch.logaddexp.")
        close(
            got,
            torch.logaddexp(near, far),
            f"log p(x) of the mixture with share = {share:g}",
            rtol=1e-7,
            hints={
                "probabilities are mixed, not their logarithms": (
                    share * log_good + (1 - share) * log_noise
                ),
                "the weight of the noise is 1 - share": torch.logaddexp(
                    near, log_noise + math.log(share)
                ),
                "the two weights are swapped": torch.logaddexp(
                    log_good + math.log1p(-share), log_noise + math.log(share)
                ),
                "each part has its weight: add the logarithm of the weight": torch.logaddexp(
                    log_good, log_noise
                ),
                "the noise counts too, where it is the likelier": near,
                "the likelier part is not alone: both add where they are nearly equal": (
                    torch.maximum(near, far)
                ),
                "logarithms add where probabilities multiply: log share, not share": (
                    torch.logaddexp(log_good + share, log_noise + 1 - share)
                ),
            },
        )
    return "Never more than -log(share) below the good model: 4.6 nats at one in a hundred."


@exercise
def nats_of(answer) -> str:
    """Exercise 11.5: ``answer(bits, pixels, levels)`` is -log p(x) in nats, of a density on [0, 1].

    ``bits`` is per dimension, of images whose values are integers 0 to levels - 1.
    """
    for bits, pixels, levels in ((3.2, 3072, 256), (8.0, 784, 256), (1.5, 64, 17)):
        want = (bits - math.log2(levels)) * pixels * math.log(2)
        close(
            answer(bits, pixels, levels),
            want,
            f"{bits:g} bits a dimension, {pixels} pixels of {levels} levels",
            hints={
                "those are bits: a bit is log 2 nats": (bits - math.log2(levels)) * pixels,
                "that is per pixel: sum over them": (bits - math.log2(levels)) * math.log(2),
                "the levels are left out: on [0, 1] a density is `levels` times higher": (
                    bits * pixels * math.log(2)
                ),
                "the sign of log2(levels): a density on [0, 1] costs fewer nats, not more": (
                    (bits + math.log2(levels)) * pixels * math.log(2)
                ),
                "divide by log 2 to get bits, multiply to get nats": (
                    (bits - math.log2(levels)) * pixels / math.log(2)
                ),
                "that is log p(x): turn the sign": -want,
                "integers 0 to levels - 1 have `levels` values": (
                    (bits - math.log2(levels - 1)) * pixels * math.log(2)
                ),
                "the levels are counted in bits too: log2(levels), not the natural logarithm": (
                    (bits - math.log(levels)) * pixels * math.log(2)
                ),
            },
        )
    return "Negative below log2(levels) bits: a density may exceed 1."
