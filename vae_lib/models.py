"""The autoencoder and the variational autoencoder, and their encoders and decoders.

Both speak of a code and of logits, so that the same figures, widgets and training serve both.
Introduced in chapters 1 (``Autoencoder``) and 10 (``VAE``).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from vae_lib.data import PIXELS, SIDE, check_images

QUARTER = SIDE // 4  # two strides of 2


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers of the given ``sizes`` with SiLU between them, none after the last.

    SiLU is smooth, which the quadrature of :mod:`vae_lib.exact` repays with accuracy.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def conv_encoder(outputs: int, channels: Sequence[int]) -> nn.Sequential:
    """[B, 784] -> [B, outputs] by two strided convolutions."""
    first, second = channels
    return nn.Sequential(
        nn.Unflatten(-1, (1, SIDE, SIDE)),
        nn.Conv2d(1, first, 4, stride=2, padding=1),  # [B, first, 14, 14]
        nn.SiLU(),
        nn.Conv2d(first, second, 4, stride=2, padding=1),  # [B, second, 7, 7]
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(second * QUARTER**2, outputs),
    )


def conv_decoder(latent: int, channels: Sequence[int]) -> nn.Sequential:
    """[B, latent] -> [B, 784] logits: the encoder's layers in reverse."""
    first, second = channels
    return nn.Sequential(
        nn.Linear(latent, second * QUARTER**2),
        nn.SiLU(),
        nn.Unflatten(-1, (second, QUARTER, QUARTER)),
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),  # [B, first, 14, 14]
        nn.SiLU(),
        nn.ConvTranspose2d(first, 1, 4, stride=2, padding=1),  # [B, 1, 28, 28]
        nn.Flatten(),
    )


class Autoencoder(nn.Module):
    """x -> code = encoder(x) -> logits = decoder(code). Introduced in chapter 1.

    Args:
        latent: size D of the code.
        hidden: widths of the hidden layers, from the pixels inward; for ``net="conv"`` the two
            numbers of channels.
        net: ``"mlp"`` or ``"conv"``.
        seed: what the first weights are drawn from; PyTorch's global generator is left alone.

    Raises:
        ValueError: for another ``net``, a ``latent`` below 1, or not two channels for "conv".
    """

    outputs_per_latent = 1

    def __init__(
        self, latent: int = 2, hidden: Sequence[int] = (128, 64), net: str = "mlp", seed: int = 0
    ):
        super().__init__()
        if latent < 1:
            raise ValueError(f"latent is {latent}: a code needs at least one dimension")
        self.latent, self.hidden, self.net = latent, tuple(hidden), net
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone, no GPU's
            self.encoder, self.decoder = self._networks()

    def _networks(self) -> tuple[nn.Sequential, nn.Sequential]:
        outputs = self.outputs_per_latent * self.latent
        if self.net == "mlp":
            sizes = (PIXELS, *self.hidden)
            return mlp(*sizes, outputs), mlp(self.latent, *reversed(sizes))
        if self.net == "conv":
            if len(self.hidden) != 2:
                raise ValueError(f"hidden is {self.hidden}: a conv net takes two channel counts")
            return conv_encoder(outputs, self.hidden), conv_decoder(self.latent, self.hidden)
        raise ValueError(f"unknown net {self.net!r}: choose 'mlp' or 'conv'")

    @property
    def settings(self) -> dict:
        """What builds this model again; stored in every checkpoint."""
        return {
            "model": type(self).__name__,
            "latent": self.latent,
            "hidden": list(self.hidden),
            "net": self.net,
        }

    def code(self, x: Tensor) -> Tensor:
        """The code of x: [B, 784] -> [B, D]."""
        return self.encoder(check_images(x, "x"))

    def decode(self, z: Tensor) -> Tensor:
        """Log-odds of a white pixel: [B, D] -> [B, 784]."""
        if z.shape[-1] != self.latent:
            raise ValueError(
                f"z has shape {list(z.shape)}, but this model's latent vectors are "
                f"[..., {self.latent}]"
            )
        return self.decoder(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Probabilities of a white pixel after the round trip: [B, 784] -> [B, 784]."""
        return self.decode(self.code(x)).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the round trip: [B, 784] -> [B, 784]."""
        return self.decode(self.code(x))


class VAE(Autoencoder):
    """The variational autoencoder: q_φ(z|x) = N(μ, diag σ²) and Bernoulli p_θ(x|z).

    The encoder is the recognition network, the decoder the generative network (Kingma and
    Welling, 2014; Rezende et al., 2014). Introduced in chapter 10.
    """

    outputs_per_latent = 2  # μ, then log σ²

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters of q_φ(z|x): [B, 784] -> μ [B, D] and log σ² [B, D]."""
        mu, logvar = self.encoder(check_images(x, "x")).chunk(2, dim=-1)
        return mu, logvar

    def code(self, x: Tensor) -> Tensor:
        """The mean of q_φ(z|x), which stands in for an autoencoder's code: [B, D]."""
        return self.encode(x)[0]
