"""How good is a model: its likelihood, by importance sampling and annealing; its active units.

Written once, for every model that offers what :class:`vae_lib.models.Latent` lists; on any device;
in bounded memory, since the work goes in pieces. Introduced in chapters 11 and 12.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lib.bounds import log_joint, log_weights, noise
from vae_lib.data import check_images
from vae_lib.distributions import standard_normal, standard_normal_log_prob
from vae_lib.models import Autoencoder, Latent


class Estimate(NamedTuple):
    """log p̂(x) for each example, with what its K weights say of it; each [B], float64, on the CPU.

    ``standard_error`` is that of log p̂(x), in nats, by the delta method: the relative standard
    error of the average weight. ``effective`` = (Σ w)² / Σ w², between 1 and K: where it is small,
    a few weights decide, and the error itself is not to be trusted.
    """

    log_px: Tensor
    standard_error: Tensor
    effective: Tensor


class Activity(NamedTuple):
    """``variance`` [D] of E_q[z_j|x] over the examples; ``active`` [D], where it is above 0.01."""

    variance: Tensor
    active: Tensor


@torch.no_grad()
def log_likelihood(
    model: Latent, x: Tensor, generator: torch.Generator, samples: int = 1000, chunk: int = 10_000
) -> Estimate:
    """log p(x) by importance sampling, log (1 / K) Σ_k w_k with z_k ~ q(z|x): x [B, P].

    In expectation below log p(x), by about half the squared standard error while that is small.

    Args:
        x: examples on the model's device.
        generator: lives on that device too.
        samples: K, for each example.
        chunk: pairs of an example and a sample that are worked on at once.

    Raises:
        ValueError: for no examples, images that are none, or fewer than 2 samples.
    """
    _check(model, x, samples)
    return _join(
        _reduce(_weights(model, part, generator, samples, max(1, chunk // len(part))))
        for part in torch.split(x, max(1, min(100, chunk)))
    )


def _weights(
    model: Latent, x: Tensor, generator: torch.Generator, samples: int, piece: int
) -> Tensor:
    """log w of all samples, [K, B] in float64 on the CPU, ``piece`` samples at a time."""
    pieces = []
    for start in range(0, samples, piece):
        eps = noise(model, x, generator, min(piece, samples - start))
        pieces.append(log_weights(model, x, eps).cpu().double())
    return torch.cat(pieces)


def ais(
    model: Latent,
    x: Tensor,
    generator: torch.Generator,
    steps: int = 500,
    chains: int = 16,
    chunk: int = 5_000,
) -> Estimate:
    """log p(x) by annealed importance sampling, from N(0, I) to the posterior: x [B, P].

    Each chain begins at z ~ N(0, I) and passes ``steps`` densities
    f_t(z) = N(z; 0, I)^(1 - t) p(x, z)^t with t from 0 to 1; its weight gains f_t / f_s before
    each move, a Hamiltonian trajectory of ten leapfrog steps that leaves f_t as it is. Where the
    prior is N(0, I) this is annealing from the prior. No q is used, so a bad one does no harm
    (Neal, 2001; Wu et al., 2017). Each chain's step size follows its own acceptances, which keeps
    to the theory only as the steps become many. Introduced in chapter 11.

    Args and errors are those of :func:`log_likelihood`, with ``chains`` for samples and at least
    2 ``steps``; the cost is about ``11 * steps * chains`` likelihoods and their gradients.
    """
    _check(model, x, chains)
    if steps < 2:
        raise ValueError(f"steps is {steps}: annealing takes at least 2")
    parts = torch.split(x, max(1, chunk // chains))
    return _join(_reduce(_anneal(model, part, generator, steps, chains)) for part in parts)


def _anneal(
    model: Latent, x: Tensor, generator: torch.Generator, steps: int, chains: int
) -> Tensor:
    """log w of every chain: [chains, B], float64, on the CPU."""
    z = noise(model, x, generator, chains)
    log_w, reach = torch.zeros_like(z[..., 0]), torch.full_like(z[..., :1], 0.1)
    # Closer together at both ends, where the densities change fastest (Wu et al., 2017).
    bend = [1 / (1 + math.exp(4 - 8 * k / steps)) for k in range(steps + 1)]
    times = [(b - bend[0]) / (bend[-1] - bend[0]) for b in bend]

    def log_f(t: float, z: Tensor) -> Tensor:
        start = standard_normal_log_prob(z)
        return start + t * (log_joint(model, x, z) - start)

    for before, t in pairwise(times):
        with torch.no_grad():
            log_w += log_f(t, z) - log_f(before, z)
        z, accepted = _hmc(partial(log_f, t), z, reach, generator)
        reach = (reach * torch.where(accepted, 1.02, 0.96)).clamp(1e-4, 1.0)  # about 2 in 3
    return log_w.cpu().double()


def _hmc(
    log_f: Callable[[Tensor], Tensor], z: Tensor, reach: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """One Hamiltonian trajectory for each chain: the new z [..., D], and whether it moved [..., 1].

    ``reach`` [..., 1] is the step size, drawn up to a fifth longer or shorter: trajectories of one
    length could come back to where they began.
    """
    start = momentum = standard_normal(z.shape, generator, z.dtype)
    stretch = torch.rand(reach.shape, generator=generator, device=z.device, dtype=z.dtype)
    step = reach * (0.8 + 0.4 * stretch)
    moved, (value, slope) = z, _value_and_slope(log_f, z)
    first = value
    momentum = momentum + 0.5 * step * slope
    for leap in range(10):
        moved = moved + step * momentum
        value, slope = _value_and_slope(log_f, moved)
        momentum = momentum + (0.5 if leap == 9 else 1.0) * step * slope
    gain = value - first + 0.5 * (start**2 - momentum**2).sum(-1)
    draw = torch.rand(gain.shape, generator=generator, device=z.device, dtype=z.dtype)
    accepted = (draw.log() < gain)[..., None]  # false where the gain is NaN
    return torch.where(accepted, moved, z), accepted


def _value_and_slope(log_f: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        value = log_f(z)
        (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), slope


@torch.no_grad()
def active_units(
    model: Latent,
    x: Tensor,
    generator: torch.Generator,
    samples: int = 100,
    threshold: float = 0.01,
    chunk: int = 10_000,
) -> Activity:
    """Which latent dimensions x moves: the variance over examples of E_q[z_j|x] > ``threshold``.

    After Burda et al. (2016). Any q will do: two independent halves of the samples give two
    means for each example, and the covariance of the two estimates the variance of the exact
    mean without bias. Introduced in chapter 12.

    Args and errors are those of :func:`log_likelihood`; at least 2 examples.
    """
    _check(model, x, samples)
    if len(x) < 2:
        raise ValueError("x is one example: a variance over examples takes at least 2")
    half, halves = samples // 2, []  # of the samples; the two means of each example
    for part in torch.split(x, max(1, chunk // samples)):
        z = model.posterior(part).sample(noise(model, part, generator, 2 * half))
        halves.append(z.reshape(2, half, len(part), model.latent).cpu().double().mean(1))
    first, second = torch.cat(halves, 1)
    variance = ((first - first.mean(0)) * (second - second.mean(0))).sum(0) / (len(x) - 1)
    return Activity(variance, variance > threshold)


def _check(model: Latent, x: Tensor, samples: int) -> None:
    if isinstance(model, Autoencoder):
        check_images(x, "x", bounded=model.bounded)
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"x has shape {list(x.shape)}, not [B, P] with B > 0")
    if samples < 2:
        raise ValueError(f"samples is {samples}: a standard error takes at least 2")


def _reduce(log_w: Tensor) -> Estimate:
    """The estimate from log weights [K, B]."""
    count, total = len(log_w), torch.logsumexp(log_w, 0)
    effective = (2 * total - torch.logsumexp(2 * log_w, 0)).exp()
    error = (1 / effective - 1 / count).clamp(min=0).sqrt()
    return Estimate(total - math.log(count), error, effective)


def _join(parts: Iterator[Estimate]) -> Estimate:
    return Estimate(*(torch.cat(column) for column in zip(*parts, strict=True)))
