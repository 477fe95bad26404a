"""The autoencoder and the variational autoencoder, and what a latent-variable model offers.

Both networks speak of a code and of logits, so that the same figures, widgets and training serve
both. Introduced in chapters 1 (``Autoencoder``), 10 (``VAE``), 12 (other likelihoods) and 14
(learned prior).
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from vae_lib.data import as_tensor, flattened
from vae_lib.distributions import (
    DiagonalGaussian,
    bernoulli_log_prob,
    continuous_bernoulli_log_prob,
    continuous_bernoulli_sample,
    gaussian_log_prob,
    kl_to_standard_normal,
    reparameterise,
    standard_normal,
    standard_normal_log_prob,
    wide,
)

LIKELIHOODS = ("bernoulli", "continuous bernoulli", "gaussian", "real gaussian")


class Posterior(Protocol):
    """What ``posterior(x)`` answers, for x [B, P]: q(z|x) for each example."""

    @property
    def kl(self) -> Tensor | None:
        """The exact KL(q ‖ prior) for each latent dimension [B, D], None without a closed form."""

    def sample(self, eps: Tensor, /) -> Tensor:
        """z ~ q(z|x), a differentiable function of draws of N(0, I): [..., B, D] -> [..., B, D]."""

    def log_prob(self, z: Tensor, /) -> Tensor:
        """log q(z|x): [..., B, D] -> [..., B], nats."""


class Latent(Protocol):
    """What a latent-variable model offers, and all that bounds and evaluation ask of it.

    x is [B, P]; z is [B, D], or [K, B, D] with samples leading, where B may be 1 in z (the same
    z for every x). Several stochastic layers are one concatenated z.
    """

    @property
    def latent(self) -> int:
        """D, the size of z."""

    def log_prior(self, z: Tensor, /) -> Tensor:
        """log p(z): [..., B, D] -> [..., B], nats."""

    def log_likelihood(self, x: Tensor, z: Tensor, /) -> Tensor:
        """log p(x|z): [B, P] and [..., B, D] -> [..., B], nats."""

    def posterior(self, x: Tensor, /) -> Posterior:
        """q(z|x), the approximate posterior: [B, P] -> a distribution over [B, D]."""


class LatentVariableModel(NamedTuple):
    """Plain functions as a latent-variable model; see :class:`Latent` for their shapes."""

    latent: int
    log_prior: Callable[[Tensor], Tensor]
    log_likelihood: Callable[[Tensor, Tensor], Tensor]
    posterior: Callable[[Tensor], Posterior]


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers of the given ``sizes`` with SiLU between them, none after the last.

    SiLU is smooth, which the quadrature of :mod:`vae_lib.exact` repays with accuracy.

    Example:
        >>> [type(layer).__name__ for layer in mlp(784, 64, 2)]
        ['Linear', 'SiLU', 'Linear']
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def conv_encoder(shape: Sequence[int], outputs: int, channels: Sequence[int]) -> nn.Sequential:
    """[B, C H W] -> [B, outputs] by two strided convolutions; a grey shape is (H, W)."""
    (colours, height, width), (first, second) = _with_colours(shape), channels
    return nn.Sequential(
        nn.Unflatten(-1, (colours, height, width)),
        nn.Conv2d(colours, first, 4, stride=2, padding=1),  # [B, first, H / 2, W / 2]
        nn.SiLU(),
        nn.Conv2d(first, second, 4, stride=2, padding=1),  # [B, second, H / 4, W / 4]
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(second * (height // 4) * (width // 4), outputs),
    )


def conv_decoder(shape: Sequence[int], latent: int, channels: Sequence[int]) -> nn.Sequential:
    """[B, latent] -> [B, C H W] logits: the encoder's layers in reverse."""
    (colours, height, width), (first, second) = _with_colours(shape), channels
    return nn.Sequential(
        nn.Linear(latent, second * (height // 4) * (width // 4)),
        nn.SiLU(),
        nn.Unflatten(-1, (second, height // 4, width // 4)),
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),  # [B, first, H / 2, W / 2]
        nn.SiLU(),
        nn.ConvTranspose2d(first, colours, 4, stride=2, padding=1),  # [B, C, H, W]
        nn.Flatten(),
    )


def _with_colours(shape: Sequence[int]) -> Sequence[int]:
    """(C, H, W), with C = 1 for a grey picture's (H, W)."""
    return (1, *shape) if len(shape) == 2 else shape


def from_seed(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """What ``build`` makes, with weights drawn from a generator of its own, seeded by ``seed``.

    Linear and convolutional layers get PyTorch's default distribution, U(-a, a) with
    a = 1 / √(inputs per output). PyTorch's global generator is neither used nor changed, so
    threads may build at once. Under ``torch.device("meta")`` nothing is drawn and no memory taken.

    Example:
        >>> first, second = (from_seed(lambda: mlp(784, 64, 2), seed=1) for _ in range(2))
        >>> torch.equal(first[0].weight, second[0].weight)
        True
    """
    device, generator = torch.get_default_device(), torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        module = build()
    if device.type == "meta":
        return module
    for layer in module.modules():
        own = dict(layer.named_parameters(recurse=False))
        if own and not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            raise TypeError(f"from_seed knows no first weights for {type(layer).__name__}")
        for name, meta in own.items():
            reach = own["weight"][0].numel() ** -0.5
            weight = torch.empty(meta.shape, device="cpu").uniform_(
                -reach, reach, generator=generator
            )
            setattr(layer, name, nn.Parameter(weight.to(device)))
    return module


class MixturePrior(nn.Module):
    """p(z) = Σ_m w_m N(z; μ_m, diag σ_m²): a learned mixture, over z of ``latent`` dimensions.

    Begins with equal weights, means drawn from N(0, I) and σ = 1. Introduced in chapter 14.

    Example:
        >>> MixturePrior(components=3, latent=2, seed=0).log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, components: int, latent: int, seed: int):
        super().__init__()
        self.mu = nn.Parameter(torch.zeros(components, latent))
        if not self.mu.is_meta:
            means = standard_normal(self.mu.shape, torch.Generator().manual_seed(seed))
            self.mu = nn.Parameter(means.to(self.mu.device))
        self.logvar = nn.Parameter(torch.zeros(components, latent))
        self.logits = nn.Parameter(torch.zeros(components))

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z): [..., D] -> [...], nats."""
        each = gaussian_log_prob(z[..., None, :], self.mu, self.logvar)  # [..., M]
        return torch.logsumexp(wide(self.logits).log_softmax(-1) + each, -1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws of z: [count, D]."""
        chosen = self.logits.softmax(-1).multinomial(count, replacement=True, generator=generator)
        q = DiagonalGaussian(self.mu[chosen], self.logvar[chosen])
        return q.sample(standard_normal(q.mu.shape, generator, q.mu.dtype))


class Autoencoder(nn.Module):
    """x -> code = encoder(x) -> logits = decoder(code). Introduced in chapter 1.

    Args:
        latent: size D of the code.
        hidden: widths of the hidden layers, from the pixels inward; for ``net="conv"`` the two
            numbers of channels.
        net: ``"mlp"`` or ``"conv"``.
        seed: what the first weights are drawn from; PyTorch's global generator is left alone.
        shape: of a picture, (height, width) or (colours, height, width), or of a row of a table,
            (columns,); its product is ``pixels``, the P below. An image is handed in flat. For
            ``net="conv"`` height and width are multiples of 4.
        likelihood: p(x|z), whose parameters the decoder's logits give. ``"bernoulli"``: their
            sigmoid is the probability of a 1. ``"continuous bernoulli"``: the same family on
            [0, 1]. ``"gaussian"``: their sigmoid is the mean, and ``noise_logvar``, one number
            for all pixels, is learned with the weights. ``"real gaussian"``, for x of any size:
            they are the mean themselves, and ``noise_logvar`` is [P], one number a column.

    Raises:
        ValueError: for values that build no model; the message says which.
        TypeError: for sizes that are no whole numbers.

    Example:
        >>> model = Autoencoder(latent=2)
        >>> model.code(torch.zeros(3, 784)).shape, model.reconstruct(torch.zeros(3, 784)).shape
        (torch.Size([3, 2]), torch.Size([3, 784]))
    """

    outputs_per_latent = 1

    def __init__(
        self,
        latent: int = 2,
        hidden: Sequence[int] = (128, 64),
        net: str = "mlp",
        seed: int = 0,
        shape: Sequence[int] = (28, 28),
        likelihood: str = "bernoulli",
    ):
        super().__init__()
        self.latent = _size("latent", latent)
        self.hidden, self.shape = _sizes("hidden", hidden), _sizes("shape", shape)
        self.pixels, self.net, self.likelihood = math.prod(self.shape), net, likelihood
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"unknown likelihood {likelihood!r}: choose one of {LIKELIHOODS}")
        self.encoder, self.decoder = from_seed(self._networks, seed).children()
        if likelihood == "gaussian":
            self.noise_logvar = nn.Parameter(torch.tensor(-2.0))
        if likelihood == "real gaussian":
            self.noise_logvar = nn.Parameter(torch.zeros(self.pixels))

    def _networks(self) -> nn.ModuleList:
        outputs = self.outputs_per_latent * self.latent
        if self.net == "mlp":
            sizes = (self.pixels, *self.hidden)
            return nn.ModuleList([mlp(*sizes, outputs), mlp(self.latent, *reversed(sizes))])
        if self.net != "conv":
            raise ValueError(f"unknown net {self.net!r}: choose 'mlp' or 'conv'")
        if len(self.hidden) != 2:
            raise ValueError(f"hidden is {self.hidden}: a conv net takes two channel counts")
        if len(self.shape) not in (2, 3) or any(side % 4 for side in self.shape[-2:]):
            raise ValueError(
                f"shape is {self.shape}, not (height, width) or (colours, height, width): a conv "
                "net halves two sides twice, so each must be a multiple of 4; pad the pictures, or "
                "take net='mlp'"
            )
        return nn.ModuleList(
            [
                conv_encoder(self.shape, outputs, self.hidden),
                conv_decoder(self.shape, self.latent, self.hidden),
            ]
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What builds this model again; stored in every checkpoint. JSON can hold it."""
        return {
            "model": type(self).__name__,
            "latent": self.latent,
            "hidden": list(self.hidden),
            "net": self.net,
            "shape": list(self.shape),
            "likelihood": self.likelihood,
        }

    def encode(self, x: Tensor) -> Any:
        """The code of x: [..., P] -> [..., D]. (A VAE gives μ and log σ².)"""
        if not isinstance(x, Tensor):
            raise TypeError(f"x is a {type(x).__name__}, not a tensor: {as_tensor(x)}")
        if x.ndim < 1 or x.shape[-1] != self.columns:
            raise ValueError(
                f"x has shape {list(x.shape)}, but this model's images are [..., {self.columns}]: "
                f"{flattened(x.shape, self.columns)}"
            )
        if not x.is_floating_point():
            raise ValueError(f"x has dtype {x.dtype}: convert it with .float()")
        weights = next((weight.dtype for weight in self.encoder.parameters()), x.dtype)
        if torch.float64 in (x.dtype, weights) and x.dtype != weights:
            raise ValueError(
                f"x is {x.dtype} and the model {weights}: "
                "convert one, with x.to(dtype) or model.to(dtype)"
            )
        code: Tensor = self.encoder(x.reshape(-1, self.columns))
        return code.reshape(*x.shape[:-1], code.shape[-1])

    def code(self, x: Tensor) -> Tensor:
        """The code of x: [..., P] -> [..., D]."""
        code: Tensor = self.encode(x)
        return code

    def decode(self, z: Tensor) -> Tensor:
        """Logits, for a Bernoulli the log-odds of a 1: [..., D] -> [..., P]."""
        if not isinstance(z, Tensor):
            raise TypeError(f"z is a {type(z).__name__}: torch.as_tensor(z) makes it a tensor")
        if z.shape[-1:] != (self.latent,):
            raise ValueError(
                f"z has shape {list(z.shape)}, but this model's latent vectors are "
                f"[..., {self.latent}]"
            )
        logits: Tensor = self.decoder(z.reshape(-1, self.latent))
        return logits.reshape(*z.shape[:-1], self.pixels)

    @property
    def columns(self) -> int:
        """How many numbers a row of x has: P, and more where a label rides along."""
        return self.pixels

    @property
    def bounded(self) -> bool:
        """Whether x lies in [0, 1]."""
        return self.likelihood != "real gaussian"

    def reconstruct(self, x: Tensor) -> Tensor:
        """The sigmoid of the logits after the round trip: [..., P] -> [..., P].

        For a likelihood of any real numbers, the logits themselves, which are its mean.
        """
        return self._mean(self.forward(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the round trip: [..., P] -> [..., P]."""
        return self.decode(self.code(x))

    def log_prior(self, z: Tensor) -> Tensor:
        """log N(z; 0, I): [..., D] -> [...], nats. An autoencoder that is asked to generate."""
        return standard_normal_log_prob(z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z): x [B, P], z [..., B, D] -> [..., B], nats."""
        return self._log_likelihood(x, self.decode(z.to(x.dtype)))

    def _log_likelihood(self, x: Tensor, logits: Tensor) -> Tensor:
        if self.likelihood == "bernoulli":
            return bernoulli_log_prob(x, logits)
        if self.likelihood == "continuous bernoulli":
            return continuous_bernoulli_log_prob(x, logits)
        return gaussian_log_prob(x, self._mean(logits), self.noise_logvar.expand(self.pixels))

    def _mean(self, logits: Tensor) -> Tensor:
        """The mean of a Gaussian, and the probability of a 1 in a Bernoulli."""
        return logits.sigmoid() if self.bounded else logits


class VAE(Autoencoder):
    """The variational autoencoder: q_φ(z|x) = N(μ, diag σ²), p_θ(x|z) and the prior p(z).

    The encoder is the recognition network, the decoder the generative network (Kingma and
    Welling, 2014; Rezende et al., 2014). Introduced in chapter 10.

    Args:
        latent, hidden, net, seed, shape, likelihood: as for :class:`Autoencoder`.
        components: how many Gaussians make up a learned prior (``self.prior``); 0 for N(0, I).

    Example:
        >>> vae = VAE(latent=2)
        >>> x = vae.sample(3, torch.Generator().manual_seed(0))
        >>> x.shape, vae.posterior(x).mu.shape
        (torch.Size([3, 784]), torch.Size([3, 2]))
    """

    outputs_per_latent = 2  # μ, then log σ²

    def __init__(
        self,
        latent: int = 2,
        hidden: Sequence[int] = (128, 64),
        net: str = "mlp",
        seed: int = 0,
        shape: Sequence[int] = (28, 28),
        likelihood: str = "bernoulli",
        components: int = 0,
    ):
        super().__init__(latent, hidden, net, seed, shape, likelihood)
        self.components = _size("components", components, least=0)
        if components:
            self.prior = MixturePrior(components, latent, seed)

    @property
    def settings(self) -> dict[str, Any]:
        """What builds this model again; stored in every checkpoint. JSON can hold it."""
        return super().settings | {"components": self.components}

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q_φ(z|x): [..., P] -> μ [..., D] and log σ² [..., D]."""
        mu, logvar = super().encode(x).chunk(2, dim=-1)
        return mu, logvar

    def code(self, x: Tensor) -> Tensor:
        """The mean of q_φ(z|x), which stands in for an autoencoder's code: [..., D]."""
        return self.encode(x)[0]

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """q_φ(z|x), in float32 at least, with its exact KL where the prior is N(0, I)."""
        mu, logvar = (wide(part) for part in self.encode(x))
        kl = None if self.components else kl_to_standard_normal(mu[..., None], logvar[..., None])
        return DiagonalGaussian(mu, logvar, kl)

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z): [..., D] -> [...], nats."""
        return self.prior.log_prob(z) if self.components else standard_normal_log_prob(z)

    def sample_prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws z ~ p(z): [count, D]. ``generator`` lives on the model's device."""
        if self.components:
            return self.prior.sample(count, generator)
        weights = next(self.decoder.parameters())
        return standard_normal((count, self.latent), generator, weights.dtype)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws x ~ p(x) by ancestral sampling, z ~ p(z), then x ~ p(x|z): [count, P].

        Each pixel is drawn, so a Bernoulli picture is black and white. For smooth pictures show
        ``decode(sample_prior(count, generator)).sigmoid()``, as chapter 10 does.
        """
        return self._draw(self.decode(self.sample_prior(count, generator)), generator)

    def _draw(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """x ~ p(x|z) under the model's likelihood: logits [..., P] -> [..., P]."""
        if self.likelihood == "bernoulli":
            return torch.bernoulli(logits.sigmoid(), generator=generator)
        if self.likelihood == "continuous bernoulli":
            return continuous_bernoulli_sample(logits, generator)
        noise = standard_normal(logits.shape, generator, logits.dtype)
        return reparameterise(self._mean(logits), self.noise_logvar.expand(self.pixels), noise)


def _size(name: str, value: int, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}: it must be a whole number (int)")
    if value < least:
        raise ValueError(f"{name} is {value}: it must be at least {least}")
    return value


def _sizes(name: str, values: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"{name} is {values!r}: pass a sequence of sizes, such as (128, 64)")
    return tuple(_size(f"a size in {name}", value) for value in values)
