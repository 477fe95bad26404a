"""Diffusion as a deep hierarchical VAE: T layers, an encoder that is fixed, one denoiser.

Times run from 0 (data) to T (noise). ᾱ_t is the share of the data's variance that is left at t.
Ho et al. (2020); introduced in chapter 15.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lib.distributions import (
    _tensors,
    gaussian_log_prob,
    standard_normal,
    standard_normal_log_prob,
    wide,
)
from vae_lib.models import _size, from_seed, mlp

Denoise = Callable[[Tensor, Tensor], Tensor]  # (x_t [..., D], t [...]) -> the noise in it [..., D]


def cosine_schedule(steps: int) -> Tensor:
    """ᾱ_0 = 1, …, ᾱ_T ≈ 0: cos² of an angle that runs to a right angle, [T + 1] float64.

    Nichol and Dhariwal (2021), equation 17, with their offset of 0.008 and each β_t at most 0.999.

    Raises:
        ValueError: for fewer than 2 steps.
        TypeError: for steps that are no whole number.

    Example:
        >>> [round(float(share), 2) for share in cosine_schedule(4)]
        [1.0, 0.85, 0.49, 0.14, 0.0]
    """
    t = torch.arange(_size("steps", steps, least=2) + 1, dtype=torch.float64) / steps
    shape = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    beta = (1 - shape[1:] / shape[:-1]).clamp(max=0.999)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])


def log_snr_schedule(steps: int, first: float = 7.0, last: float = -5.0) -> Tensor:
    """ᾱ_0 = 1, and ᾱ_t = sigmoid(λ_t) with λ_t falling evenly from ``first``: [T + 1] float64.

    λ = log ᾱ / (1 - ᾱ) is the logarithm of signal to noise (Kingma et al., 2021). The defaults
    leave 0.09 % of noise after the first step and 0.7 % of the data's variance after the last.

    Raises:
        ValueError: for fewer than 2 steps, or a λ that does not fall or leaves 36 to -87.
        TypeError: for steps that are no whole number.

    Example:
        >>> [round(float(share), 3) for share in log_snr_schedule(4)]
        [1.0, 0.999, 0.953, 0.269, 0.007]
    """
    if not first > last:
        raise ValueError(f"log SNR goes from {first} to {last}: it must fall")
    if first > 36 or last < -87:
        raise ValueError(
            f"log SNR goes from {first} to {last}: beyond 36 an ᾱ is 1 in float64, beyond -87 it "
            "is 0 in float32; stay between"
        )
    ratio = torch.linspace(first, last, _size("steps", steps, least=2), dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), ratio.sigmoid()])


class Diffusion(nn.Module):
    """q(x_t|x_{t-1}) = N(√(1 - β_t) x_{t-1}, β_t I), and p(x_{t-1}|x_t) from a denoiser.

    β_t = 1 - ᾱ_t / ᾱ_{t-1}. p(x_{t-1}|x_t) is q(x_{t-1}|x_t, x_0) with the denoiser's guess in
    the place of x_0, and with the variance β_t, which is the best one for data from N(0, I).

    It offers what :class:`vae_lib.models.Latent` lists, with z = (x_1, …, x_T) side by side, so
    that every bound of the book reads off it; ``bound_terms`` has the same bound with exact KLs.

    A t out of its range is not noticed: a look at its numbers would make a GPU wait.

    Args:
        denoise: (x_t [..., D], t [...]) -> an estimate of the noise ε in x_t, [..., D]; a module
            or a function.
        size: D, how many numbers an example has.
        alpha_bar: [T + 1], such as a schedule above gives; in float64 it keeps more digits.

    Raises:
        ValueError: for an ``alpha_bar`` that does not fall from 1 to above 0, or a
            :class:`Denoiser` of another size or schedule. All that takes x, ε or z raises it for
            a wrong shape.
        TypeError: for an ``alpha_bar`` that is no tensor, or a size that is no whole number.

    Example:
        >>> shares = cosine_schedule(10)
        >>> model = Diffusion(Denoiser(2, shares, width=16), 2, shares)
        >>> model.sample(5, torch.Generator().manual_seed(0)).shape  # t = 0 first
        torch.Size([11, 5, 2])
    """

    bounded = False  # x may be any real numbers

    def __init__(self, denoise: Denoise, size: int, alpha_bar: Tensor):
        super().__init__()
        share = _schedule(alpha_bar)
        self.size, self.steps = _size("size", size), len(share) - 1
        self.columns, self.latent = size, size * self.steps
        _check_denoiser(denoise, size, share)
        self.denoise = denoise
        for name, table in _tables(share).items():
            self.register_buffer(name, table.float().to(alpha_bar.device), persistent=False)

    def add_noise(self, x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t = √ᾱ_t x + √(1 - ᾱ_t) ε: all of q(x_t|x_0) in one step; t [...] in 0 … T."""
        _check_last(self.size, x=x, eps=eps)
        share, left = self._at(t, "alpha_bar", "left")
        return share.sqrt() * x + left.sqrt() * eps

    def clean(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x̂_0 = (x_t - √(1 - ᾱ_t) ε̂) / √ᾱ_t, what the denoiser takes the data for: [..., D]."""
        _check_last(self.size, x_t=x_t)
        share, left = self._at(t, "alpha_bar", "left")
        return (x_t - left.sqrt() * self.denoise(x_t, t)) / share.sqrt()

    def backward_mean(self, x_t: Tensor, x_0: Tensor, t: Tensor) -> Tensor:
        """The mean of q(x_{t-1}|x_t, x_0), t in 1 … T; with x̂_0 it is that of p(x_{t-1}|x_t)."""
        _check_last(self.size, x_t=x_t, x_0=x_0)
        a, b = self._at(t - 1, "of_x0", "of_xt")
        return a * x_0 + b * x_t

    def bound_terms(self, x: Tensor, eps: Tensor) -> Tensor:
        """The negative bound, term by term: x [B, D] and eps [T, B, D] -> [T + 1, B], nats.

        Row 0 is -log p(x_0|x_1); row t - 1 is KL(q(x_{t-1}|x_t, x_0) ‖ p(x_{t-1}|x_t)) for
        t = 2 … T; the last is KL(q(x_T|x_0) ‖ N(0, I)). Each x_t is drawn by itself, so the terms
        are unbiased and their sum is too. Ho et al. (2020), equation 5. An error of x̂_0 is
        counted as one of ε̂, √(ᾱ_t / (1 - ᾱ_t)) times as large, which loses no digits near t = 0.

        Raises:
            ValueError: for an x or an ε of another shape.
        """
        _check_last(self.size, x=x, eps=eps)
        if x.ndim != 2 or eps.shape != (self.steps, *x.shape):
            raise ValueError(
                f"x has shape {list(x.shape)} and eps {list(eps.shape)}: they must be [B, D] and "
                f"[T, B, D], here with T = {self.steps} and D = {self.size}"
            )
        t = torch.arange(1, self.steps + 1, device=x.device)[:, None].expand(eps.shape[:2])
        error = wide(eps - self.denoise(self.add_noise(x, t, eps), t)).square().sum(-1)
        weight, widths = (self.get_buffer(name)[:, None] for name in ("weight", "widths"))
        steps = 0.5 * (weight * error + self.size * widths)
        share, left = (self.get_buffer(name)[-1] for name in ("alpha_bar", "left"))
        last = 0.5 * (share * (x.square() - 1) - left.log()).sum(-1)
        return torch.cat([steps, last[None]])

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(x_T) + Σ_{t>=2} log p(x_{t-1}|x_t): [..., T D] -> [...], nats."""
        x_t = _layers(z, self.steps, self.size)
        t = torch.arange(2, self.steps + 1, device=z.device)
        t = t.expand(*z.shape[:-1], len(t))
        steps = self._log_p(x_t[..., :-1, :], x_t[..., 1:, :], t)
        return standard_normal_log_prob(x_t[..., -1, :]) + steps.sum(-1)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x_0|x_1): x [B, D], z [..., B, T D] -> [..., B], nats."""
        _check_last(self.size, x=x)
        first = _layers(z, self.steps, self.size)[..., 0, :]
        return self._log_p(x, first, torch.ones(first.shape[:-1], dtype=torch.long).to(x.device))

    def posterior(self, x: Tensor) -> "Noising":
        """q(x_1, …, x_T|x_0): the fixed encoder."""
        _check_last(self.size, x=x)
        return Noising(x, self.get_buffer("beta"))

    def step(self, x_t: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_{t-1} ~ p(x_{t-1}|x_t), t in 1 … T; at t = 1 the mean alone, with no noise on it.

        Raises:
            ValueError: for an x_t or an ε whose last dimension is not D.
        """
        _check_last(self.size, x_t=x_t, eps=eps)
        mean = self.backward_mean(x_t, self.clean(x_t, t), t)
        scale = self.get_buffer("beta")[t - 1].sqrt() * (t > 1)
        return mean + scale[..., None] * eps

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Ancestral sampling from x_T ~ N(0, I): the whole path, [T + 1, count, D], data first.

        In the model's dtype, on its device, where ``generator`` lives.
        """
        shape, dtype = (count, self.size), self.get_buffer("beta").dtype
        path = [standard_normal(shape, generator, dtype)]
        for t in range(self.steps, 0, -1):
            eps = standard_normal(shape, generator, dtype)
            at = torch.full((count,), t, device=eps.device)
            path.append(self.step(path[-1], at, eps))
        return torch.stack(path[::-1])

    def _at(self, t: Tensor, *names: str) -> list[Tensor]:
        return [self.get_buffer(name)[t][..., None] for name in names]

    def _log_p(self, before: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        mean = self.backward_mean(x_t, self.clean(x_t, t), t)
        logvar = self.get_buffer("beta")[t - 1].log()[..., None]
        return gaussian_log_prob(before, mean, logvar.expand(mean.shape))


class Noising(NamedTuple):
    """q(x_1, …, x_T|x_0), a chain of Gaussians that learns nothing.

    Raises:
        ValueError: in its methods, for an ε or a z whose last dimension is not T D.
    """

    x: Tensor
    beta: Tensor
    kl: None = None

    def sample(self, eps: Tensor) -> Tensor:
        """The chain from noise: [..., B, T D] -> the same shape."""
        before, chain = self.x, []
        noises = _layers(eps, len(self.beta), self.x.shape[-1]).unbind(-2)
        for noise, beta in zip(noises, self.beta, strict=True):
            before = (1 - beta).sqrt() * before + beta.sqrt() * noise
            chain.append(before)
        return torch.cat(chain, -1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Σ_t log q(x_t|x_{t-1}): [..., B, T D] -> [..., B], nats; B may be 1 in z."""
        x_t = _layers(z, len(self.beta), self.x.shape[-1])
        keep, logvar = (1 - self.beta).sqrt()[:, None], self.beta.log()[:, None]
        logvar = logvar.expand(-1, self.x.shape[-1])
        first = gaussian_log_prob(x_t[..., 0, :], keep[0] * self.x, logvar[0])
        rest = gaussian_log_prob(x_t[..., 1:, :], keep[1:] * x_t[..., :-1, :], logvar[1:])
        return first + rest.sum(-1)


class Denoiser(nn.Module):
    """A small network for the noise in x_t: ε̂ = √(1 - ᾱ_t) x_t + √ᾱ_t f(x_t, √ᾱ_t, √(1 - ᾱ_t)).

    The first part is the best denoiser of data from N(0, I), so f learns what differs from those.
    Its error is not blown up where x̂_0 divides by a small √ᾱ_t: f estimates
    √ᾱ_t ε - √(1 - ᾱ_t) x_0 (Salimans and Ho, 2022).

    Args:
        size: D. alpha_bar: [T + 1]. width: of three hidden layers. seed: of the first weights.

    Raises:
        ValueError, TypeError: as for :class:`Diffusion`; in use, for an x_t whose last dimension
            is not D.
    """

    def __init__(self, size: int, alpha_bar: Tensor, width: int = 64, seed: int = 0):
        super().__init__()
        share, self.size, width = _schedule(alpha_bar), _size("size", size), _size("width", width)
        for name, table in {"alpha_bar": share, "left": 1 - share}.items():
            self.register_buffer(name, table.float().to(alpha_bar.device), persistent=False)
        self.net = from_seed(lambda: mlp(size + 2, width, width, width, size), seed)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The noise in x_t: [..., D] and t [...] -> [..., D]."""
        _check_last(self.size, x_t=x_t)
        shares = (self.get_buffer(name)[t][..., None] for name in ("alpha_bar", "left"))
        signal, noise = (share.sqrt().to(x_t.dtype) for share in shares)
        times = torch.cat([signal, noise], -1).expand(*x_t.shape[:-1], 2)
        rest: Tensor = self.net(torch.cat([x_t, times], -1))
        return noise * x_t + signal * rest


def gaussian_denoiser(mean: Tensor, variance: Tensor, alpha_bar: Tensor) -> Denoise:
    """The best denoiser of data from N(m, diag v): E[ε|x_t], in closed form.

    ε̂ = √(1 - ᾱ_t) (x_t - √ᾱ_t m) / (ᾱ_t v + 1 - ᾱ_t). Derived in chapter 15.

    Args:
        mean, variance: m and v, [D]. alpha_bar: [T + 1].

    Raises:
        ValueError, TypeError: for an ``alpha_bar`` that :class:`Diffusion` would not take.

    Example:
        Of data from N(0, 1), a share √(1 - ᾱ) of x_t is noise:

        >>> shares = cosine_schedule(4)
        >>> denoise = gaussian_denoiser(torch.zeros(1), torch.ones(1), shares)
        >>> x_t, t = torch.ones(1, 1), torch.tensor([2])
        >>> torch.allclose(denoise(x_t, t), (1 - shares[2]).sqrt().float())
        True
    """
    share = _schedule(alpha_bar)[:, None]
    slopes = (1 - share).sqrt() / (share * variance.cpu().double() + 1 - share)  # [T + 1, D]
    centres = share.sqrt() * mean.cpu().double()

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        slope, centre = (table.to(x_t.dtype).to(x_t.device)[t] for table in (slopes, centres))
        return slope * (x_t - centre)

    return denoise


def noise_terms(model: Diffusion, x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """A loss for :func:`vae_lib.training.fit`: ‖ε - ε̂(x_t, t)‖² at a random t; "loss" [B].

    The bound's terms with all weights set to one (Ho et al., 2020, equation 14), so no nats.

    Raises:
        ValueError: for an x whose last dimension is not D.
        TypeError: if ``generator`` is none, a seed for instance.
    """
    eps = standard_normal(x.shape, generator, x.dtype)
    t = torch.randint(1, model.steps + 1, x.shape[:1], generator=generator, device=x.device)
    error = eps - model.denoise(model.add_noise(x, t, eps), t)
    return {"loss": error.square().sum(-1)}


def _schedule(alpha_bar: Tensor) -> Tensor:
    """``alpha_bar`` in float64, on the CPU: 1 - ᾱ and differences lose digits in float32."""
    _tensors(alpha_bar=alpha_bar)
    if alpha_bar.ndim != 1:
        raise ValueError(f"alpha_bar has shape {list(alpha_bar.shape)}: it must be [T + 1]")
    share = alpha_bar.detach().cpu().double()
    if len(share) < 3 or share[0] != 1 or not bool((share.diff() < 0).all()):
        raise ValueError("alpha_bar must fall from exactly 1, at t = 0, over two steps or more")
    if share[-1] < torch.finfo(torch.float32).tiny:
        raise ValueError(
            f"alpha_bar ends at {share[-1]:.3g}: the formulas divide by it, end above 0, at 1e-37 "
            "or more, which float32 holds"
        )
    return share


def _tables(share: Tensor) -> dict[str, Tensor]:
    """What a diffusion looks up by t: ᾱ and 1 - ᾱ from t = 0 on, the rest from t = 1 on."""
    left, beta, kept = 1 - share, -share.diff() / share[:-1], share[1:] / share[:-1]
    ratio = left[1:-1] / left[2:]  # of the variances of q(x_{t-1}|x_t, x_0) and p, t >= 2
    return {
        "alpha_bar": share,
        "left": left,
        "beta": beta,
        "of_x0": share[:-1].sqrt() * beta / left[1:],
        "of_xt": kept.sqrt() * left[:-1] / left[1:],
        "weight": beta / (left[1:] * kept),  # of_x0² (1 - ᾱ_t) / (ᾱ_t β_t), of the error of ε̂
        "widths": torch.cat([(2 * math.pi * beta[:1]).log(), ratio - 1 - ratio.log()]),
    }


def _check_denoiser(denoise: Denoise, size: int, share: Tensor) -> None:
    """A network that knows its schedule must know this one."""
    if not isinstance(denoise, Denoiser):
        return
    own = denoise.get_buffer("alpha_bar")
    if denoise.size != size:
        raise ValueError(
            f"the denoiser's size is {denoise.size} and the diffusion's {size}: give both the same"
        )
    if not torch.equal(own.cpu(), share.float().to(own.dtype)):
        raise ValueError(
            "the denoiser was made with another alpha_bar: hand the same one to both, "
            "Diffusion(Denoiser(size, alpha_bar), size, alpha_bar)"
        )


def _check_last(size: int, **tensors: Tensor) -> None:
    _tensors(**tensors)
    for name, tensor in tensors.items():
        if tensor.shape[-1:] != (size,):
            raise ValueError(
                f"{name} has shape {list(tensor.shape)}: its last dimension must be {size}"
            )


def _layers(z: Tensor, steps: int, size: int) -> Tensor:
    """(x_1, …, x_T) side by side, [..., T D] -> [..., T, D]."""
    _check_last(steps * size, z=z)
    return z.reshape(*z.shape[:-1], steps, size)
