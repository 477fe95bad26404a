"""The networks of the flagship, whose weights ship: gated, residual, and with two latent layers.

Each is a :class:`vae_lib.models.VAE` with other networks, so whatever takes a VAE takes these.
``benchmarks/train_flagship.py`` trains them; chapter 11 scores them beside published numbers.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lib.distributions import (
    LOG_2PI,
    DiagonalGaussian,
    gaussian_log_prob,
    standard_normal,
    wide,
)
from vae_lib.models import VAE, MixturePrior, from_seed, mlp

NETS = ("gated", "residual")


class Gated(nn.Module):
    """a · σ(b), with a and b both linear in x: [..., inputs] -> [..., outputs]."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.both = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.both(x).chunk(2, -1)
        product: Tensor = a * b.sigmoid()
        return product


class Residual(nn.Module):
    """x + conv(SiLU(conv(SiLU(x)))), 3 × 3 each: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int):
        super().__init__()
        self.change = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.change(x)
        return x + change


def gated_mlp(*sizes: int) -> nn.Sequential:
    """Gated layers of the given ``sizes``, the last one linear."""
    layers: list[nn.Module] = [Gated(m, n) for m, n in pairwise(sizes[:-1])]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def residual_encoder(
    shape: Sequence[int], outputs: int, channels: Sequence[int], width: int
) -> nn.Sequential:
    """[B, H W] -> [B, outputs]: residual blocks at half and at a quarter of the size."""
    (height, width_), (first, second), thin = shape, channels, 16
    return nn.Sequential(
        nn.Unflatten(-1, (1, height, width_)),
        nn.Conv2d(1, first, 4, stride=2, padding=1),  # [B, first, H / 2, W / 2]
        Residual(first),
        Residual(first),
        nn.SiLU(),
        nn.Conv2d(first, second, 4, stride=2, padding=1),  # [B, second, H / 4, W / 4]
        Residual(second),
        Residual(second),
        nn.SiLU(),
        nn.Conv2d(second, thin, 3, padding=1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(thin * (height // 4) * (width_ // 4), width),
        nn.SiLU(),
        nn.Linear(width, outputs),
    )


def residual_decoder(
    shape: Sequence[int], latent: int, channels: Sequence[int], width: int
) -> nn.Sequential:
    """[B, latent] -> [B, H W] logits: the encoder's layers in reverse."""
    (height, width_), (first, second), thin = shape, channels, 16
    return nn.Sequential(
        nn.Linear(latent, width),
        nn.SiLU(),
        nn.Linear(width, thin * (height // 4) * (width_ // 4)),
        nn.SiLU(),
        nn.Unflatten(-1, (thin, height // 4, width_ // 4)),
        nn.Conv2d(thin, second, 3, padding=1),
        Residual(second),
        Residual(second),
        nn.SiLU(),
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),  # [B, first, H / 2, W / 2]
        Residual(first),
        Residual(first),
        nn.SiLU(),
        nn.ConvTranspose2d(first, 1, 4, stride=2, padding=1),  # [B, 1, H, W]
        nn.Flatten(),
    )


class WideMixture(MixturePrior):
    """The learned mixture, for hundreds of components: its log-density by two matrix products.

    Σ_j (z_j - μ_j)² / σ_j² is multiplied out, which costs no [..., M, D] of memory. The terms
    cancel, so float32 keeps about four digits after the point.
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z): [..., D] -> [...], nats."""
        kind = z.device.type if torch.amp.is_autocast_available(z.device.type) else "cpu"
        with torch.autocast(kind, enabled=False):  # half precision would not do
            z, precision = wide(z), (-wide(self.logvar)).exp()  # [M, D]
            pull = wide(self.mu) * precision
            size = (LOG_2PI + wide(self.logvar) + self.mu * pull).sum(-1)  # [M]
            each = z @ pull.T - 0.5 * (z**2 @ precision.T + size)  # [..., M]
            return torch.logsumexp(wide(self.logits).log_softmax(-1) + each, -1)


class FlagshipVAE(VAE):
    """A VAE with gated or residual networks.

    Args:
        latent, seed, shape, components: as for :class:`vae_lib.models.VAE`.
        hidden: for ``net="gated"`` the widths of the hidden layers, from the pixels inward; for
            ``net="residual"`` the channels at half and at a quarter of the size, and the width
            of the one layer between them and z.
        net: ``"gated"`` (units a · σ(b)) or ``"residual"`` (convolutions).

    Raises:
        ValueError: for values that build no model; the message says which.
        TypeError: for sizes that are no whole numbers.

    Example:
        >>> model = FlagshipVAE(latent=8, hidden=(32,))
        >>> model.reconstruct(torch.zeros(3, 784)).shape
        torch.Size([3, 784])
    """

    def __init__(
        self,
        latent: int = 40,
        hidden: Sequence[int] = (300, 300),
        net: str = "gated",
        seed: int = 0,
        shape: Sequence[int] = (28, 28),
        components: int = 0,
    ):
        super().__init__(latent, hidden, net, seed, shape, "bernoulli", components)
        if components:
            self.prior = WideMixture(components, latent, seed)

    def _networks(self) -> nn.ModuleList:
        return nn.ModuleList(
            [self._encoder(2 * self.latent), self._decoder(self.latent)],
        )

    def _encoder(self, outputs: int) -> nn.Sequential:
        if self.net == "gated":
            return gated_mlp(self.pixels, *self.hidden, outputs)
        *channels, width = self._checked()
        return residual_encoder(self.shape, outputs, channels, width)

    def _decoder(self, inputs: int) -> nn.Sequential:
        if self.net == "gated":
            return gated_mlp(inputs, *reversed(self.hidden), self.pixels)
        *channels, width = self._checked()
        return residual_decoder(self.shape, inputs, channels, width)

    def _checked(self) -> Sequence[int]:
        if self.net not in NETS:
            raise ValueError(f"unknown net {self.net!r}: choose one of {NETS}")
        if len(self.hidden) != 3:
            raise ValueError(f"hidden is {self.hidden}: a residual net takes (32, 64, 256), say")
        if len(self.shape) != 2 or any(side % 4 for side in self.shape):
            raise ValueError(f"shape is {self.shape}: a residual net halves two sides twice")
        return self.hidden

    @property
    def settings(self) -> dict[str, Any]:
        """What builds this model again; stored in every checkpoint. JSON can hold it."""
        told = super().settings
        del told["likelihood"]
        return told


class TwoLayerVAE(FlagshipVAE):
    """z = (z₁, z₂): p(z₂) p(z₁|z₂) p(x|z₁, z₂), with q(z₂|x) q(z₁|x, z₂).

    The order of Tomczak and Welling (2018): the top layer is inferred first and the layer below
    given it. p(z₂) is N(0, I) or a learned mixture; all else is diagonal Gaussians.

    Args:
        layers: the sizes of z₁ and z₂; ``latent`` is their sum.
        width: of the hidden layers between x's features, z₁ and z₂.
        hidden, net, seed, shape, components: as for :class:`FlagshipVAE`.
    """

    def __init__(
        self,
        layers: Sequence[int] = (40, 40),
        width: int = 256,
        hidden: Sequence[int] = (300, 300),
        net: str = "gated",
        seed: int = 0,
        shape: Sequence[int] = (28, 28),
        components: int = 0,
    ):
        self.layers, self.width = tuple(layers), width
        if len(self.layers) != 2:
            raise ValueError(f"layers is {self.layers}: two sizes make two layers")
        super().__init__(sum(self.layers), hidden, net, seed, shape)
        self.components = components
        if components:
            self.prior = WideMixture(components, self.layers[1], seed)
        self.to_top, self.to_below, self.down = from_seed(self._between, seed + 1).children()

    def _networks(self) -> nn.ModuleList:
        return nn.ModuleList([self._encoder(self.width), self._decoder(self.latent)])

    def _between(self) -> nn.ModuleList:
        below, top = self.layers
        return nn.ModuleList(
            [
                mlp(self.width, self.width, 2 * top),  # q(z₂|x), from the features
                mlp(self.width + top, self.width, 2 * below),  # q(z₁|x, z₂)
                mlp(top, self.width, self.width, 2 * below),  # p(z₁|z₂)
            ]
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What builds this model again; stored in every checkpoint. JSON can hold it."""
        told = super().settings
        del told["latent"]
        return told | {"layers": list(self.layers), "width": self.width}

    def features(self, x: Tensor) -> Tensor:
        """What the encoder makes of x for both layers: [..., P] -> [..., width]."""
        return super(VAE, self).encode(x)  # type: ignore[no-any-return]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of both layers, z₁'s at the mean of z₂: [..., P] -> [..., D] each."""
        q = self.posterior(x)
        below, top = q.below(q.top.mu), q.top
        return torch.cat([below.mu, top.mu], -1), torch.cat([below.logvar, top.logvar], -1)

    def posterior(self, x: Tensor) -> "TwoLayerPosterior":  # type: ignore[override]
        """q(z₂|x) q(z₁|x, z₂); no KL has a closed form here."""
        features = self.features(x)
        return TwoLayerPosterior(features, _gaussian(self.to_top(features)), self.to_below)

    def prior_below(self, top: Tensor) -> DiagonalGaussian:
        """p(z₁|z₂): [..., D₂] -> a distribution over [..., D₁]."""
        return _gaussian(self.down(top))

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z₂) + log p(z₁|z₂): [..., D] -> [...], nats."""
        below, top = z[..., : self.layers[0]], z[..., self.layers[0] :]
        return super().log_prior(top) + self.prior_below(top).log_prob(below)

    def sample_prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws z ~ p(z): [count, D]. ``generator`` lives on the model's device."""
        drawn = super().sample_prior(count, generator)  # [count, D₂], or all of D from N(0, I)
        top = drawn[:, -self.layers[1] :]
        q = self.prior_below(top)
        return torch.cat([q.sample(standard_normal(q.mu.shape, generator, q.mu.dtype)), top], -1)


class TwoLayerPosterior(NamedTuple):
    """q(z₂|x) q(z₁|x, z₂), from x's ``features`` [B, width]."""

    features: Tensor
    top: DiagonalGaussian
    to_below: nn.Module
    kl: None = None

    def below(self, top: Tensor) -> DiagonalGaussian:
        """q(z₁|x, z₂) for z₂ [..., B, D₂]; B may be 1 in z₂ (the same for every x)."""
        lead = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
            top.shape[:-1], self.features.shape[:-1]
        )
        both = [self.features.to(top.dtype).expand(*lead, -1), top.expand(*lead, -1)]
        return _gaussian(self.to_below(torch.cat(both, -1)))

    def sample(self, eps: Tensor) -> Tensor:
        """(z₁, z₂) as a differentiable function of N(0, I): [..., B, D] -> [..., B, D]."""
        size = self.top.mu.shape[-1]
        top = self.top.sample(eps[..., -size:])
        return torch.cat([self.below(top).sample(eps[..., :-size]), top], -1)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z₂|x) + log q(z₁|x, z₂): [..., B, D] -> [..., B], nats."""
        size = self.top.mu.shape[-1]
        below, top = z[..., :-size], z[..., -size:]
        q = self.below(top)
        below = below.expand(*q.mu.shape[:-1], -1)
        return self.top.log_prob(top) + gaussian_log_prob(below, q.mu, q.logvar)


def _gaussian(parameters: Tensor) -> DiagonalGaussian:
    mu, logvar = (wide(part) for part in parameters.chunk(2, -1))
    return DiagonalGaussian(mu, logvar)
