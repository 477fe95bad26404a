"""Latent-variable models of many kinds, each in a few lines, none known to ``vae_lib``.

They show that what :class:`vae_lib.models.Latent` lists is all that bounds, gradients, evaluation
and quadrature need. ``test_laws.py`` holds them all to one list of laws. All are tiny, in float64,
with z of one or two dimensions, so that quadrature knows the truth.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lib import exact
from vae_lib.conditional import ConditionalVAE, labelled
from vae_lib.distributions import (
    DiagonalGaussian,
    bernoulli_log_prob,
    gaussian_log_prob,
    kl_to_standard_normal,
    standard_normal_log_prob,
)
from vae_lib.flagship import FlagshipVAE, TwoLayerVAE
from vae_lib.models import LIKELIHOODS, VAE, LatentVariableModel, from_seed, mlp

F64 = torch.float64
TINY = {"latent": 2, "hidden": (6,), "shape": (2, 4)}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def louder(model: nn.Module, times: float) -> nn.Module:
    """First weights are nearly silent: larger ones make a model whose terms all matter."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(times)
    return model.double()


class Coupling(nn.Module):
    """(a, b) -> (a, b exp(s(a)) + t(a)), then swapped: a flow of two numbers, and its inverse."""

    def __init__(self, seed: int):
        super().__init__()
        self.net = from_seed(lambda: mlp(1, 5, 2), seed)

    def push(self, z: Tensor) -> tuple[Tensor, Tensor]:
        a, b = z.split(1, -1)
        s, t = self.net(a).chunk(2, -1)
        return torch.cat([b * s.tanh().exp() + t, a], -1), s.tanh()[..., 0]

    def pull(self, z: Tensor) -> tuple[Tensor, Tensor]:
        b, a = z.split(1, -1)
        s, t = self.net(a).chunk(2, -1)
        return torch.cat([a, (b - t) * (-s.tanh()).exp()], -1), s.tanh()[..., 0]


class Flowed(NamedTuple):
    """A base distribution pushed through couplings."""

    base: DiagonalGaussian
    steps: nn.ModuleList
    kl: None = None

    def sample(self, eps: Tensor) -> Tensor:
        z = self.base.sample(eps)
        for step in self.steps:
            z, _ = step.push(z)
        return z

    def log_prob(self, z: Tensor) -> Tensor:
        shrunk = 0
        for step in reversed(self.steps):
            z, log_scale = step.pull(z)
            shrunk = shrunk - log_scale
        return self.base.log_prob(z) + shrunk


class FlowPosterior(VAE):
    """q(z|x) is a diagonal Gaussian pushed through two couplings."""

    def __init__(self, **options):
        super().__init__(**options)
        self.flow = nn.ModuleList([Coupling(11), Coupling(12)])

    def posterior(self, x):
        return Flowed(super().posterior(x), self.flow)


class FlowPrior(VAE):
    """p(z) is N(0, I) pushed through two couplings."""

    def __init__(self, **options):
        super().__init__(**options)
        self.flow = nn.ModuleList([Coupling(13), Coupling(14)])

    def posterior(self, x):
        return super().posterior(x)._replace(kl=None)

    def log_prior(self, z):
        zeros = torch.zeros_like(z)
        return Flowed(DiagonalGaussian(zeros, zeros), self.flow).log_prob(z)


class PseudoInputs(VAE):
    """p(z) is the average of q(z|u) over three learned pictures u (Tomczak and Welling, 2018)."""

    def __init__(self, **options):
        super().__init__(**options)
        self.pseudo = nn.Parameter(torch.rand(3, self.pixels, generator=seeded(15)))

    def posterior(self, x):
        return super().posterior(x)._replace(kl=None)

    def log_prior(self, z):
        mu, logvar = self.encode(self.pseudo)
        return gaussian_log_prob(z[..., None, :], mu, logvar).logsumexp(-1) - math.log(3)


class TwoLayers(nn.Module):
    """p(z₂) p(z₁|z₂) p(x|z₁) and q(z₁|x) q(z₂|z₁, x): z = (z₁, z₂), one number each."""

    latent = 2

    def __init__(self):
        super().__init__()
        self.top = from_seed(lambda: mlp(1, 5, 2), 21)
        self.down = from_seed(lambda: mlp(1, 6, 8), 22)
        self.up = from_seed(lambda: mlp(8, 6, 2), 23)
        self.on = from_seed(lambda: mlp(9, 6, 2), 24)

    def log_prior(self, z):
        z1, z2 = z.split(1, -1)
        mu, logvar = self.top(z2).chunk(2, -1)
        return gaussian_log_prob(z1, mu, logvar) + standard_normal_log_prob(z2)

    def log_likelihood(self, x, z):
        return bernoulli_log_prob(x, self.down(z[..., :1]))

    def posterior(self, x):
        return TwoLayerPosterior(self, x)


class TwoLayerPosterior(NamedTuple):
    model: TwoLayers
    x: Tensor
    kl: None = None

    def first(self) -> DiagonalGaussian:
        return DiagonalGaussian(*self.model.up(self.x).chunk(2, -1))

    def second(self, z1: Tensor) -> DiagonalGaussian:
        x = self.x.expand(*z1.shape[:-2], *self.x.shape)
        x, z1 = x.expand(*z1.shape[:-1], -1), z1.expand(*x.shape[:-1], -1)
        return DiagonalGaussian(*self.model.on(torch.cat([x, z1], -1)).chunk(2, -1))

    def sample(self, eps):
        z1 = self.first().sample(eps[..., :1])
        return torch.cat([z1, self.second(z1).sample(eps[..., 1:])], -1)

    def log_prob(self, z):
        z1, z2 = z.split(1, -1)
        lead = torch.broadcast_shapes(z.shape[:-1], self.x.shape[:-1])  # z may serve every x
        z1, z2 = z1.expand(*lead, 1), z2.expand(*lead, 1)
        return self.first().log_prob(z1) + self.second(z1).log_prob(z2)


class Correlated(NamedTuple):
    """N(μ, L Lᵀ)."""

    mu: Tensor
    root: Tensor
    kl: None = None

    def sample(self, eps):
        return self.mu + eps @ self.root.T

    def log_prob(self, z):
        return torch.distributions.MultivariateNormal(self.mu, scale_tril=self.root).log_prob(z)


class LinearGaussian(nn.Module):
    """z ~ N(0, I), x | z ~ N(W z + b, s² I): evidence and posterior are known.

    ``posterior`` is the true one if ``exact``, else a diagonal Gaussian from a linear encoder.
    """

    latent = 2

    def __init__(self, exact: bool = False):
        super().__init__()
        self.exact = exact
        self.decoder = from_seed(lambda: nn.Linear(2, 4), 31)
        self.encoder = from_seed(lambda: nn.Linear(4, 4), 32)
        self.noise_logvar = nn.Parameter(torch.tensor(-0.4))

    def log_prior(self, z):
        return standard_normal_log_prob(z)

    def log_likelihood(self, x, z):
        return gaussian_log_prob(x, self.decoder(z), self.noise_logvar.expand(4))

    def posterior(self, x):
        return self.truth(x) if self.exact else DiagonalGaussian(*self.encoder(x).chunk(2, -1))

    def truth(self, x) -> Correlated:
        """p(z|x) = N(S Wᵀ (x - b) / s², S) with S⁻¹ = I + Wᵀ W / s²."""
        weight, noise = self.decoder.weight, self.noise_logvar.exp()
        covariance = (torch.eye(2, dtype=weight.dtype) + weight.T @ weight / noise).inverse()
        mu = (x - self.decoder.bias) @ weight @ covariance / noise
        return Correlated(mu, torch.linalg.cholesky(covariance))

    def log_evidence(self, x):
        weight, noise = self.decoder.weight, self.noise_logvar.exp()
        covariance = weight @ weight.T + noise * torch.eye(4, dtype=weight.dtype)
        normal = torch.distributions.MultivariateNormal(self.decoder.bias, covariance)
        return normal.log_prob(x)


def gaussian_q(mu: list, std: list):
    """posterior(x), the same for every x, with its KL to N(0, I)."""
    mu, logvar = torch.tensor(mu, dtype=F64), 2 * torch.tensor(std, dtype=F64).log()

    def posterior(x):
        m, v = mu.expand(len(x), -1), logvar.expand(len(x), -1)
        return DiagonalGaussian(m, v, kl_to_standard_normal(m[..., None], v[..., None]))

    return posterior


def curve(x, z):
    """Chapter 5: a noisy point of a curve in the plane."""
    turn = 1.25 * z
    place = (2 + 0.2 * z) * torch.cat([turn.cos(), turn.sin()], -1)
    return gaussian_log_prob(x, place, torch.full((2,), 2 * math.log(0.3), dtype=F64))


def straight_line(x, z):
    """Chapter 7: five readings of intercept + slope t."""
    design = torch.stack([torch.ones(5, dtype=F64), torch.linspace(0, 1.8, 5, dtype=F64)], 1)
    return gaussian_log_prob(x, z @ design.T, torch.full((5,), -1.0, dtype=F64))


def strip(x, z):
    """Chapter 8: a speck on a strip of nine pixels."""
    centres = torch.arange(-4.0, 5.0, dtype=F64)
    return bernoulli_log_prob(x, 2 * (2 * torch.exp(-((centres - 2 * z) ** 2)) - 1))


def _pictures(count=3, pixels=8, seed=0):
    return torch.rand(count, pixels, generator=seeded(seed), dtype=F64)


def _toys():
    point = torch.tensor([[0.9, 1.7], [2.2, 0.3]], dtype=F64)
    readings = torch.tensor([[0.1, 0.6, 0.8, 1.2, 1.9]], dtype=F64)
    speck = torch.tensor([[0, 0, 1, 0, 0, 0, 0, 1, 0]], dtype=F64)
    normal = standard_normal_log_prob
    return {
        "curve": (LatentVariableModel(1, normal, curve, gaussian_q([0.5], [0.5])), point),
        "straight line": (
            LatentVariableModel(2, normal, straight_line, gaussian_q([0.3, 0.7], [0.4, 0.4])),
            readings,
        ),
        "strip": (LatentVariableModel(1, normal, strip, gaussian_q([0.2], [0.9])), speck),
    }


def _flagships():
    small = {"net": "residual", "hidden": (2, 3, 5), "shape": (4, 4)}
    pair = {"layers": (1, 1), "width": 5, "hidden": (6,), "shape": (2, 4)}
    return {
        "gated": (FlagshipVAE(**TINY), _pictures().round()),
        "gated, mixture prior": (FlagshipVAE(**TINY, components=3), _pictures().round()),
        "residual": (louder(FlagshipVAE(latent=2, **small), 1.5), _pictures(pixels=16).round()),
        "flagship of two layers": (TwoLayerVAE(**pair), _pictures().round()),
        "flagship of two layers, mixture prior": (
            TwoLayerVAE(**pair, components=3),
            _pictures().round(),
        ),
    }


def models() -> dict[str, tuple]:
    """name -> (model, x): everything that the laws hold for."""
    zoo = {f"VAE, {kind}": (VAE(**TINY, likelihood=kind), _pictures()) for kind in LIKELIHOODS}
    zoo["VAE, bernoulli"] = (VAE(**TINY), _pictures().round())
    zoo["VAE, real gaussian"] = (VAE(**TINY, likelihood="real gaussian"), 3 * _pictures() - 1)
    colour = {"latent": 2, "hidden": (2, 3), "net": "conv", "shape": (3, 4, 4)}
    colour = VAE(**colour, likelihood="gaussian")
    zoo["VAE, conv, colour, gaussian"] = (colour, _pictures(pixels=48))
    zoo["VAE, mixture prior"] = (VAE(**TINY, components=3), _pictures().round())
    zoo["flow posterior"] = (FlowPosterior(**TINY), _pictures().round())
    zoo["flow prior"] = (FlowPrior(**TINY), _pictures().round())
    zoo["pseudo-inputs"] = (PseudoInputs(**TINY), _pictures().round())
    rows = labelled(_pictures().round(), torch.tensor([0, 1, 2]), classes=3)
    zoo["conditional"] = (ConditionalVAE(**TINY, classes=3), rows)
    zoo["two layers"] = (TwoLayers(), _pictures().round())
    zoo |= _flagships()
    zoo["linear-Gaussian"] = (LinearGaussian(), _pictures(pixels=4))
    zoo["linear-Gaussian, exact q"] = (LinearGaussian(exact=True), _pictures(pixels=4))
    for name, (model, x) in zoo.items():
        quiet = any(word in name for word in ("gaussian", "Gaussian", "flow", "mixture"))
        zoo[name] = (louder(model, 1.0 if quiet else 1.5), x)
    zoo["one class of a conditional"] = (
        louder(ConditionalVAE(**TINY, classes=3, seed=4), 1.5).given(2),
        _pictures().round(),
    )
    return zoo | _toys()


def grid(model) -> exact.Grid:
    """Wide and fine enough for every model here."""
    if model.latent == 1:
        return exact.line(-12, 12, 1601)
    return exact.plane((-12, -12), (12, 12), 241)
