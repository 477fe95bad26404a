"""How good is a model: its likelihood, by importance sampling and by annealing; what its bound
loses, and where; its active units.

Written once, for every model that offers what :class:`vae_lib.models.Latent` lists; on any device;
in bounded memory, since the work goes in pieces. Introduced in chapters 11 and 12.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lib.bounds import log_joint, log_weights, noise, path_derivative
from vae_lib.data import check_images
from vae_lib.distributions import DiagonalGaussian, standard_normal, standard_normal_log_prob
from vae_lib.models import Autoencoder, Latent, LatentVariableModel
from vae_lib.training import progress_bar


class Estimate(NamedTuple):
    """log p̂(x) for each example, with what its K weights say of it; each [B], float64, on the CPU.

    ``standard_error`` is that of log p̂(x), in nats, by the delta method: the relative standard
    error of the average weight. ``effective`` = (Σ w)² / Σ w², between 1 and K: where it is small,
    a few weights decide, and the error itself is not to be trusted.
    """

    log_px: Tensor
    standard_error: Tensor
    effective: Tensor


class Sandwich(NamedTuple):
    """log p(x) from below and from above, in expectation; see :func:`bdmc`."""

    lower: Estimate
    upper: Estimate


class Gaps(NamedTuple):
    """What a bound loses on each example, in nats: log p(x) = elbo + amortisation + approximation.

    ``elbo`` [B] is that of q(z|x), ``best`` [B] that of the best diagonal Gaussian found for the
    example, both by the same draws; ``log_px`` is an :class:`Estimate`, by importance sampling
    from that Gaussian. Where few of its samples are effective, put a better one in its place:
    ``gaps(…)._replace(log_px=ais(…))``.
    """

    elbo: Tensor
    best: Tensor
    log_px: Estimate

    @property
    def amortisation(self) -> Tensor:
        """best - elbo [B]: what the recognition network loses against a q fitted to x alone."""
        return self.best - self.elbo

    @property
    def approximation(self) -> Tensor:
        """log p(x) - best [B]: what is lost since the posterior is no diagonal Gaussian."""
        return self.log_px.log_px - self.best


class Activity(NamedTuple):
    """``variance`` [D] of E_q[z_j|x] over the examples; ``active`` [D], where it is above 0.01."""

    variance: Tensor
    active: Tensor


@torch.no_grad()
def log_likelihood(
    model: Latent,
    x: Tensor,
    generator: torch.Generator,
    samples: int = 1000,
    chunk: int = 1000,
    progress: bool = False,
) -> Estimate:
    """log p(x) by importance sampling, log (1 / K) Σ_k w_k with z_k ~ q(z|x): x [B, P].

    In expectation below log p(x), by about half the squared standard error while that is small.

    Args:
        x: examples on the model's device.
        generator: lives on that device too.
        samples: K, for each example.
        chunk: pairs of an example and a sample that are worked on at once: 1,000 images of 784
            pixels stay in a processor's cache; raise it on a GPU.
        progress: show a bar that counts examples.

    Raises:
        ValueError: for no examples, images that are none, or fewer than 2 samples.

    Example:
        >>> from vae_lib import bounds, checkpoints, data
        >>> model = checkpoints.load_shipped("vae-2d")
        >>> g = torch.Generator().manual_seed(0)
        >>> x = data.binarise(data.load_digits("heldout").images[:20], g)
        >>> bound = bounds.elbo(model, x, bounds.noise(model, x, g, 100)).elbo.mean()
        >>> bool(log_likelihood(model, x, g, samples=500).log_px.mean() > bound + 1)  # nats
        True
    """
    _check(model, x, samples)
    return _join(
        _reduce(_weights(model, part, generator, samples, max(1, chunk // len(part))))
        for part in _parts(x, min(100, chunk), progress)
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


def bits_per_dimension(log_px: Tensor, dimensions: int, levels: int | None = None) -> Tensor:
    """-log p(x) in bits for each pixel: -log p(x) / (P log 2): [...] -> [...].

    For a density of values that were integers 0 to ``levels`` - 1, had uniform noise added and
    were scaled to [0, 1], log2(levels) more: then it bounds the bits for the integers from above
    (Theis et al., 2016). Black-and-white pixels are counted, not measured: no ``levels`` there.
    Introduced in chapter 11.

    Raises:
        ValueError: for fewer than 1 of ``dimensions``, or fewer than 2 ``levels``.

    Example:
        784 fair coins, 784 log 2 = 543.4 nats, are a bit for each pixel:

        >>> bits_per_dimension(torch.tensor([-784 * math.log(2)]), 784)
        tensor([1.])
    """
    if dimensions < 1:
        raise ValueError(f"dimensions is {dimensions}: give the number of pixels, at least 1")
    if levels is not None and levels < 2:
        raise ValueError(f"levels is {levels}: a byte has 256; None is for pixels that are 0 or 1")
    bits = -log_px / (dimensions * math.log(2))
    return bits if levels is None else bits + math.log2(levels)


# ---- annealing ----------------------------------------------------------------------------------


def ais(
    model: Latent,
    x: Tensor,
    generator: torch.Generator,
    steps: int = 500,
    chains: int = 16,
    chunk: int = 5_000,
    progress: bool = False,
) -> Estimate:
    """log p(x) by annealed importance sampling, from N(0, I) to the posterior: x [B, P].

    Each chain begins at z ~ N(0, I) and passes ``steps`` densities
    f_t(z) = N(z; 0, I)^(1 - t) p(x, z)^t with t from 0 to 1; its weight gains f_t / f_s before
    each move, a Hamiltonian trajectory of ten leapfrog steps that leaves f_t as it is. Where the
    prior is N(0, I) this is annealing from the prior. No q is used, so a bad one does no harm
    (Neal, 2001; Wu et al., 2017). Step sizes are found by four chains of their own, which follow
    their acceptances and are then thrown away: so the weights are unbiased for p(x). Introduced
    in chapter 11.

    Args and errors are those of :func:`log_likelihood`, with ``chains`` for samples and at least
    2 ``steps``; the cost is about ``11 * steps * (chains + 4)`` likelihoods and their gradients.
    """
    _check_chains(model, x, chains, steps)
    parts = _parts(x, chunk // max(chains, PILOTS), progress)
    return _join(_reduce(_anneal(model, part, generator, steps, chains)) for part in parts)


def bdmc(
    model: Latent,
    x: Tensor,
    z: Tensor,
    generator: torch.Generator,
    steps: int = 500,
    chains: int = 16,
    chunk: int = 5_000,
    progress: bool = False,
) -> Sandwich:
    """log p(x) from below by :func:`ais` and from above by its reverse, for simulated x.

    ``z`` [B, D] must be exact draws from p(z|x): draw z from the prior, then ``x`` from p(x|z).
    The reverse chains start there and lead to N(0, I); their weights average to 1 / p(x), so
    -log of the average lies above log p(x) in expectation, as log of the forward average lies
    below (bidirectional Monte Carlo; Grosse et al., 2015). The reverse chains of one x share
    their start, so their standard error is too small: average over many x. Introduced in
    chapter 11.

    Args and errors are those of :func:`ais`; also ValueError for z of another shape.
    """
    _check_chains(model, x, chains, steps)
    if z.shape != (len(x), model.latent):
        raise ValueError(
            f"z has shape {list(z.shape)}, not {[len(x), model.latent]}: it is the one each x "
            "was drawn from"
        )
    size, lower, upper = chunk // max(chains, PILOTS), [], []
    starts = iter(torch.split(z, max(1, size)))
    for part in _parts(x, size, progress):
        reach = _step_sizes(model, part, generator, steps)
        lower.append(_reduce(_anneal(model, part, generator, steps, chains, reach=reach)))
        start = next(starts).expand(chains, -1, -1)
        back = _reduce(-_anneal(model, part, generator, steps, chains, start, reach))
        upper.append(back._replace(log_px=-back.log_px))
    return Sandwich(_join(iter(lower)), _join(iter(upper)))


PILOTS = 4  # chains that find the step sizes


def _times(steps: int) -> list[float]:
    """t from 0 to 1, closer together at both ends, where the densities change fastest.

    A stretched sigmoid (Wu et al., 2017).
    """
    bend = [1 / (1 + math.exp(4 - 8 * k / steps)) for k in range(steps + 1)]
    return [(b - bend[0]) / (bend[-1] - bend[0]) for b in bend]


def _bridge(model: Latent, x: Tensor, t: float) -> Callable[[Tensor], Tensor]:
    """log f_t(z) = (1 - t) log N(z; 0, I) + t log p(x, z): [..., B, D] -> [..., B]."""

    def log_f(z: Tensor) -> Tensor:
        start = standard_normal_log_prob(z)
        return start + t * (log_joint(model, x, z) - start)

    return log_f


def _step_sizes(model: Latent, x: Tensor, generator: torch.Generator, steps: int) -> list[Tensor]:
    """For each move a step size [B, 1] that about two in three trajectories survive."""
    z, sizes = noise(model, x, generator, PILOTS), []
    reach = torch.full_like(z[..., :1], 0.1)
    for t in _times(steps)[1:]:
        z, accepted = _hmc(_bridge(model, x, t), z, reach, generator)
        sizes.append(reach.log().mean(0).exp())
        reach = (reach * torch.where(accepted, 1.02, 0.96)).clamp(1e-4, 1.0)
    return sizes


def _anneal(
    model: Latent,
    x: Tensor,
    generator: torch.Generator,
    steps: int,
    chains: int,
    start: Tensor | None = None,
    reach: list[Tensor] | None = None,
) -> Tensor:
    """Σ_k log f_k(z) - log f_(k-1)(z) along each chain, [chains, B] in float64 on the CPU.

    From N(0, I) forward; or, given a ``start`` [chains, B, D] from the posterior, the same steps
    in the opposite order.
    """
    sizes = _step_sizes(model, x, generator, steps) if reach is None else reach
    z = noise(model, x, generator, chains) if start is None else start.to(sizes[0].dtype)
    times, log_w = _times(steps), torch.zeros_like(z[..., 0])
    for k in range(1, steps + 1) if start is None else range(steps, 0, -1):
        log_f, move = _bridge(model, x, times[k]), sizes[k - 1].expand(chains, -1, -1)
        if start is not None:
            z, _ = _hmc(log_f, z, move, generator)
        with torch.no_grad():
            log_w += log_f(z) - _bridge(model, x, times[k - 1])(z)
        if start is None and k < steps:
            z, _ = _hmc(log_f, z, move, generator)
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


# ---- what the bound loses -----------------------------------------------------------------------


def gaps(
    model: Latent,
    x: Tensor,
    generator: torch.Generator,
    steps: int = 300,
    draws: int = 8,
    samples: int = 1000,
    chunk: int = 10_000,
    progress: bool = False,
) -> Gaps:
    """Split log p(x) - ELBO by fitting a diagonal Gaussian to each example: x [B, P].

    The fit ascends the ELBO of each example by Adam, ``steps`` steps of ``draws`` samples, from
    two starts: q(z|x) and the moments of its weighted samples. The highest ELBO counts, q's own
    among them, by ``samples`` common draws. Amortisation and approximation gap are those of
    Cremer et al. (2018). A fit that ends short of the best Gaussian makes the first too small and
    the second too large. Introduced in chapter 11.

    Args and errors are those of :func:`log_likelihood`; also TypeError for a model whose q(z|x) is
    no diagonal Gaussian.
    """
    _check(model, x, samples)
    if not isinstance(model.posterior(x[:1]), DiagonalGaussian):
        raise TypeError("q(z|x) is no DiagonalGaussian, so the best of these is not its best form")
    size = min(100, max(1, chunk // (2 * draws)))
    rows = [
        _gaps(model, part, generator, steps, draws, samples, chunk)
        for part in _parts(x, size, progress)
    ]
    elbo, best, log_px = zip(*rows, strict=True)
    return Gaps(torch.cat(elbo), torch.cat(best), _join(iter(log_px)))


def _gaps(
    model: Latent,
    x: Tensor,
    generator: torch.Generator,
    steps: int,
    draws: int,
    samples: int,
    chunk: int,
) -> Gaps:
    with torch.no_grad():
        q = model.posterior(x)
        assert isinstance(q, DiagonalGaussian)  # gaps() has looked
        own = torch.cat([q.mu, q.logvar], -1)  # [B, 2 D]
        starts = torch.stack([own, _moments(model, x, generator, own)])
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    fitted = _climb(model, x, starts, generator, steps, draws)
    table = []  # log w of q itself and of the two fits, by the same draws
    for parameters in (own, *fitted):
        common = torch.Generator(generator.device).manual_seed(seed)
        with torch.no_grad():
            free = _with_q(model, parameters)
            table.append(_weights(free, x, common, samples, max(1, chunk // len(x))))
    elbos = torch.stack([log_w.mean(0) for log_w in table])  # [3, B]
    best = elbos.argmax(0)
    log_w = torch.stack(table)[best, :, torch.arange(len(x))].T  # [K, B]
    return Gaps(elbos[0], elbos.amax(0), _reduce(log_w))


def _with_q(model: Latent, parameters: Tensor) -> LatentVariableModel:
    """The model with N(μ, diag σ²) for q, whose μ and log σ² are ``parameters`` [..., B, 2 D]."""
    q = DiagonalGaussian(*parameters.chunk(2, -1))
    return LatentVariableModel(model.latent, model.log_prior, model.log_likelihood, lambda x: q)


def _moments(model: Latent, x: Tensor, generator: torch.Generator, own: Tensor) -> Tensor:
    """Mean and log-variance of the posterior by weighted samples of q: [B, 2 D].

    A few weights may hold everything, so no variance falls below a quarter of q's.
    """
    eps = noise(model, x, generator, 50)
    z = DiagonalGaussian(*own.chunk(2, -1)).sample(eps)
    share = log_weights(_with_q(model, own), x, eps).softmax(0)[..., None]
    mu = (share * z).sum(0)
    variance = (share * (z - mu) ** 2).sum(0)
    floor = own.chunk(2, -1)[1] - 2 * math.log(2)
    return torch.cat([mu, torch.maximum(variance.log(), floor)], -1)


def _climb(
    model: Latent,
    x: Tensor,
    starts: Tensor,
    generator: torch.Generator,
    steps: int,
    draws: int,
) -> Tensor:
    """Ascend the ELBO of each example from each start: [S, B, 2 D] -> the same shape.

    The starts stand side by side as further samples; the step size falls to 0, and the gradient
    is the path derivative, whose noise fades where q nears the posterior (chapter 9).
    """
    free = starts.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([free], lr=0.03)
    slower = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=max(1, steps))
    for _ in range(steps):
        eps = noise(model, x, generator, draws * len(starts))
        wide = free.repeat(draws, 1, 1)  # [draws S, B, 2 D]
        with torch.enable_grad():
            climb = path_derivative(_with_q(model, wide), x, eps).sum() / draws
        (free.grad,) = torch.autograd.grad(-climb, free)
        optimiser.step()
        slower.step()
    return free.detach()


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

    Example:
        >>> from vae_lib import checkpoints, data
        >>> model, g = checkpoints.load_shipped("vae-2d"), torch.Generator().manual_seed(0)
        >>> x = data.binarise(data.load_digits("heldout").images[::10], g)
        >>> active_units(model, x, g).active
        tensor([True, True])
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


def _parts(x: Tensor, size: int, progress: bool) -> Iterator[Tensor]:
    """``size`` examples at a time, and a bar that counts them."""
    with progress_bar(len(x), "example", progress) as bar:
        for part in torch.split(x, max(1, size)):
            yield part
            bar.update(len(part))


def _check_chains(model: Latent, x: Tensor, chains: int, steps: int) -> None:
    _check(model, x, chains)
    if steps < 2:
        raise ValueError(f"steps is {steps}: annealing takes at least 2")


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
