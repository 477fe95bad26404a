"""Checks of chapter 15's exercises: the road to diffusion."""

import math

import torch
from torch import Tensor

from vae_lib.checks import Wrong, as_tensor, close, exercise, parts

LOG_2 = math.log(2)


def _draws(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@exercise
def codebook_usage(answer) -> str:
    """Exercise 15.1: ``answer(k, K)`` is (perplexity, bits for a picture of G codes)."""
    generator = torch.Generator().manual_seed(10)
    uneven = torch.randint(7, (50, 3), generator=generator)
    uneven = torch.where(uneven == 1, 0, uneven)  # code 1 is dead, code 0 has its share
    alike = torch.arange(8).expand(50, 8)  # each place has a code of its own
    for k, size, used in ((uneven, 10, "6 of 10 codes"), (alike, 32, "8 of 32 codes, used alike")):
        places = k.shape[1]
        share = torch.bincount(k.flatten(), minlength=size).double() / k.numel()
        nats = torch.special.entr(share).sum()
        bits = nats / LOG_2
        got = parts(answer(k, size), 2, "return two values: the perplexity and the bits.")
        said = f"{used}, {places} places"
        by_place = torch.stack(
            [torch.bincount(row, minlength=size) / len(k) for row in k.T]
        ).double()
        together = k.unique(dim=0, return_counts=True)[1].double() / len(k)
        hints = {
            "that is the entropy in nats: its exponential is the perplexity": nats,
            "that is the entropy in bits: 2 to that power is the perplexity": bits,
            "a power of 2 wants the entropy in bits, exp wants nats": nats.exp2(),
            "exp wants the entropy in nats, not in bits": bits.exp(),
            "the sign of the entropy is turned round": (-nats).exp(),
            "that counts the codes in use: weigh them by how often": (share > 0).sum(),
            "that is the size of the codebook": size,
            "that is the perplexity of a whole picture: the codebook's is that of one code": (
                (places * nats).exp()
            ),
            "that is the mean of the places' perplexities: the places share one codebook": (
                torch.special.entr(by_place).sum(1).exp().mean()
            ),
        }
        if bool(as_tensor(got[0], "the perplexity").isnan().any()):
            raise Wrong("the perplexity is NaN: 0 log 0 is 0, but 0 times -inf is not.")
        close(got[0], nats.exp(), f"the perplexity ({said})", hints=hints, rtol=1e-5)
        more = {
            "those are nats: divide by log 2": places * nats,
            "that is one code: a picture has G of them": bits,
            "that is what equally likely codes cost: use the frequencies": (
                places * math.log2(size)
            ),
            "that is what the codes in use would cost if they were equally likely": (
                places * (share > 0).sum().double().log2()
            ),
            "the number of pictures does not enter: bits for one picture": len(k) * places * bits,
            "that is the entropy of the whole combinations: each code is drawn independently": (
                torch.special.entr(together).sum() / LOG_2
            ),
            "each place has its own frequencies in that: use those of the codebook": (
                torch.special.entr(by_place).sum() / LOG_2
            ),
        }
        close(got[1], places * bits, f"the bits for a picture ({said})", hints=more, rtol=1e-5)
    return "A code that is never used costs nothing: 0 log 0 is 0."


@exercise
def step_back(answer) -> str:
    """Exercise 15.2: ``answer(x_0, x_t, before, now)`` is q(x_{t-1}|x_t, x_0)'s mean, variance."""
    for seed, shares in ((1, (0.9, 0.6)), (2, (0.3, 0.04))):
        x_0, x_t = _draws(4, 3, seed=seed), _draws(4, 3, seed=seed + 9)
        before, now = (torch.tensor(share, dtype=torch.float64) for share in shares)
        beta, root = 1 - now / before, (now / before).sqrt()
        a, b = before.sqrt() * beta / (1 - now), root * (1 - before) / (1 - now)
        variance = beta * (1 - before) / (1 - now)
        got = parts(
            answer(x_0, x_t, before, now), 2, "return two values: the mean [B, D] and the variance."
        )
        said = f"shares {shares[0]:g} and {shares[1]:g}"
        turned = 1 - before / now
        swapped = now.sqrt() * turned / (1 - before) * x_0
        swapped = swapped + (before / now).sqrt() * (1 - now) / (1 - before) * x_t
        loose = 1 / (1 / beta + 1 / (1 - before))  # x_t's precision taken for 1 / β
        hints = {
            "x_0 and x_t have changed places": a * x_t + b * x_0,
            "the share enters by its root: √ᾱ_{t-1} in front of x_0": (
                before * beta / (1 - now) * x_0 + b * x_t
            ),
            "√(1 - β_t) in front of x_t, not 1 - β_t": a * x_0 + root * b * x_t,
            "that is q(x_{t-1}|x_0): x_t says something too": (before.sqrt() * x_0).expand(4, 3),
            "that is x_t stretched back: x_0 says something too": x_t / root,
            "that is the mean of q(x_t|x_{t-1}), a step forwards": root * x_t,
            "β_t is 1 - ᾱ_t / ᾱ_{t-1}, not 1 - ᾱ_t": (
                before.sqrt() * x_0 + now.sqrt() * (1 - before) / (1 - now) * x_t
            ),
            "√ᾱ_{t-1} in front of x_0, not √ᾱ_t": now.sqrt() * beta / (1 - now) * x_0 + b * x_t,
            "ᾱ_{t-1} and ᾱ_t have changed places": swapped,
            "√(1 - β_t) is the root of ᾱ_t / ᾱ_{t-1}, not of ᾱ_t": (
                a * x_0 + now.sqrt() * (1 - before) / (1 - now) * x_t
            ),
            "the two pulls are to be divided by the sum of the precisions": (
                (a * x_0 + b * x_t) / variance
            ),
            "x_t pulls with √(1 - β_t) / β_t, not with 1 / β_t: its mean is √(1 - β_t) x_{t-1}": (
                a * x_0 + b / root * x_t
            ),
            "the precision that x_t adds is (1 - β_t) / β_t, not 1 / β_t": (
                (a * x_0 + b * x_t) * loose / variance
            ),
            "x_t's mean is √(1 - β_t) x_{t-1}: one root in the pull, its square in the precision": (
                (a * x_0 + b / root * x_t) * loose / variance
            ),
        }
        close(got[0], a * x_0 + b * x_t, f"the mean ({said})", hints=hints, rtol=1e-6)
        more = {
            "that is β_t, the variance of p: x_0 makes q narrower": beta,
            "that is the standard deviation": variance.sqrt(),
            "that is the precision": 1 / variance,
            "that is the variance of q(x_{t-1}|x_0)": 1 - before,
            "(1 - ᾱ_{t-1}) / (1 - ᾱ_t), not the other way round": (beta * (1 - now) / (1 - before)),
            "that is the logarithm of the variance": variance.log(),
            "the precision that x_t adds is (1 - β_t) / β_t, not 1 / β_t": loose,
        }
        spread = got[1]
        if isinstance(spread, Tensor) and spread.ndim:  # one for each number is right as well
            if spread.shape not in {(1,), (3,), (1, 1), (4, 1), (1, 3), (4, 3)}:
                shape = list(spread.shape)
                raise Wrong(
                    f"the variance has shape {shape}: return one number, or [B, D] of them."
                )
            more = {hint: value.expand(spread.shape) for hint, value in more.items()}
            variance = variance.expand(spread.shape)
        close(spread, variance, f"the variance ({said})", hints=more, rtol=1e-6)
    return "Precisions add: whoever knows x_0 and x_t is surer than whoever knows one."


@exercise
def three_names(answer) -> str:
    """Exercise 15.3: ``answer(x_t, v, share)`` is (x̂_0, ε̂, score), [B, D] each."""
    for seed, value in ((3, 0.6), (4, 0.1)):
        x_t, v = _draws(4, 2, seed=seed), _draws(4, 2, seed=seed + 9)
        share = torch.tensor(value, dtype=torch.float64)
        signal, noise = share.sqrt(), (1 - share).sqrt()
        guess, eps = signal * x_t - noise * v, noise * x_t + signal * v
        got = parts(
            answer(x_t, v, share),
            3,
            "return three values: the guess at x_0, the noise and the score.",
        )
        said = f"a share of {value:g}"
        hints = {
            "the turn goes the other way: v has a minus in front of x_0": signal * x_t + noise * v,
            "that is the noise": eps,
            "ᾱ_t enters by its root, and so does 1 - ᾱ_t": share * x_t - (1 - share) * v,
            "√ᾱ_t and √(1 - ᾱ_t) have changed places": noise * x_t - signal * v,
            "that takes v for the noise, as in (15.10)": (x_t - noise * v) / signal,
        }
        close(got[0], guess, f"the guess ({said})", hints=hints, rtol=1e-5)
        more = {
            "the turn goes the other way: both parts are added": noise * x_t - signal * v,
            "that is v itself": v,
            "the sign of the noise is turned round": -eps,
            "that is the guess at x_0": guess,
            "ᾱ_t enters by its root, and so does 1 - ᾱ_t": (1 - share) * x_t + share * v,
        }
        close(got[1], eps, f"the noise ({said})", hints=more, rtol=1e-5)
        last = {
            "the sign: the score points away from the noise, back to the data": eps / noise,
            "divide by √(1 - ᾱ_t), the standard deviation of the noise in x_t": -eps,
            "divide by the standard deviation, not by the variance: ε has variance 1": (
                -eps / (1 - share)
            ),
            "divide by √(1 - ᾱ_t), do not multiply": -eps * noise,
            "divide by √(1 - ᾱ_t), not by √ᾱ_t": -eps / signal,
            "that is the score of N(0, I), true for t = T only": -x_t,
            "that takes v for the noise": -v / noise,
        }
        close(got[2], -eps / noise, f"the score ({said})", hints=last, rtol=1e-5)
    return "One prediction, four units: v, data, noise, and one over data."


def _error(s2: Tensor, share: Tensor) -> Tensor:
    """(15.11): the best denoiser's squared error for data of variance s2."""
    return s2 * (1 - share) / (share * s2 + 1 - share)


@exercise
def one_variance(answer) -> str:
    """Exercise 15.4: ``answer(s, before, now)`` is the best single variance, and its nats."""
    # Three numbers first: with two, the mean over them is what a missing square gives as well.
    cases = (([0.5, 1.0, 4.0], (0.4, 0.2)), ([0.3, 3.0], (0.9, 0.7)), ([2.0, 2.0], (0.8, 0.6)))
    for spreads, shares in cases:
        s = torch.tensor(spreads, dtype=torch.float64)
        before, now = (torch.tensor(share, dtype=torch.float64) for share in shares)
        beta, kept = 1 - now / before, (1 - before) / (1 - now)
        error = _error(s**2, now)
        a = before.sqrt() * beta / (1 - now)
        sigma2 = kept * beta + a**2 * error
        want = sigma2.mean()
        got = parts(answer(s, before, now), 2, "return two values: the variance and the nats.")
        said = (
            f"spreads {', '.join(f'{v:g}' for v in spreads)}, shares {shares[0]:g}, {shares[1]:g}"
        )
        hints = {
            "that is β_t, which is best where all spreads are 1": beta,
            "that is β̃_t: x_0 is not known": kept * beta,
            "that leaves out β̃_t": (sigma2 - kept * beta).mean(),
            "that is the geometric mean: set the slope by τ² to zero": sigma2.log().mean().exp(),
            "that is the harmonic mean, which is best for KL(p ‖ q): (15.13) has q first": 1
            / (1 / sigma2).mean(),
            "that is the mean standard deviation, squared": sigma2.sqrt().mean() ** 2,
            "that is a standard deviation": want.sqrt(),
            "that is the sum: the slope has D in it": sigma2.sum(),
            "a_t is squared": (kept * beta + a * error).mean(),
            "the error of the best denoiser is smaller than s²": (kept * beta + a**2 * s**2).mean(),
            "average the variances of the steps, not s²: (15.11) is no line in s²": (
                kept * beta + a**2 * _error(s.square().mean(), now)
            ),
            "average the variances of the steps, not the spreads": (
                kept * beta + a**2 * _error(s.mean() ** 2, now)
            ),
            "s is a standard deviation: (15.11) has its square": (
                kept * beta + a**2 * _error(s, now).mean()
            ),
            "the denoiser sees x_t: the error has ᾱ_t in it, not ᾱ_{t-1}": (
                (kept * beta + a**2 * _error(s**2, before)).mean()
            ),
        }
        close(got[0], want, f"the variance ({said})", hints=hints, rtol=1e-5)
        nats = 0.5 * (want / sigma2).log().sum()
        ratio = sigma2 / beta
        more = {
            "the half is missing": 2 * nats,
            "half of it is missing: the logarithm is one of variances, not of spreads": nats / 2,
            "the sign: a divergence is not negative": -nats,
            "that is what β_t loses": 0.5 * (ratio - 1 - ratio.log()).sum(),
            "that is the mean over the numbers: a divergence adds them": nats / len(s),
            "those are bits: use the natural logarithm": nats / LOG_2,
            "that is KL(p ‖ q): (15.13) has q first": (
                0.5 * (want / sigma2 - 1 - (want / sigma2).log()).sum()
            ),
        }
        close(got[1], nats, f"the nats ({said})", hints=more, rtol=1e-5, atol=1e-9)
    return "It is zero only if all numbers have one spread."
