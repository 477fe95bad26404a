"""Diffusion as a deep hierarchical VAE: T layers, an encoder that is fixed, one denoiser.

Times run from 0 (data) to T (noise). ᾱ_t is the share of the data's variance that is left at t.
Ho et al. (2020); introduced in chapter 15.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lib.distributions import gaussian_log_prob, standard_normal, standard_normal_log_prob
from vae_lib.models import from_seed, mlp

Denoise = Callable[[Tensor, Tensor], Tensor]  # (x_t [..., D], t [...]) -> the noise in it [..., D]


def cosine_schedule(steps: int) -> Tensor:
    """ᾱ_0 = 1, …, ᾱ_T ≈ 0: cos² of an angle that runs to a right angle, [T + 1] float64.

    Nichol and Dhariwal (2021), equation 17, with their offset of 0.008 and each β_t at most 0.999.

    Raises:
        ValueError: for fewer than 2 steps.

    Example:
        >>> [round(float(share), 2) for share in cosine_schedule(4)]
        [1.0, 0.85, 0.49, 0.14, 0.0]
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}: a diffusion takes at least 2")
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    shape = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    beta = (1 - shape[1:] / shape[:-1]).clamp(max=0.999)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])


def log_snr_schedule(steps: int, first: float = 7.0, last: float = -5.0) -> Tensor:
    """ᾱ_0 = 1, and ᾱ_t = sigmoid(λ_t) with λ_t falling evenly from ``first``: [T + 1] float64.

    λ = log ᾱ / (1 - ᾱ) is the logarithm of signal to noise (Kingma et al., 2021). The defaults
    leave 0.09 % of noise after the first step and 0.7 % of the data's variance after the last.

    Raises:
        ValueError: for fewer than 2 steps, or a λ that does not fall.

    Example:
        >>> [round(float(share), 3) for share in log_snr_schedule(4)]
        [1.0, 0.999, 0.953, 0.269, 0.007]
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}: a diffusion takes at least 2")
    if not first > last:
        raise ValueError(f"log SNR goes from {first} to {last}: it must fall")
    ratio = torch.linspace(first, last, steps, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), ratio.sigmoid()])


class Diffusion(nn.Module):
    """q(x_t|x_{t-1}) = N(√(1 - β_t) x_{t-1}, β_t I), and p(x_{t-1}|x_t) from a denoiser.

    β_t = 1 - ᾱ_t / ᾱ_{t-1}. p(x_{t-1}|x_t) is q(x_{t-1}|x_t, x_0) with the denoiser's guess in
    the place of x_0, and with the variance β_t, which is the best one for data from N(0, I).

    It offers what :class:`vae_lib.models.Latent` lists, with z = (x_1, …, x_T) side by side, so
    that every bound of the book reads off it; ``bound_terms`` has the same bound with exact KLs.

    Args:
        denoise: (x_t [..., D], t [...]) -> an estimate of the noise ε in x_t, [..., D]; a module
            or a function.
        size: D, how many numbers an example has.
        alpha_bar: [T + 1], such as a schedule above gives.

    Raises:
        ValueError: for an ``alpha_bar`` that does not fall from 1 to above 0.

    Example:
        >>> shares = cosine_schedule(10)
        >>> model = Diffusion(Denoiser(2, shares, width=16), 2, shares)
        >>> model.sample(5, torch.Generator().manual_seed(0)).shape  # t = 0 first
        torch.Size([11, 5, 2])
    """

    bounded = False  # x may be any real numbers

    def __init__(self, denoise: Denoise, size: int, alpha_bar: Tensor):
        super().__init__()
        if len(alpha_bar) < 3 or alpha_bar[0] != 1 or not bool((alpha_bar.diff() < 0).all()):
            raise ValueError("alpha_bar must fall from exactly 1, at t = 0, over two steps or more")
        if alpha_bar[-1] <= 0:
            raise ValueError("the last alpha_bar is 0: the formulas divide by it, end above 0")
        self.denoise, self.size, self.steps = denoise, size, len(alpha_bar) - 1
        self.columns, self.latent = size, size * self.steps
        self.register_buffer("alpha_bar", alpha_bar.float(), persistent=False)
        # In float64 first: 1 - ᾱ loses digits near t = 0.
        kept, beta = alpha_bar[1:] / alpha_bar[:-1], 1 - alpha_bar[1:] / alpha_bar[:-1]
        left = 1 - alpha_bar
        self.register_buffer("beta", beta.float(), persistent=False)
        narrow = beta[1:] * left[1:-1] / left[2:]  # the variance of q(x_{t-1}|x_t, x_0), t >= 2
        self.register_buffer("narrow", narrow.float(), persistent=False)
        self.register_buffer("of_x0", (alpha_bar[:-1].sqrt() * beta / left[1:]).float(), False)
        self.register_buffer("of_xt", (kept.sqrt() * left[:-1] / left[1:]).float(), False)

    def add_noise(self, x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t = √ᾱ_t x + √(1 - ᾱ_t) ε: all of q(x_t|x_0) in one step; t [...] in 0 … T."""
        share = self.get_buffer("alpha_bar")[t][..., None]
        return share.sqrt() * x + (1 - share).sqrt() * eps

    def clean(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x̂_0 = (x_t - √(1 - ᾱ_t) ε̂) / √ᾱ_t, what the denoiser takes the data for: [..., D]."""
        share = self.get_buffer("alpha_bar")[t][..., None]
        return (x_t - (1 - share).sqrt() * self.denoise(x_t, t)) / share.sqrt()

    def backward_mean(self, x_t: Tensor, x_0: Tensor, t: Tensor) -> Tensor:
        """The mean of q(x_{t-1}|x_t, x_0), t >= 1; with x̂_0 it is that of p(x_{t-1}|x_t)."""
        a, b = (self.get_buffer(name)[t - 1][..., None] for name in ("of_x0", "of_xt"))
        return a * x_0 + b * x_t

    def bound_terms(self, x: Tensor, eps: Tensor) -> Tensor:
        """The negative bound, term by term: x [B, D] and eps [T, B, D] -> [T + 1, B], nats.

        Row 0 is -log p(x_0|x_1); row t - 1 is KL(q(x_{t-1}|x_t, x_0) ‖ p(x_{t-1}|x_t)) for
        t = 2 … T; the last is KL(q(x_T|x_0) ‖ N(0, I)). Each x_t is drawn by itself, so the terms
        are unbiased and their sum is too. Ho et al. (2020), equation 5.
        """
        t = torch.arange(1, self.steps + 1, device=x.device)[:, None].expand(eps.shape[:2])
        x_t = self.add_noise(x, t, eps)
        error = (x - self.clean(x_t, t)).square().sum(-1)
        beta, narrow = self.get_buffer("beta")[1:, None], self.get_buffer("narrow")[:, None]
        apart = self.get_buffer("of_x0")[1:, None].square() * error[1:]  # of the two means
        widths = self.size * (narrow / beta - 1 - (narrow / beta).log())
        kl = 0.5 * (apart / beta + widths)
        first = -self._log_p(x, x_t[0], t[0])
        share = self.get_buffer("alpha_bar")[-1]
        left = 1 - share
        last = 0.5 * (share * x.square() + left - 1 - left.log()).sum(-1)
        return torch.cat([first[None], kl, last[None]])

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(x_T) + Σ_{t>=2} log p(x_{t-1}|x_t): [..., T D] -> [...], nats."""
        x_t = self._layers(z)
        t = torch.arange(2, self.steps + 1, device=z.device)
        t = t.expand(*z.shape[:-1], len(t))
        steps = self._log_p(x_t[..., :-1, :], x_t[..., 1:, :], t)
        return standard_normal_log_prob(x_t[..., -1, :]) + steps.sum(-1)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x_0|x_1): x [B, D], z [..., B, T D] -> [..., B], nats."""
        first = self._layers(z)[..., 0, :]
        return self._log_p(x, first, torch.ones(first.shape[:-1], dtype=torch.long).to(x.device))

    def posterior(self, x: Tensor) -> "Noising":
        """q(x_1, …, x_T|x_0): the fixed encoder."""
        return Noising(x, self.get_buffer("beta"))

    def step(self, x_t: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_{t-1} ~ p(x_{t-1}|x_t); at t = 1 the mean alone, with no noise on the result."""
        mean = self.backward_mean(x_t, self.clean(x_t, t), t)
        scale = self.get_buffer("beta")[t - 1].sqrt() * (t > 1)
        return mean + scale[..., None] * eps

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Ancestral sampling from x_T ~ N(0, I): the whole path, [T + 1, count, D], data first."""
        path = [standard_normal((count, self.size), generator)]
        for t in range(self.steps, 0, -1):
            eps = standard_normal((count, self.size), generator)
            at = torch.full((count,), t, device=eps.device)
            path.append(self.step(path[-1], at, eps))
        return torch.stack(path[::-1])

    def _layers(self, z: Tensor) -> Tensor:
        return z.reshape(*z.shape[:-1], self.steps, self.size)

    def _log_p(self, before: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        mean = self.backward_mean(x_t, self.clean(x_t, t), t)
        logvar = self.get_buffer("beta")[t - 1].log()[..., None]
        return gaussian_log_prob(before, mean, logvar.expand(mean.shape))


class Noising(NamedTuple):
    """q(x_1, …, x_T|x_0), a chain of Gaussians that learns nothing."""

    x: Tensor
    beta: Tensor
    kl: None = None

    def sample(self, eps: Tensor) -> Tensor:
        """The chain from noise: [..., B, T D] -> the same shape."""
        before, layers = self.x, []
        for noise, beta in zip(self._layers(eps), self.beta, strict=True):
            before = (1 - beta).sqrt() * before + beta.sqrt() * noise
            layers.append(before)
        return torch.cat(layers, -1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Σ_t log q(x_t|x_{t-1}): [..., B, T D] -> [..., B], nats."""
        before, total = self.x, torch.zeros(())
        for x_t, beta in zip(self._layers(z), self.beta, strict=True):
            mean = (1 - beta).sqrt() * before
            total = total.to(z) + gaussian_log_prob(
                x_t, mean.expand(x_t.shape), beta.log().expand(x_t.shape)
            )
            before = x_t
        return total

    def _layers(self, z: Tensor) -> tuple[Tensor, ...]:
        """[..., T D] -> T times [..., D]."""
        return z.reshape(*z.shape[:-1], len(self.beta), -1).unbind(-2)


class Denoiser(nn.Module):
    """A small network for the noise in x_t: ε̂ = √(1 - ᾱ_t) x_t + √ᾱ_t f(x_t, √ᾱ_t, √(1 - ᾱ_t)).

    The first part is the best denoiser of data from N(0, I), so f learns what differs from those.
    Its error is not blown up where x̂_0 divides by a small √ᾱ_t: f estimates
    √ᾱ_t ε - √(1 - ᾱ_t) x_0 (Salimans and Ho, 2022).

    Args:
        size: D. alpha_bar: [T + 1]. width: of three hidden layers. seed: of the first weights.
    """

    def __init__(self, size: int, alpha_bar: Tensor, width: int = 64, seed: int = 0):
        super().__init__()
        self.register_buffer("alpha_bar", alpha_bar.float(), persistent=False)
        self.net = from_seed(lambda: mlp(size + 2, width, width, width, size), seed)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The noise in x_t: [..., D] and t [...] -> [..., D]."""
        share = self.get_buffer("alpha_bar")[t][..., None].to(x_t.dtype)
        signal, noise = share.sqrt(), (1 - share).sqrt()
        times = torch.cat([signal, noise], -1).expand(*x_t.shape[:-1], 2)
        rest: Tensor = self.net(torch.cat([x_t, times], -1))
        return noise * x_t + signal * rest


def gaussian_denoiser(mean: Tensor, variance: Tensor, alpha_bar: Tensor) -> Denoise:
    """The best denoiser of data from N(m, diag v): E[ε|x_t], in closed form.

    ε̂ = √(1 - ᾱ_t) (x_t - √ᾱ_t m) / (ᾱ_t v + 1 - ᾱ_t). Derived in chapter 15.

    Example:
        Of data from N(0, 1), a share √(1 - ᾱ) of x_t is noise:

        >>> shares = cosine_schedule(4)
        >>> denoise = gaussian_denoiser(torch.zeros(1), torch.ones(1), shares)
        >>> x_t, t = torch.ones(1, 1), torch.tensor([2])
        >>> torch.allclose(denoise(x_t, t), (1 - shares[2]).sqrt().float())
        True
    """

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        share = alpha_bar[t][..., None].to(x_t.dtype)
        spread = share * variance + 1 - share
        return (1 - share).sqrt() * (x_t - share.sqrt() * mean) / spread

    return denoise


def noise_terms(model: Diffusion, x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """A loss for :func:`vae_lib.training.fit`: ‖ε - ε̂(x_t, t)‖² at a random t; "loss" [B].

    The bound's terms with all weights set to one (Ho et al., 2020, equation 14), so no nats.
    """
    t = torch.randint(1, model.steps + 1, x.shape[:1], generator=generator, device=x.device)
    eps = standard_normal(x.shape, generator, x.dtype)
    error = eps - model.denoise(model.add_noise(x, t, eps), t)
    return {"loss": error.square().sum(-1)}
