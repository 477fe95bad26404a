"""Checks of chapter 14's exercises: tighter bounds, richer families."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, as_tensor, close, exercise, parts
from vae_lib.distributions import gaussian_log_prob, standard_normal_log_prob

UNDERFLOW = "exp of −800 is 0: subtract the maximum first, or take softmax"
LOG_2, LOG_2PI = math.log(2), math.log(2 * math.pi)


def _draws(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@exercise
def flow_density(answer) -> str:
    """Exercise 14.1: ``answer(eps, layers)`` is log q(z) of a two-layer flow, [B], nats."""
    eps = _draws(4, 2, seed=1)
    layers = [(0.5 * _draws(2, seed=2), _draws(2, seed=3)), (_draws(2, seed=4), _draws(2, seed=5))]
    normal = standard_normal_log_prob(eps)
    scale = torch.stack([s.sum() for s, _ in layers]).sum()
    z = without_swaps = eps
    for s, t in layers:
        z = (z * s.exp() + t).flip(-1)
        without_swaps = without_swaps * s.exp() + t
    hints = {
        "the determinant's logarithm is subtracted: where space is stretched, density falls": (
            normal + scale
        ),
        "that is the density of ε: the change of volume is missing": normal,
        "N(0, I) is the density of ε: evaluate it there, not at z": (
            standard_normal_log_prob(z) - scale
        ),
        "N(0, I) belongs at ε, not at z, and the change of volume is subtracted": (
            standard_normal_log_prob(z) + scale
        ),
        "that is N(0, I) at z: take it at ε, and take off the change of volume": (
            standard_normal_log_prob(z)
        ),
        "evaluate N(0, I) at ε, not at z (which is also swapped after each layer)": (
            standard_normal_log_prob(without_swaps) - scale
        ),
        "the second coordinate is stretched too: sum s over both": (
            normal - sum(s[0] for s, _ in layers)
        ),
        "the first coordinate is stretched too: sum s over both": (
            normal - sum(s[1] for s, _ in layers)
        ),
        "one layer's change of volume is missing": normal - layers[0][0].sum(),
        "the other layer's change of volume is missing": normal - layers[1][0].sum(),
        "log |det| of a scaling by exp(s) is Σ s, not Σ exp(s)": (
            normal - sum(s.exp().sum() for s, _ in layers)
        ),
        "that takes off the determinants: (14.1) takes off their logarithms": (
            normal - sum(s.exp().prod() for s, _ in layers)
        ),
        "that takes off the determinant: (14.1) takes off its logarithm": normal - scale.exp(),
        "a shift changes no volume: t does not enter": normal
        - scale
        - sum(t.sum() for _, t in layers),
        "sum s over both coordinates: it is neither log σ² nor to be averaged, so no factor ½": (
            normal - 0.5 * scale
        ),
        "those are bits: use the natural logarithm": (normal - scale) / LOG_2,
        "the constant of the normal density is missing": normal - scale + LOG_2PI,
    }
    close(answer(eps, layers), normal - scale, "log q of four draws", hints=hints, rtol=1e-6)
    eps = _draws(3, 2, seed=10)
    layers = [(_draws(2, seed=11), _draws(2, seed=12)), (-_draws(2, seed=13), _draws(2, seed=14))]
    want = standard_normal_log_prob(eps) - sum(s.sum() for s, _ in layers)
    close(answer(eps, layers), want, "log q of three draws of another flow", rtol=1e-6)
    return "Shifts and swaps change no volume."


@exercise
def dreg_weights(answer) -> str:
    """Exercise 14.2: ``answer(log_w)`` is (w̃, w̃²), [K, B] each."""
    log_w = -800 + 2 * _draws(5, 3, seed=6)
    pair = "return two tensors: the weights of each gradient."
    got = _finite(parts(answer(log_w), 2, pair), UNDERFLOW)
    share = log_w.softmax(0)
    names = ("the weights without the score term", "the weights of (14.5)")
    hints = {
        "normalise over the K samples, the first dimension": log_w.softmax(1),
        UNDERFLOW: log_w.exp(),
        "normalise: the weights of one x sum to one before they are squared": (
            (log_w - log_w.amax(0)).exp()
        ),
        "those are log-weights": log_w.log_softmax(0),
    }
    close(got[0], share, names[0], hints={**hints, "that is the square": share**2}, rtol=1e-3)
    more = {
        "that is w̃: (14.5) has its square": share,
        "that is what the score takes off: w̃ (1 - w̃); w̃² remains": share * (1 - share),
        "the squares are not normalised again": share**2 / (share**2).sum(0),
        "two times w̃ is not its square": 2 * share,
    }
    close(got[1], share**2, names[1], hints={**hints, **more}, rtol=1e-3)
    log_w = 2 * _draws(7, 4, seed=15) + torch.tensor([-800.0, -1800.0, 200.0, -2800.0])
    apart = "the columns lie a thousand nats apart: subtract each column's maximum"
    got = _finite(parts(answer(log_w), 2, pair), apart)
    share, by_one = log_w.softmax(0), (log_w - log_w.max()).exp()
    lost = (by_one / by_one.sum(0)).nan_to_num()
    close(got[0], share, f"{names[0]}, K = 7 and B = 4", hints={apart: lost}, rtol=1e-3)
    close(got[1], share**2, f"{names[1]}, K = 7 and B = 4", rtol=1e-3)
    return "Of K equal weights each counts 1/K² in place of 1/K."


def _finite(weights: list, hint: str) -> list:
    if not all(as_tensor(part, "the weights").isfinite().all() for part in weights):
        raise Wrong(f"nan: {hint}.")
    return weights


@exercise
def estimates_needed(answer) -> str:
    """Exercise 14.3: ``answer(ratio, K, wanted)`` is (estimates, decoder evaluations)."""
    for ratio, K, wanted in ((0.5, 4, 1.3), (0.7, 16, 2.0), (1.5, 100, 3.1)):
        pair = "return two numbers: the estimates and the decoder evaluations."
        got = parts(answer(ratio, K, wanted), 2, pair)
        estimates = K * (wanted / ratio) ** 2
        said = f"a ratio of {ratio:g} at K = 1, {wanted:g} wanted, K = {K}"
        hints = {
            "averaging M estimates divides the deviation by √M: square the ratio": (
                math.sqrt(K) * wanted / ratio
            ),
            "the ratio of signal to noise grows as √M: square wanted over ratio": (
                K * wanted / ratio
            ),
            "the ratio falls as 1/√K: K times as many estimates": (wanted / ratio) ** 2,
            "the ratio falls with K, so more estimates are needed, not fewer": (
                (wanted / ratio) ** 2 / K
            ),
            "the other way round: wanted over what there is": K * (ratio / wanted) ** 2,
            "the ratio falls as 1/√K, not as 1/K (the evaluations go second)": (K * estimates),
            "do not round it up": math.ceil(estimates),
            "do not round it down": math.floor(estimates),
        }
        close(got[0], estimates, f"the estimates for {said}", hints=hints, rtol=1e-6)
        more = {
            "each estimate evaluates the decoder K times": estimates,
            "K times for each estimate, once": K**2 * estimates,
            "do not round them up": math.ceil(K * estimates),
            "do not round them down": math.floor(K * estimates),
        }
        close(got[1], K * estimates, f"the evaluations for {said}", hints=more, rtol=1e-6)
    return "K times as many estimates, K² times the evaluations: a tighter bound costs more."


@exercise
def prior_winnings(answer) -> str:
    """Exercise 14.4: ``answer(z, mu, logvar)`` is the estimate of (14.6), one number, nats."""
    z, mu, logvar = _codes(2)
    each = gaussian_log_prob(z[:, None], mu, logvar)  # [S, N]
    aggregate, normal = each.logsumexp(1) - math.log(6), standard_normal_log_prob(z)
    want = (aggregate - normal).mean()
    own = each.reshape(10, 6, 6).diagonal(dim1=1, dim2=2).reshape(-1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    hints = {
        "the sign is turned round: a divergence is not negative": -want,
        "the mixture's weights are 1 / N: log N is missing": want + math.log(6),
        "the mixture has N parts, as many as mu: log N, not log S": want + math.log(6 / len(z)),
        "average the densities, not their logarithms": (each.mean(1) - normal).mean(),
        "that is the whole average KL: the part of (10.7) that no prior wins back": kl,
        "that is the average KL estimated at the draws: the mixture belongs there, not the "
        "draw's own q": (own - normal).mean(),
        "log N(z; 0, I) is still to be taken off": aggregate.mean(),
        "the constant of log N(z; 0, I) is missing, ½ log 2π for each dimension": want - LOG_2PI,
        "logsumexp runs over the N parts of the mixture, not over the draws": (
            each.logsumexp(0).mean() - math.log(6) - normal.mean()
        ),
        "the sum runs over the N parts, not over the S draws, and log N is taken off": (
            each.logsumexp(0).mean() - math.log(len(z)) - normal.mean()
        ),
        "one number is wanted: the mean over the draws": aggregate - normal,
        "those are bits: use the natural logarithm": want / LOG_2,
        "the mean runs over draws, not the sum": (aggregate - normal).sum(),
        "logvar is log σ², not log σ": (
            gaussian_log_prob(z[:, None], mu, 2 * logvar).logsumexp(1) - math.log(6) - normal
        ).mean(),
    }
    close(answer(z, mu, logvar), want, "the nats that a prior can win", hints=hints, rtol=1e-6)
    z, mu, logvar = _codes(2000, 5)
    each = gaussian_log_prob(z[:, None], mu, logvar)
    want = (each.logsumexp(1) - math.log(5) - standard_normal_log_prob(z)).mean()
    what = "with z in 2,000 dimensions, where a density underflows to 0 (take logsumexp)"
    fixed = {"N is the length of mu, here 5: do not write it as a number": want + math.log(5 / 6)}
    close(answer(z, mu, logvar), want, what, hints=fixed, rtol=1e-6)
    return "The rest of the average divergence belongs to the encoder."


def _codes(dimensions: int, n: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Draws z [10 n, D] from the mixture of n Gaussians, their mu and logvar [n, D]."""
    mu, logvar = 1.5 * _draws(n, dimensions, seed=7), -2 + 0.5 * _draws(n, dimensions, seed=8)
    z = mu + (0.5 * logvar).exp() * _draws(10, n, dimensions, seed=9)
    return z.reshape(-1, dimensions), mu, logvar
